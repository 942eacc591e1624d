//! Observers: how a caller follows the progress of a download.

/// Watches a download.
pub trait Observer {
    /// The files to fetch are known: `files` of them, `bytes` in all, some of which may be there already.
    fn planned(&self, files: usize, bytes: u64) {
        let _ = (files, bytes);
    }

    /// `done` of the `total` bytes of `file` are there.
    fn progress(&self, file: &str, done: u64, total: u64);
}

/// Watches nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn progress(&self, _: &str, _: u64, _: u64) {}
}
