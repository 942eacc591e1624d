//! How sure a comparison is, over seeds.

use crate::comparing::distribution::{student_t_above, student_t_quantile};

/// A one-sided t test over seeds that the mean of paired differences lies on one side of a margin.
///
/// Each seed gives one difference `d` of two rows within it. With `m` their mean, `s` their sample standard deviation, `n`
/// their number and `c` the margin, `t = (m - c) / (s / sqrt n)` has n - 1 degrees of freedom where the mean is the margin
/// itself (Student 1908, Biometrika 6:1); its sign is turned where differences below the margin are claimed. It takes
/// differences as normal, which three seeds cannot show.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SeedTest {
    /// The statistic; positive on the claim's side of the margin.
    pub t: f64,
    /// The chance of a `t` as large if the mean were the margin.
    pub p: f64,
    /// `p` after Holm's correction for all comparisons of the claim; see [`holm`](crate::holm).
    pub holm_p: f64,
    /// The standardised distance of the mean from the margin, `t / sqrt n`: Cohen's d_z (Cohen 1988, section 2.3.5, with
    /// the margin in place of zero).
    pub effect: f64,
    /// The smallest distance of the true mean from the margin, in the differences' unit, of which so many seeds with this
    /// spread would have shown in about 80 % of cases that it is beyond the margin, with the whole 95 % interval:
    /// `(t_0.975 + t_0.8) s / sqrt n` with the quantiles of n - 1 degrees of freedom (Cohen 1988, chapter 2, with t in place
    /// of the normal distribution). The exact value comes from the noncentral t distribution; by simulation the power is
    /// 77 % with three seeds and 79 to 80 % from five on.
    pub detectable: f64,
}

impl SeedTest {
    /// The test of `differences`, one per seed, against `margin`, before any correction; `direction` is 1 if differences
    /// above it are claimed and -1 if those below are.
    ///
    /// `None` for fewer than two seeds, and where all differences are equal (to 1e-9): t has no meaning there.
    pub fn of(differences: &[f64], margin: f64, direction: f64) -> Option<Self> {
        let n = differences.len() as f64;
        let mean = differences.iter().sum::<f64>() / n;
        let squares = differences.iter().map(|difference| (difference - mean).powi(2)).sum::<f64>();
        let deviation = (squares / (n - 1.0)).sqrt();
        // Not `<=`: a single seed has NaN.
        let spreads = deviation > 1e-9;
        spreads.then(|| {
            let effect = direction * (mean - margin) / deviation;
            let t = effect * n.sqrt();
            let p = student_t_above(t, n - 1.0);
            let quantiles = [0.975, 0.8].map(|p| student_t_quantile(p, n - 1.0));
            Self { t, p, holm_p: p, effect, detectable: (quantiles[0] + quantiles[1]) * deviation / n.sqrt() }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comparing::simulation::Random;

    fn close(got: f64, expected: f64) {
        assert!((got - expected).abs() < 1e-9, "{got}, expected {expected}");
    }

    #[test]
    fn by_hand() {
        // Mean 2, standard deviation 1: t = 2 sqrt 3, p = 1/2 - t / (2 sqrt(2 + t^2)) for two degrees of freedom.
        let test = SeedTest::of(&[1.0, 2.0, 3.0], 0.0, 1.0).expect("three seeds");
        close(test.t, 2.0 * 3_f64.sqrt());
        close(test.p, 0.5 - test.t / (2.0 * 14_f64.sqrt()));
        close(test.effect, 2.0);
    }

    /// From scipy.stats.ttest_1samp(differences, margin, alternative): margin, direction, t (with its sign turned for `less`), p.
    const SCIPY_T: [(f64, f64, f64, f64); 4] = [
        (0.0, -1.0, 16.636_000_773_597_317, 0.000_236_414_111_726_251_06),
        (-10.0, -1.0, 3.714_835_124_201_342_4, 0.016_963_969_028_165_93),
        (10.0, 1.0, -29.557_166_422_993_287, 0.999_957_472_913_679_3),
        (-14.0, 1.0, 1.453_631_135_557_047, 0.121_006_847_312_284_27),
    ];

    #[test]
    fn every_margin_has_its_side() {
        let differences = [-12.0, -15.0, -11.5, -13.0];
        for (margin, direction, t, p) in SCIPY_T {
            let test = SeedTest::of(&differences, margin, direction).expect("four seeds");
            close(test.t, t);
            close(test.p, p);
        }
    }

    #[test]
    fn what_is_detectable_is_detected_in_four_of_five_cases() {
        const RUNS: usize = 10_000;
        let mut random = Random::new(80);
        // Quantiles of two degrees of freedom from tables: 4.302653 and 1.060660.
        let test = SeedTest::of(&[1.0, 2.0, 3.0], 0.0, 1.0).expect("three seeds");
        assert!((test.detectable - (4.302653 + 1.060660) / 3_f64.sqrt()).abs() < 1e-6, "{test:?}");
        for seeds in [3, 5, 20] {
            // With a standard deviation of 1 in the population, not in the sample.
            let n = seeds as f64;
            let distance = [0.975, 0.8].map(|p| student_t_quantile(p, n - 1.0)).iter().sum::<f64>() / n.sqrt();
            let shown = (0..RUNS).filter(|_| {
                let differences: Vec<f64> = (0..seeds).map(|_| 5.0 + distance + random.normal()).collect();
                SeedTest::of(&differences, 5.0, 1.0).is_some_and(|test| test.p < 0.025)
            });
            let power = shown.count() as f64 / RUNS as f64;
            println!("{seeds} seeds: power {power:.3}");
            // The standard error of a simulated power is 0.004.
            assert!((0.75..0.82).contains(&power), "{seeds} seeds: {power}");
        }
    }

    #[test]
    fn without_spread_there_is_no_test() {
        for differences in [&[][..], &[5.0], &[5.0, 5.0, 5.0], &[0.1 + 0.2, 0.3]] {
            assert_eq!(SeedTest::of(differences, 0.0, 1.0), None, "{differences:?}");
        }
    }
}
