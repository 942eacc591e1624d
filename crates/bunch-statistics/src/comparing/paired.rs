//! Two rows on the same test items.

use statrs::function::beta::{beta_reg, inv_beta_reg};

use crate::counting::StatisticsError;

/// Error rate of a 95 % interval.
const ALPHA: f64 = 0.05;

/// How many of the same test items count for both of two rows, for one of them alone, or for neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PairedCounts {
    /// Items; at least one.
    pub n: u64,
    /// Items that count for the row and not for the other, `n10`.
    pub only_row: u64,
    /// Items that count for the other and not for the row, `n01`.
    pub only_other: u64,
    /// Items that count for both, `n11`.
    pub both: u64,
}

impl PairedCounts {
    /// The counts of two rows' items, in the same order.
    ///
    /// # Errors
    /// No items, or another number of them in `other` than in `row`.
    pub fn of(row: &[bool], other: &[bool]) -> Result<Self, StatisticsError> {
        StatisticsError::check_pairs("outcomes", "outcomes of the second model", row.len(), other.len())?;
        let count = |a: bool, b: bool| row.iter().zip(other).filter(|&(&x, &y)| (x, y) == (a, b)).count() as u64;
        Ok(Self {
            n: row.len() as u64,
            only_row: count(true, false),
            only_other: count(false, true),
            both: count(true, true),
        })
    }

    /// Share of the row minus that of the other, in percentage points: `100 (n10 - n01) / n`.
    pub fn difference(&self) -> f64 {
        100.0 * (self.only_row as f64 - self.only_other as f64) / self.n as f64
    }

    /// Standard error of [`Self::difference`], in percentage points: `100 sqrt(n10 + n01 - (n10 - n01)^2 / n) / n`.
    ///
    /// It uses that the items are shared, and is smaller than that of two separate samples where both rows count the same.
    pub fn stderr(&self) -> f64 {
        let (n, plus, minus) = (self.n as f64, self.only_row as f64, self.only_other as f64);
        let difference = plus - minus;
        100.0 * (plus + minus - difference * difference / n).max(0.0).sqrt() / n
    }

    /// A 95 % interval of the difference over items, in percentage points, from the discordant pairs.
    ///
    /// With psi the probability that an item is discordant and theta that a discordant one counts for the row, the
    /// difference is `psi (2 theta - 1)`. Both have exact intervals after Clopper and Pearson (1934, Biometrika 26:404):
    /// psi from n10 + n01 of n, theta from n10 of n10 + n01, which holds whatever their number is. Each is taken at 97.5 %,
    /// so that by Bonferroni's inequality both cover with at least 95 %, and with them every difference in between: the
    /// interval's coverage is at least 95 % for any probabilities and any n, at the price of being wide.
    pub fn interval(&self) -> (f64, f64) {
        let discordant = self.only_row + self.only_other;
        let psi = clopper_pearson(discordant, self.n, ALPHA / 2.0);
        let theta = clopper_pearson(self.only_row, discordant, ALPHA / 2.0);
        let (low, high) = (2.0 * theta.0 - 1.0, 2.0 * theta.1 - 1.0);
        // The product is least at the largest psi if its other factor is negative, at the smallest if not.
        let least = low * if low < 0.0 { psi.1 } else { psi.0 };
        let most = high * if high < 0.0 { psi.0 } else { psi.1 };
        (100.0 * least, 100.0 * most)
    }

    /// Cohen's h, an effect size of two shares: `2 asin sqrt(p_row) - 2 asin sqrt(p_other)`, in [-pi, pi].
    ///
    /// Cohen 1988, Statistical Power Analysis for the Behavioral Sciences, section 6.2, who calls 0.2 small, 0.5 medium and
    /// 0.8 large.
    pub fn cohens_h(&self) -> f64 {
        let phi = |count: u64| 2.0 * (count as f64 / self.n as f64).sqrt().asin();
        phi(self.both + self.only_row) - phi(self.both + self.only_other)
    }

