//! Why a statistic has no value.

/// Why a statistic has no value.
#[derive(Debug, thiserror::Error)]
pub enum StatisticsError {
    /// A share or mean of nothing is undefined.
    #[error("no {what}: at least one is needed")]
    Empty {
        /// What is missing, in the plural.
        what: &'static str,
    },
    /// Two lists that are compared item by item differ in length.
    #[error("{what}: expected {expected}, got {got}")]
    Count {
        /// What was counted.
        what: &'static str,
        /// How many there should be.
        expected: usize,
        /// How many there are.
        got: usize,
    },
    /// More successes than trials, or no trial.
    #[error("proportion: expected 1 or more trials and no more successes than trials, got {successes} of {n}")]
    Proportion {
        /// Successes given.
        successes: u64,
        /// Trials given.
        n: u64,
    },
}

impl StatisticsError {
    /// Rejects an empty list, and a second list of another length.
    pub(crate) fn check_pairs(
        plural: &'static str,
        second: &'static str,
        expected: usize,
        got: usize,
    ) -> Result<(), Self> {
        if expected != got {
            return Err(Self::Count { what: second, expected, got });
        }
        if expected == 0 { Err(Self::Empty { what: plural }) } else { Ok(()) }
    }
}
