//! Ctrl-C.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use bunch_experiment::between_writes;

/// What a shell reports for a program that Ctrl-C has stopped.
const INTERRUPTED: i32 = 130;

/// A flag that Ctrl-C sets, so that work ends in order. The second time it ends the program without cleaning up: what is left
/// is hidden, and the same command removes or continues it.
pub fn stop_flag() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let handler = Arc::clone(&stop);
    let handle = move || {
        if handler.swap(true, Ordering::Relaxed) {
            std::process::exit(INTERRUPTED);
        }
    };
    ctrlc::set_handler(handle).context("handling of Ctrl-C")?;
    Ok(stop)
}

/// Lets Ctrl-C end the program at once, but for a results folder that is being written: that is finished before. Whatever else
/// an experiment makes appears complete or not at all.
pub fn stop_between_writes() -> Result<()> {
    let handle = || {
        let _nothing_is_half_written = between_writes();
        eprintln!("interrupted: the same command continues with what is not finished");
        std::process::exit(INTERRUPTED);
    };
    ctrlc::set_handler(handle).context("handling of Ctrl-C")
}
