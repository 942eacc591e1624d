//! What things cost, roughly.
//!
//! For the progress display and `--dry-run` alone: nothing that is measured follows from these numbers.

use bunch_transformer::LlamaConfig;

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

/// Parameters of the largest model of which several are worked on side by side.
pub(crate) const SMALL_MODEL: usize = 10_000_000;

/// Models of 450,000 parameters, from the wall times of a run of all experiments in the miniature; that of data is an estimate.
const MINIATURE: Costs = Costs { step: 80, data: 3000, merge: 45, evaluation: 900 };

/// A model of 135 million parameters, in jobs that run one at a time on two cores, from the wall times of both tables at the
/// small scale; that of data is an estimate.
const SMALL: Costs = Costs { step: 2_700, data: 60_000, merge: 1_200, evaluation: 25_000 };
const SMALL_PARAMETERS: f64 = 135e6;

impl Costs {
    /// Those of models of a shape: as measured for the two that were, and in proportion to their parameters for larger ones.
    pub(crate) fn of(config: &LlamaConfig) -> Self {
        if config.parameters() <= SMALL_MODEL {
            return MINIATURE;
        }
        let scaled = |cost: u64| (cost as f64 * config.parameters() as f64 / SMALL_PARAMETERS).ceil() as u64;
        let Self { step, data, merge, evaluation } = SMALL;
        Self { step: scaled(step), data: scaled(data), merge: scaled(merge), evaluation: scaled(evaluation) }
    }
}
