//! A mean over seeds that come in groups, and where its variance comes from: items, seeds, or groups.

use std::collections::BTreeMap;

use crate::comparing::distribution::student_t_975;
use crate::counting::Interval;

/// One seed's number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NestedValue {
    /// The number.
    pub value: f64,
    /// Its standard error over test items, in the same unit.
    pub stderr: f64,
    /// The group that the seed belongs to; the same for all seeds if there are no groups.
    pub group: u64,
}

/// The mean of numbers whose test items are nested in seeds, and seeds in groups.
///
/// The model is `value = mean + group + seed + items`, each of the last three with mean 0; the variance over items is known
/// for each seed. The other two variances are those that make the sums of squares within and between groups what they are
/// expected to be, 0 where that is negative: the method of moments for unbalanced groups (Searle, Casella and McCulloch 1992,
/// Variance Components, chapter 3) with the known variance taken off, as Hedges and Olkin's estimate does (1985, Statistical
/// Methods for Meta-Analysis, chapter 9). Seeds weigh equally: their standard errors are nearly equal, and depend on the
/// values themselves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Nested {
    /// The mean: of seeds if groups do not differ, else of groups, weighed by the inverse of their variance.
    pub mean: f64,
    /// Its 95 % interval after Hartung and Knapp (2001, Statistics in Medicine 20:1771): a t interval from the weighted spread
    /// of what is averaged.
    pub interval: Interval,
    /// Degrees of freedom of the interval: one less than seeds if groups do not differ, else one less than groups.
    pub degrees_of_freedom: usize,
    /// Variance over test items of one seed's number, the mean over seeds of the squared standard errors.
    pub items: f64,
    /// Variance between seeds of a group.
    pub seeds: f64,
    /// Variance between groups; `None` where it cannot be told from that between seeds: all are in one group, or no two are.
    pub groups: Option<f64>,
}

impl Nested {
    /// The mean of `values`, one per seed; `None` for fewer than two.
    pub fn of(values: &[NestedValue]) -> Option<Self> {
        let n = values.len() as f64;
        let over_seeds = student_t_975(values.len().checked_sub(1)?)?;
        let mut groups: BTreeMap<u64, Group> = BTreeMap::new();
        for value in values {
            groups.entry(value.group).or_default().add(value);
        }
        let groups: Vec<Group> = groups.into_values().collect();
        let mean = values.iter().map(|value| value.value).sum::<f64>() / n;
        let items = groups.iter().map(|group| group.items).sum::<f64>() / n;
        let spread = values.iter().map(|value| (value.value - mean).powi(2)).sum::<f64>();
        let half = over_seeds * (spread / (n - 1.0) / n).sqrt();
        let plain = Self {
            mean,
            interval: Interval { low: mean - half, high: mean + half },
            degrees_of_freedom: values.len() - 1,
            items,
            seeds: (spread / (n - 1.0) - items).max(0.0),
            groups: None,
        };
        let is_nested = 1 < groups.len() && groups.len() < values.len();
        if is_nested { Some(plain.grouped(&groups, n)) } else { Some(plain) }
    }

    /// The same with the variance between groups told from that between seeds.
    fn grouped(self, groups: &[Group], n: f64) -> Self {
        let count = groups.len() as f64;
        // Sums of squares, each with what items are expected to add to it.
        let within = groups.iter().map(|group| group.squares - (1.0 - 1.0 / group.n) * group.items).sum::<f64>();
        let seeds = (within / (n - count)).max(0.0);
        let between = groups
            .iter()
            .map(|group| group.n * (group.mean - self.mean).powi(2) - (1.0 / group.n - 1.0 / n) * group.items)
            .sum::<f64>();
        let replicates = n - groups.iter().map(|group| group.n * group.n).sum::<f64>() / n;
        let between = ((between - (count - 1.0) * seeds) / replicates).max(0.0);
        let parts = Self { seeds, groups: Some(between), ..self };
        if between == 0.0 {
            return parts;
        }
        let weight = |group: &Group| 1.0 / (between + (seeds + self.items) / group.n);
        let total = groups.iter().map(weight).sum::<f64>();
        let mean = groups.iter().map(|group| weight(group) * group.mean).sum::<f64>() / total;
        let spread = groups.iter().map(|group| weight(group) * (group.mean - mean).powi(2)).sum::<f64>();
        let degrees_of_freedom = groups.len() - 1;
        let quantile = student_t_975(degrees_of_freedom).unwrap_or(f64::INFINITY);
        let half = quantile * (spread / (count - 1.0) / total).sqrt();
        Self { mean, interval: Interval { low: mean - half, high: mean + half }, degrees_of_freedom, ..parts }
    }

    /// The percentages of one seed's variance that are due to items, seeds and groups; `None` if there is no variance.
    pub fn percentages(&self) -> Option<[f64; 3]> {
        let parts = [self.items, self.seeds, self.groups.unwrap_or(0.0)];
        let total = parts.iter().sum::<f64>();
        (total > 0.0).then(|| parts.map(|part| 100.0 * part / total))
    }
}

/// The seeds of one group.
#[derive(Debug, Clone, Copy, Default)]
struct Group {
    n: f64,
    mean: f64,
    /// Squared distances from the mean, summed.
    squares: f64,
    /// Squared standard errors over items, summed.
    items: f64,
}

impl Group {
    /// Adds a seed (Welford 1962, Technometrics 4:419).
    fn add(&mut self, value: &NestedValue) {
        self.n += 1.0;
        let before = value.value - self.mean;
        self.mean += before / self.n;
        self.squares += before * (value.value - self.mean);
        self.items += value.stderr * value.stderr;
    }
}

#[cfg(test)]
mod tests;
