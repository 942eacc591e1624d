//! Shares: a proportion with everything that a table shows of it.

use serde::{Deserialize, Serialize};

use crate::counting::{Interval, Proportion, StatisticsError};

/// How many of n went one way, and how sure that makes us.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// How many.
    pub successes: u64,
    /// Of how many; at least 1.
    pub n: u64,
    /// The share, in percent.
    pub percent: f64,
    /// Its binomial standard error, sqrt(p (1 - p) / n), in percentage points.
    pub stderr_percent: f64,
    /// Wilson's score interval of 95 %, in percent.
    pub wilson_95: Interval,
}

impl Share {
    /// The share of `successes` among `n`.
    ///
    /// # Errors
    /// No trial, or more successes than trials.
    pub fn new(successes: u64, n: u64) -> Result<Self, StatisticsError> {
        let proportion = Proportion::new(successes, n)?;
        Ok(Self {
            successes,
            n,
            percent: proportion.percent(),
            stderr_percent: proportion.stderr_percent(),
            wilson_95: proportion.wilson_95(),
        })
    }

    /// The share of `true`; none of nothing.
    pub fn of(outcomes: impl IntoIterator<Item = bool>) -> Option<Self> {
        let (successes, n) =
            outcomes.into_iter().fold((0, 0), |(successes, n), outcome| (successes + u64::from(outcome), n + 1));
        Self::new(successes, n).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::Share;

    #[test]
    fn a_hand_computed_share() {
        let share = Share::of([true, false, true, true]).unwrap();
        assert_eq!((share.successes, share.n, share.percent), (3, 4, 75.0));
        assert!((share.stderr_percent - 100.0 * (0.75f64 * 0.25 / 4.0).sqrt()).abs() < 1e-12);
        // Wilson by hand: z^2 = 3.8414588, centre (0.75 + z^2/8) / (1 + z^2/4) = 0.6274, half-width 0.3267.
        assert!((share.wilson_95.low - 30.0636).abs() < 1e-3, "{share:?}");
        assert!((share.wilson_95.high - 95.4413).abs() < 1e-3, "{share:?}");
        assert_eq!(Share::of([]), None);
    }
}
