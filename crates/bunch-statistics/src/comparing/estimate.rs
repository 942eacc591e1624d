//! Estimates over seeds, and standard errors over test items pooled across seeds.

use crate::comparing::distribution::student_t_975;
use crate::counting::{Interval, Z_95, wilson};

/// Mean and spread of one number per seed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Number of seeds.
    pub seeds: usize,
    /// Mean over seeds.
    pub mean: f64,
    /// A 95 % interval of the mean; `None` for one seed.
    pub interval: Option<Interval>,
    /// Lowest value.
    pub min: f64,
    /// Highest value.
    pub max: f64,
}

impl Estimate {
    /// The estimate from `values`, one per seed, with the t interval of `seeds - 1` degrees of freedom; `None` if there are
    /// none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let min = values.iter().copied().reduce(f64::min)?;
        let max = values.iter().copied().reduce(f64::max)?;
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let interval = student_t_975(values.len() - 1).map(|quantile| {
            let half = quantile * variance_of_mean(values, mean).sqrt();
            Interval { low: mean - half, high: mean + half }
        });
        Some(Self { seeds: values.len(), mean, interval, min, max })
    }

    /// The estimate from `values`, percentages of test items, one per seed, with an interval within [0, 100]; `items` is the
    /// number of items of all seeds together, 0 if none were counted. `None` if there are no values.
    ///
    /// It is Wilson's score interval for as many independent items as would make the mean as variable as it is over seeds,
    /// `p (1 - p) / v` with `v` the squared standard error of the mean, and with the t quantile of `seeds - 1` degrees of
    /// freedom in place of the normal one: Wilson's interval for shares that come in clusters, as Franco, Little, Louis and
    /// Slud 2019 compare it with others (Journal of Survey Statistics and Methodology 7:334). It is widened, if need be, to
    /// contain Wilson's interval of all items taken as independent: seeds that happen to agree, at 100 % too, make the mean no
    /// surer than their items do.
    ///
    /// Where a value is no percentage, this is [`of`](Self::of).
    pub fn of_percentages(values: &[f64], items: u64) -> Option<Self> {
        let estimate = Self::of(values)?;
        if estimate.min < 0.0 || estimate.max > 100.0 {
            return Some(estimate);
        }
        let interval = student_t_975(values.len() - 1).map(|quantile| {
            // The mean of equal values may be a last bit beyond them.
            let share = (estimate.mean / 100.0).clamp(0.0, 1.0);
            let variance = variance_of_mean(values, estimate.mean) / 1e4;
            let effective = if variance > 0.0 { share * (1.0 - share) / variance } else { f64::INFINITY };
            // A spread that is nothing but rounding, at 0 or 100 %, would have no effective items.
            let seeds =
                if effective > 0.0 { wilson(share, effective, quantile) } else { wilson(share, f64::INFINITY, 1.0) };
            if items == 0 {
                return seeds;
            }
            let items = wilson(share, items as f64, Z_95);
            Interval { low: seeds.low.min(items.low), high: seeds.high.max(items.high) }
        });
        Some(Self { interval, ..estimate })
    }

    /// Half the interval's width: the ± of a t interval, which lies around the mean; `None` for one seed.
    pub fn half_width(&self) -> Option<f64> {
        self.interval.map(|Interval { low, high }| (high - low) / 2.0)
    }
}

/// The squared standard error of the mean of at least two values.
fn variance_of_mean(values: &[f64], mean: f64) -> f64 {
    let n = values.len() as f64;
    values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0) / n
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
mod tests;
