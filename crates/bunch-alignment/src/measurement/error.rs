//! What can go wrong when a measurement is counted.

use bunch_judging::JudgingError;
use bunch_statistics::StatisticsError;

/// Why a measurement cannot be counted.
#[derive(Debug, thiserror::Error)]
pub enum MeasurementError {
    /// Another number of answers, verdicts or models than there should be.
    #[error("{model}: {what}: expected {expected}, got {got}")]
    Count {
        /// The model.
        model: String,
        /// What was counted.
        what: String,
        /// How many there should be.
        expected: usize,
        /// How many there are.
        got: usize,
    },
    /// Nothing to compare the merge with, or no merge.
    #[error("expected one merge and at least one member, got {merges} and {members}")]
    Models {
        /// Merges given.
        merges: usize,
        /// Members given.
        members: usize,
    },
    /// Verdicts that cannot be counted.
    #[error(transparent)]
    Judging(#[from] JudgingError),
    /// Outcomes that cannot be compared.
    #[error(transparent)]
    Statistics(#[from] StatisticsError),
}
