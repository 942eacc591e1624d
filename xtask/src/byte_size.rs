//! Numbers of bytes, as they are given on the command line and shown in tables.

use anyhow::{Context, Result, anyhow};

/// Bytes in a MiB.
pub const MIB: u64 = 1 << 20;

/// Units, in bytes.
const UNITS: [(&str, u64); 8] = [
    ("", 1),
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", MIB),
    ("GiB", 1 << 30),
];

/// Reads `5000000`, `64MiB` or `1 GB`: a whole number of bytes and a unit, decimal (KB, MB, GB) or binary (KiB, MiB, GiB).
///
/// # Errors
/// Fails if the text is not a size, or is more than 64 bits can hold.
pub fn parse_byte_size(text: &str) -> Result<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().with_context(|| format!("`{text}` does not begin with a whole number"))?;
    let (_, bytes) = UNITS
        .iter()
        .find(|(name, _)| *name == unit.trim())
        .ok_or_else(|| anyhow!("unit of `{text}`: expected B, KB, MB, GB, KiB, MiB or GiB, got `{}`", unit.trim()))?;
    number.checked_mul(*bytes).ok_or_else(|| anyhow!("`{text}` is more than 64 bits can hold"))
}

#[cfg(test)]
mod tests {
    use super::parse_byte_size;

    #[test]
    fn sizes_are_read_in_decimal_and_binary_units() {
        for (text, bytes) in
            [("0", 0), ("17", 17), ("17B", 17), ("3KB", 3_000), ("1 GB", 1_000_000_000), ("64MiB", 67_108_864)]
        {
            assert_eq!(parse_byte_size(text).unwrap(), bytes, "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in ["", "GB", "-1", "1.5GB", "1gb", "1 G B", "99999999999999999999", "18446744073709551615KB"] {
            assert!(parse_byte_size(text).is_err(), "{text}");
        }
    }
}
