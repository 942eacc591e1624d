//! Watching a merge.

/// Somebody who watches a merge; called from several threads.
pub trait Progress: Sync {
    /// A pass over the models begins; it will read this many bytes.
    fn begin(&self, pass: Pass, bytes: u64);

    /// So many bytes more were read and, in the last pass, merged and written.
    fn advance(&self, bytes: u64);
}

/// What a merge reads the models for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// The method looks at the whole model before it merges; some look several times, counted from 1.
    Survey(u32),
    /// Merging and writing.
    Merge,
}

/// Nobody watches.
#[derive(Debug, Clone, Copy)]
pub struct Quiet;

impl Progress for Quiet {
    fn begin(&self, _pass: Pass, _bytes: u64) {}

    fn advance(&self, _bytes: u64) {}
}
