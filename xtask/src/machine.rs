//! The machine that measurements are taken on.

use std::fs;

use anyhow::{Context, Result};

/// Model and number of the processors, as in `AMD EPYC 7B13, 2 cores`.
///
/// # Errors
/// Fails if there is no /proc/cpuinfo.
pub fn describe_machine() -> Result<String> {
    Ok(describe(&fs::read_to_string("/proc/cpuinfo").context("reading /proc/cpuinfo")?))
}

fn describe(cpuinfo: &str) -> String {
    let values = |key| {
        let pairs = cpuinfo.lines().filter_map(|line| line.split_once(':'));
        pairs.filter(move |(name, _)| name.trim() == key).map(|(_, value)| value.trim())
    };
    let cores = values("processor").count();
    let model = values("model name").next().unwrap_or("unknown processor");
    format!("{model}, {cores} {}", if cores == 1 { "core" } else { "cores" })
}

#[cfg(test)]
mod tests {
    use super::describe;

    #[test]
    fn processors_are_counted_and_named() {
        let one = "processor\t: 0\nmodel name\t: Example 3000\nprocessor id\t: 7\n\n";
        assert_eq!(describe(one), "Example 3000, 1 core");
        assert_eq!(describe(&one.repeat(2)), "Example 3000, 2 cores");
        assert_eq!(describe("processor : 0\nprocessor : 1"), "unknown processor, 2 cores");
    }
}
