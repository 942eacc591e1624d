//! The memory of this machine, against what a model needs.

use std::path::Path;

use anyhow::{Result, bail};
use bunch_transformer::available_memory;

use crate::arguments::ModelOptions;

/// Devices whose weights lie where [`available_memory`] looks.
const IN_MAIN_MEMORY: [&str; 2] = ["flex", "ndarray"];

/// Refuses a model that needs more bytes than are available, as far as that is known: it would be killed, or swap for hours.
pub fn check_memory(model: &Path, options: &ModelOptions, need: u64) -> Result<()> {
    if options.ignore_memory || !IN_MAIN_MEMORY.contains(&options.device.as_str()) {
        return Ok(());
    }
    compare(model, need, available_memory())
}

fn compare(model: &Path, need: u64, available: Option<u64>) -> Result<()> {
    let gibibytes = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    match available {
        Some(available) if available < need => bail!(
            "{}: needs about {:.1} GiB of memory, {:.1} GiB are available (--ignore-memory loads it all the same)",
            model.display(),
            gibibytes(need),
            gibibytes(available)
        ),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::compare;

    #[test]
    fn a_model_that_does_not_fit_is_refused() {
        let compare = |available| compare(Path::new("models/large"), 30 << 30, available);
        assert!(compare(None).is_ok());
        assert!(compare(Some(30 << 30)).is_ok());
        let error = compare(Some(8 << 30)).unwrap_err().to_string();
        assert_eq!(
            error,
            "models/large: needs about 30.0 GiB of memory, 8.0 GiB are available (--ignore-memory loads it all the same)"
        );
    }
}
