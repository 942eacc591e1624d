//! Watching a merge.

/// Somebody who watches a merge; called from several threads.
pub trait Progress: Sync {
    /// The merge begins; it will read this many bytes.
    fn begin(&self, bytes: u64);

    /// So many bytes more were read, merged and written.
    fn advance(&self, bytes: u64);
}

/// Nobody watches.
#[derive(Debug, Clone, Copy)]
pub struct Quiet;

impl Progress for Quiet {
    fn begin(&self, _bytes: u64) {}

    fn advance(&self, _bytes: u64) {}
}
