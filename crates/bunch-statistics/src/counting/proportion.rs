//! A proportion: how many of n went one way, and how sure that makes us.

use serde::{Deserialize, Serialize};

use crate::counting::{Interval, StatisticsError};

/// The 97.5 % point of the normal distribution: as many standard deviations to either side hold 95 %.
pub(crate) const Z_95: f64 = 1.959_963_984_540_054;

/// Successes among independent trials, such as safe replies among replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proportion {
    /// Trials that succeeded, at most `n`.
    pub successes: u64,
    /// Trials, at least 1; of 0 trials every share below is NaN.
    pub n: u64,
}

impl Proportion {
    /// `successes` of `n`.
    ///
    /// # Errors
    /// No trial, or more successes than trials.
    pub fn new(successes: u64, n: u64) -> Result<Self, StatisticsError> {
        if n == 0 || successes > n {
            return Err(StatisticsError::Proportion { successes, n });
        }
        Ok(Self { successes, n })
    }

    /// The number of `true` among `outcomes`.
    pub fn of(outcomes: &[bool]) -> Self {
        Self { successes: outcomes.iter().filter(|&&outcome| outcome).count() as u64, n: outcomes.len() as u64 }
    }

    /// The share, in [0, 1].
    fn share(&self) -> f64 {
        self.successes as f64 / self.n as f64
    }

    /// The share of successes, in percent.
    pub fn percent(&self) -> f64 {
        100.0 * self.share()
    }

    /// The binomial standard error of the share, sqrt(p (1 - p) / n), in percentage points. It is 0 where all trials went
    /// one way, which is the data's variance and not our certainty: prefer [`Self::wilson_95`] there.
    pub fn stderr_percent(&self) -> f64 {
        let p = self.share();
        100.0 * (p * (1.0 - p) / self.n as f64).sqrt()
    }

    /// Wilson's score interval of 95 % of the share, in percent, within [0, 100]. Unlike percent +- 1.96 * stderr it has a
    /// width at 0 and n successes.
    pub fn wilson_95(&self) -> Interval {
        self.wilson(Z_95)
    }

    /// Wilson's score interval, `z` standard deviations wide to either side, above 0.
    fn wilson(&self, z: f64) -> Interval {
        wilson(self.share(), self.n as f64, z)
    }
}

/// Wilson's score interval, in percent and within [0, 100], of the share `p` in [0, 1] of `n` trials, `z` standard deviations
/// wide to either side (Wilson 1927, Journal of the American Statistical Association 22:209). `n` is above 0 and need not be a
/// whole number; it may be infinite, and the interval is a point then.
pub(crate) fn wilson(p: f64, n: f64, z: f64) -> Interval {
    let shrink = 1.0 / (1.0 + z * z / n);
    let centre = (p + z * z / (2.0 * n)) * shrink;
    let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt() * shrink;
    // At shares of 0 and 1 one end is exact, but for rounding.
    let low = if p == 0.0 { 0.0 } else { (centre - half).max(0.0) };
    let high = if p == 1.0 { 1.0 } else { (centre + half).min(1.0) };
    Interval { low: 100.0 * low, high: 100.0 * high }
}

#[cfg(test)]
mod tests {
    use super::Proportion;
    use proptest::prelude::*;

    #[test]
    fn a_hand_computed_share() {
        let proportion = Proportion::new(20, 100).unwrap();
        assert_eq!(proportion.percent(), 20.0);
        assert!((proportion.stderr_percent() - 4.0).abs() < 1e-12); // sqrt(0.2 * 0.8 / 100) = 0.04
        // z = 2: centre (0.2 + 0.02) / 1.04, half 2 sqrt(0.0016 + 0.0001) / 1.04.
        let interval = proportion.wilson(2.0);
        assert!((interval.low - 100.0 * (0.22 - 2.0 * 0.0017f64.sqrt()) / 1.04).abs() < 1e-12);
        assert!((interval.high - 100.0 * (0.22 + 2.0 * 0.0017f64.sqrt()) / 1.04).abs() < 1e-12);
    }

    #[test]
    fn none_and_all_of_n_have_no_standard_error_but_an_interval() {
        let (none, all) = (Proportion::new(0, 12).unwrap(), Proportion::new(12, 12).unwrap());
        assert_eq!((none.percent(), none.stderr_percent()), (0.0, 0.0));
        assert_eq!((all.percent(), all.stderr_percent()), (100.0, 0.0));
        // z = 2: the inner end is z^2 / (n + z^2) = 4 / 16 from the edge.
        let (low, high) = (none.wilson(2.0), all.wilson(2.0));
        assert_eq!(low.low, 0.0);
        assert!((low.high - 25.0).abs() < 1e-12);
        assert!((high.low - 75.0).abs() < 1e-12);
        assert_eq!(high.high, 100.0);
    }

    #[test]
    fn outcomes_are_counted() {
        assert_eq!(Proportion::of(&[true, false, true]), Proportion { successes: 2, n: 3 });
    }

    #[test]
    fn no_trial_and_too_many_successes_are_errors() {
        assert!(Proportion::new(0, 0).is_err());
        let error = Proportion::new(3, 2).unwrap_err().to_string();
        assert!(error.ends_with("got 3 of 2"), "{error}");
    }

    proptest! {
        #[test]
        fn the_interval_contains_the_share_and_stays_in_bounds(n in 1u64..5000, part in 0.0..=1.0, z in 0.01..6.0) {
            let proportion = Proportion::new((part * n as f64) as u64, n).unwrap();
            let interval = proportion.wilson(z);
            prop_assert!(0.0 <= interval.low && interval.high <= 100.0);
            prop_assert!(interval.low <= proportion.percent() && proportion.percent() <= interval.high);
            let mirrored = Proportion::new(n - proportion.successes, n).unwrap().wilson(z);
            prop_assert!((mirrored.low - (100.0 - interval.high)).abs() < 1e-9);
        }
    }
}
