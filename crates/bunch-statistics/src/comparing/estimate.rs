//! Estimates over seeds, and standard errors over test items pooled across seeds.

use crate::comparing::distribution::student_t_975;
use crate::counting::Interval;

/// Mean and spread of one number per seed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Number of seeds.
    pub seeds: usize,
    /// Mean over seeds.
    pub mean: f64,
    /// Half the width of the 95 % t interval of the mean, with `seeds - 1` degrees of freedom; `None` for one seed.
    pub half_width: Option<f64>,
    /// Lowest value.
    pub min: f64,
    /// Highest value.
    pub max: f64,
}

impl Estimate {
    /// The estimate from `values`, one per seed; `None` if there are none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len() as f64;
        let min = values.iter().copied().reduce(f64::min)?;
        let max = values.iter().copied().reduce(f64::max)?;
        let mean = values.iter().sum::<f64>() / n;
        let half_width = student_t_975(values.len() - 1).map(|quantile| {
            let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
            quantile * (variance / n).sqrt()
        });
        Some(Self { seeds: values.len(), mean, half_width, min, max })
    }

    /// The 95 % t interval of the mean; `None` for one seed.
    pub fn interval(&self) -> Option<Interval> {
        self.half_width.map(|half| Interval { low: self.mean - half, high: self.mean + half })
    }
}

/// Standard error of the mean over the test items of several samples, from each sample's number of items and standard error:
/// `sqrt(sum (n_i se_i)^2) / sum n_i`.
///
/// For proportions it is the binomial standard error that keeps each sample's own rate; larger samples weigh more. Samples
/// that state no items weigh equally. 0 for no samples.
pub fn pooled_stderr(samples: &[(u64, f64)]) -> f64 {
    let counted = samples.iter().any(|&(n, _)| n > 0);
    let weight = |n: u64| if counted { n as f64 } else { 1.0 };
    let total: f64 = samples.iter().map(|&(n, _)| weight(n)).sum();
    if samples.is_empty() {
        return 0.0;
    }
    samples.iter().map(|&(n, stderr)| (weight(n) * stderr).powi(2)).sum::<f64>().sqrt() / total
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hand_computed_estimate() {
        // Mean 2, sample standard deviation 1, t(2) = 4.302653: half-width 4.302653 / sqrt(3).
        let estimate = Estimate::of(&[1.0, 2.0, 3.0]).unwrap();
        assert_eq!((estimate.seeds, estimate.mean, estimate.min, estimate.max), (3, 2.0, 1.0, 3.0));
        assert!((estimate.half_width.unwrap() - 2.484138).abs() < 1e-6);
        assert_eq!(Estimate::of(&[5.0]).unwrap().half_width, None);
        assert_eq!(Estimate::of(&[]), None);
    }

    #[test]
    fn pooled_standard_error_is_the_binomial_one() {
        // 50 % and 80 % of 100 and 400 items: sqrt(100 * .25 + 400 * .16) / 500 = 1.887 %.
        let binomial = |rate: f64, n: u64| (n, 100.0 * (rate * (1.0 - rate) / n as f64).sqrt());
        let expected = 100.0 * (100.0_f64 * 0.25 + 400.0 * 0.16).sqrt() / 500.0;
        assert!((pooled_stderr(&[binomial(0.5, 100), binomial(0.8, 400)]) - expected).abs() < 1e-12);
        assert_eq!(pooled_stderr(&[(0, 3.0), (0, 4.0)]), 2.5);
        assert_eq!(pooled_stderr(&[]), 0.0);
    }

    proptest! {
        #[test]
        fn an_estimate_lies_within_its_values_and_moves_with_them(
            values in prop::collection::vec(0.0..100.0_f64, 2..40), shift in -50.0..50.0_f64,
        ) {
            let estimate = Estimate::of(&values).unwrap();
            prop_assert!(estimate.min <= estimate.mean + 1e-9 && estimate.mean <= estimate.max + 1e-9);
            let shifted: Vec<f64> = values.iter().map(|value| value + shift).collect();
            let other = Estimate::of(&shifted).unwrap();
            prop_assert!((other.mean - estimate.mean - shift).abs() < 1e-9);
            prop_assert!((other.half_width.unwrap() - estimate.half_width.unwrap()).abs() < 1e-9);
        }
    }
}
