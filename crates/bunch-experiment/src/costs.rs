//! What things cost, roughly.
//!
//! For the progress display and `--dry-run` alone: nothing that is measured follows from these numbers.

/// Costs in milliseconds on one core, or with a job that uses all cores on those.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Costs {
    /// A training step.
    pub(crate) step: u64,
    /// Generating the data of a pool.
    pub(crate) data: u64,
    /// Merging and scoring a candidate.
    pub(crate) merge: u64,
    /// Measuring a model in every column.
    pub(crate) evaluation: u64,
}

/// The miniature world, from the wall times of a run of all experiments; that of data is an estimate.
pub(crate) const MINIATURE: Costs = Costs { step: 80, data: 3000, merge: 45, evaluation: 900 };

/// The small scale, whose jobs run one at a time on two cores, from the wall times of both tables; that of data is an estimate.
pub(crate) const SMALL: Costs = Costs { step: 2_700, data: 60_000, merge: 1_200, evaluation: 25_000 };

/// Rows of a step of preference tuning that cost as much as scoring a merge.
pub(crate) const ROWS_OF_A_MERGE: usize = 48;