    /// Two-sided p of McNemar's exact test: twice the smaller tail of Binomial(n10 + n01, 1/2), at most 1.
    ///
    /// McNemar 1947, Psychometrika 12:153, in its exact form.
    pub fn mcnemar_p(&self) -> f64 {
        let (few, many) = (self.only_row.min(self.only_other), self.only_row.max(self.only_other));
        if many == 0 {
            return 1.0;
        }
        // P(Binomial(m, 1/2) >= k) = I_{1/2}(k, m - k + 1).
        (2.0 * beta_reg(many as f64, few as f64 + 1.0, 0.5)).min(1.0)
    }
}

/// Clopper and Pearson's interval of a probability at level `1 - alpha`, from `k` of `n`; all of [0, 1] for `n` = 0.
pub(crate) fn clopper_pearson(k: u64, n: u64, alpha: f64) -> (f64, f64) {
    let (successes, failures) = (k as f64, (n - k) as f64);
    let low = if k == 0 { 0.0 } else { inv_beta_reg(successes, failures + 1.0, alpha / 2.0) };
    let high = if k == n { 1.0 } else { inv_beta_reg(successes + 1.0, failures, 1.0 - alpha / 2.0) };
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// From scipy.stats.binomtest(k, n).proportion_ci(method="exact").
    const SCIPY_CLOPPER_PEARSON: [(u64, u64, f64, f64); 6] = [
        (3, 10, 0.066_739_511_177_734_47, 0.652_452_850_060_008),
        (10, 10, 0.691_502_892_181_237_1, 1.0),
        (1, 100, 0.000_253_146_032_681_892_83, 0.054_459_385_392_080_666),
        (50, 120, 0.327_367_670_003_278_5, 0.510_178_445_797_710_4),
        (1700, 1733, 0.973_360_941_732_171_9, 0.986_856_928_152_606_6),
        (866, 1733, 0.475_899_704_741_528_8, 0.523_524_239_681_129_6),
    ];

    fn counts(n: u64, only_row: u64, only_other: u64) -> PairedCounts {
        PairedCounts { n, only_row, only_other, both: 0 }
    }

    fn close(got: f64, expected: f64) {
        assert!((got - expected).abs() < 1e-6, "{got}, expected {expected}");
    }

    #[test]
    fn counts_of_items() {
        let row = [true, true, true, false, false];
        let other = [true, false, false, true, false];
        let got = PairedCounts::of(&row, &other).expect("five items");
        assert_eq!(got, PairedCounts { n: 5, only_row: 2, only_other: 1, both: 1 });
        close(got.difference(), 20.0);
        let error = PairedCounts::of(&row, &other[1..]).unwrap_err().to_string();
        assert_eq!(error, "outcomes of the second model: expected 5, got 4");
        assert_eq!(PairedCounts::of(&[], &[]).unwrap_err().to_string(), "no outcomes: at least one is needed");
    }

    #[test]
    fn clopper_pearson_agrees_with_published_intervals() {
        // 0 of 10 by hand: 1 - 0.025^(1/10).
        close(clopper_pearson(0, 10, 0.05).1, 1.0 - 0.025_f64.powf(0.1));
        for (k, n, low, high) in SCIPY_CLOPPER_PEARSON {
            let got = clopper_pearson(k, n, 0.05);
            close(got.0, low);
            close(got.1, high);
        }
        assert_eq!(clopper_pearson(0, 0, 0.05), (0.0, 1.0));
    }

    #[test]
    fn intervals_by_hand() {
        // Nothing discordant among 100: theta may be anything, psi at most 1 - 0.0125^(1/100).
        let psi = 100.0 * (1.0 - 0.0125_f64.powf(0.01));
        let (low, high) = counts(100, 0, 0).interval();
        close(low, -psi);
        close(high, psi);
        // All 10 of 10 for the row: psi and theta are at least 0.0125^(1/10).
        let least = 0.0125_f64.powf(0.1);
        let (low, high) = counts(10, 10, 0).interval();
        close(low, 100.0 * least * (2.0 * least - 1.0));
        close(high, 100.0);
    }

    #[test]
    fn the_interval_covers_as_it_promises() {
        // Every outcome of 12 items, weighed by its trinomial probability.
        let n = 12_u64;
        let factorial = |k: u64| (1..=k).map(|i| i as f64).product::<f64>();
        let intervals: Vec<(u64, u64, (f64, f64))> = (0..=n)
            .flat_map(|a| (0..=n - a).map(move |b| (a, b)))
            .map(|(a, b)| (a, b, counts(n, a, b).interval()))
            .collect();
        for p10 in [0.0, 0.02, 0.1, 0.3, 0.5, 0.8] {
            for p01 in [0.0, 0.02, 0.1, 0.15, 0.2] {
                let truth = 100.0 * (p10 - p01);
                let covered: f64 = intervals
                    .iter()
                    .filter(|(_, _, (low, high))| (low - 1e-9..=high + 1e-9).contains(&truth))
                    .map(|&(a, b, _)| {
                        let ways = factorial(n) / (factorial(a) * factorial(b) * factorial(n - a - b));
                        ways * f64::powi(p10, a as i32)
                            * f64::powi(p01, b as i32)
                            * f64::powi(1.0 - p10 - p01, (n - a - b) as i32)
                    })
                    .sum();
                assert!(covered >= 0.95, "{p10} and {p01}: {covered}");
            }
        }
    }

    #[test]
    fn effect_sizes_by_hand() {
        // 3 of 4 against 1 of 4: 2 (pi/3 - pi/6); all against none: pi.
        let three = PairedCounts { n: 4, only_row: 3, only_other: 1, both: 0 };
        close(three.cohens_h(), std::f64::consts::FRAC_PI_3);
        close(counts(5, 5, 0).cohens_h(), std::f64::consts::PI);
        assert_eq!(counts(5, 0, 0).cohens_h(), 0.0);
    }

    #[test]
    fn standard_errors_by_hand() {
        close(counts(10, 4, 1).stderr(), 100.0 * (5.0_f64 - 0.9).sqrt() / 10.0);
        // Rows that never differ, and rows that always differ one way, have no variance.
        assert_eq!((counts(2, 0, 0).stderr(), counts(5, 5, 0).stderr()), (0.0, 0.0));
    }

    #[test]
    fn mcnemar_by_hand() {
        close(counts(10, 4, 1).mcnemar_p(), 0.375); // 2 (1 + 5) / 32
        close(counts(10, 0, 5).mcnemar_p(), 0.0625); // 2 / 2^5
        assert_eq!(counts(10, 3, 3).mcnemar_p(), 1.0);
        assert_eq!(counts(10, 0, 0).mcnemar_p(), 1.0);
        // Many items: 1, and a normal approximation with continuity correction, z = 199 / 100.
        assert_eq!(counts(10_000, 5000, 5000).mcnemar_p(), 1.0);
        assert!((counts(10_000, 4900, 5100).mcnemar_p() - 0.0466).abs() < 1e-4);
        assert_eq!(counts(5000, 0, 5000).mcnemar_p(), 0.0);
    }

    proptest! {
        #[test]
        fn exchanging_the_rows_turns_everything_around(n in 1..3000_u64, a in 0.0..0.5_f64, b in 0.0..0.5_f64) {
            let (a, b) = ((a * n as f64) as u64, (b * n as f64) as u64);
            let (one, two) = (counts(n, a, b), counts(n, b, a));
            let (low, high) = one.interval();
            prop_assert!((low + two.interval().1).abs() < 1e-7 && (high + two.interval().0).abs() < 1e-7);
            prop_assert!(low <= one.difference() && one.difference() <= high);
            prop_assert_eq!((one.mcnemar_p(), one.stderr()), (two.mcnemar_p(), two.stderr()));
            prop_assert!((one.cohens_h() + two.cohens_h()).abs() < 1e-12);
        }

        #[test]
        fn the_standard_error_is_that_of_the_differences(pairs in prop::collection::vec(any::<(bool, bool)>(), 1..200)) {
            let (a, b): (Vec<_>, Vec<_>) = pairs.iter().copied().unzip();
            let n = pairs.len() as f64;
            let d: Vec<f64> = pairs.iter().map(|&(x, y)| f64::from(u8::from(x)) - f64::from(u8::from(y))).collect();
            let mean = d.iter().sum::<f64>() / n;
            let variance = d.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
            let got = PairedCounts::of(&a, &b).unwrap();
            prop_assert!((got.stderr() - 100.0 * (variance / n).sqrt()).abs() < 1e-6);
        }
    }
}
