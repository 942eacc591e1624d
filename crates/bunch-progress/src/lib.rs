//! How long-running work reports how far it is: one protocol for everything that merges, fetches, compares and asks models.

#![forbid(unsafe_code)]

/// Follows how far a piece of work is, possibly on several threads; by default it does nothing.
pub trait Progress: Sync {
    /// A stage of the work begins: `done` of its `total` units are done already.
    fn begin(&self, stage: &str, total: u64, done: u64) {
        let _ = (stage, total, done);
    }

    /// The stage turns to this part of it: a file, a task.
    fn turn_to(&self, part: &str) {
        let _ = part;
    }

    /// So many more units of the stage are done.
    fn advance(&self, units: u64) {
        let _ = units;
    }

    /// Something that a reader of the results should know.
    fn note(&self, text: &str) {
        let _ = text;
    }
}

/// Nobody listens.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl Progress for Quiet {}
