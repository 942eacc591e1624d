//! The spread of a number between seeds.

use crate::{EvaluationError, Interval};
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

/// Mean and standard deviation of one number over independent runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spread {
    /// Runs, at least 1.
    pub n: usize,
    /// Mean, in the number's unit.
    pub mean: f64,
    /// Sample standard deviation (divisor n - 1), in the number's unit; absent for a single run.
    pub sd: Option<f64>,
}

impl Spread {
    /// The spread of `values`.
    ///
    /// # Errors
    /// No value, or one that is not finite.
    pub fn of(values: &[f64]) -> Result<Self, EvaluationError> {
        if let Some((index, &value)) = values.iter().enumerate().find(|(_, value)| !value.is_finite()) {
            return Err(EvaluationError::NotANumber { what: "value", index, value });
        }
        if values.is_empty() {
            return Err(EvaluationError::Empty { what: "values" });
        }
        let n = values.len();
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        Ok(Self { n, mean, sd: (n > 1).then(|| (squares / (n - 1) as f64).sqrt()) })
    }

    /// Student's interval of the mean: mean +- t sd / sqrt(n), with n - 1 degrees of freedom.
    ///
    /// # Errors
    /// A single run, or a `confidence` outside (0, 1).
    pub fn t_interval(&self, confidence: f64) -> Result<Interval, EvaluationError> {
        if !(confidence > 0.0 && confidence < 1.0) {
            return Err(EvaluationError::Confidence { confidence });
        }
        let sd = self.sd.ok_or(EvaluationError::TooFewValues { n: self.n })?;
        let half = t_quantile(confidence, self.n - 1) * sd / (self.n as f64).sqrt();
        Ok(Interval { low: self.mean - half, high: self.mean + half })
    }
}

/// The t with P(|T| < t) = `confidence`, by bisection.
fn t_quantile(confidence: f64, degrees: usize) -> f64 {
    // The angle theta = atan(t / sqrt(degrees)) runs over the finite interval (0, pi / 2), t itself does not.
    let (mut low, mut high) = (0.0, PI / 2.0);
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        if t_probability(middle, degrees) < confidence { low = middle } else { high = middle }
    }
    (0.5 * (low + high)).tan() * (degrees as f64).sqrt()
}

/// P(|T| < tan(theta) sqrt(degrees)): the finite sums for whole degrees of freedom (Abramowitz and Stegun 26.7.3, 26.7.4).
fn t_probability(theta: f64, degrees: usize) -> f64 {
    let (sin, cos) = theta.sin_cos();
    let odd = degrees % 2 == 1;
    // Odd: cos + 2/3 cos^3 + (2 4)/(3 5) cos^5 + ...; even: 1 + 1/2 cos^2 + (1 3)/(2 4) cos^4 + ...; up to cos^(degrees - 2).
    let mut term = if odd { cos } else { 1.0 };
    let mut sum = 0.0;
    let mut power = if odd { 1 } else { 0 };
    while power + 2 <= degrees {
        sum += term;
        term *= cos * cos * (power + 1) as f64 / (power + 2) as f64;
        power += 2;
    }
    if odd { 2.0 / PI * (theta + sin * sum) } else { sin * sum }
}

#[cfg(test)]
mod tests {
    use super::{Spread, t_quantile};
    use proptest::prelude::*;

    #[test]
    fn a_hand_computed_spread() {
        let spread = Spread::of(&[2.0, 4.0, 9.0]).unwrap();
        assert_eq!((spread.n, spread.mean), (3, 5.0));
        assert!((spread.sd.unwrap() - 13.0f64.sqrt()).abs() < 1e-12); // (9 + 1 + 16) / 2
        // Two degrees of freedom: P(|T| < t) = t / sqrt(2 + t^2), so t = 0.6 sqrt(2) / 0.8 at 60 %.
        let half = 0.75 * 2.0f64.sqrt() * (13.0f64 / 3.0).sqrt();
        let interval = spread.t_interval(0.6).unwrap();
        assert!((interval.low - (5.0 - half)).abs() < 1e-9);
        assert!((interval.high - (5.0 + half)).abs() < 1e-9);
    }

    #[test]
    fn quantiles_are_those_of_the_printed_tables() {
        let table = [(1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (5, 2.571), (9, 2.262), (10, 2.228), (30, 2.042)];
        for (degrees, expected) in table {
            let got = t_quantile(0.95, degrees);
            assert!((got - expected).abs() < 5.1e-4, "{degrees}: {got}");
        }
        assert!((t_quantile(0.99, 2) - 9.925).abs() < 5.1e-4);
        assert!((t_quantile(0.5, 1) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn one_run_has_a_mean_but_no_spread() {
        let spread = Spread::of(&[7.0]).unwrap();
        assert_eq!((spread.mean, spread.sd), (7.0, None));
        assert_eq!(spread.t_interval(0.95).unwrap_err().to_string(), "interval: expected at least 2 values, got 1");
    }

    #[test]
    fn equal_runs_have_an_interval_of_no_width() {
        let interval = Spread::of(&[3.0; 4]).unwrap().t_interval(0.95).unwrap();
        assert_eq!((interval.low, interval.high), (3.0, 3.0));
    }

    #[test]
    fn bad_input_is_an_error() {
        assert!(Spread::of(&[]).is_err());
        assert_eq!(Spread::of(&[1.0, f64::NAN]).unwrap_err().to_string(), "value 1: got NaN");
        for confidence in [0.0, 1.0, -1.0, f64::NAN] {
            assert!(Spread::of(&[1.0, 2.0]).unwrap().t_interval(confidence).is_err(), "{confidence}");
        }
    }

    proptest! {
        #[test]
        fn the_interval_moves_and_stretches_with_the_values(
            values in prop::collection::vec(-10.0..10.0f64, 2..12), shift in -5.0..5.0f64, scale in 0.1..5.0f64,
        ) {
            let interval = Spread::of(&values).unwrap().t_interval(0.9).unwrap();
            let moved: Vec<f64> = values.iter().map(|value| value * scale + shift).collect();
            let expected = Spread::of(&moved).unwrap().t_interval(0.9).unwrap();
            prop_assert!((interval.low * scale + shift - expected.low).abs() < 1e-6);
            prop_assert!((interval.high * scale + shift - expected.high).abs() < 1e-6);
        }

        #[test]
        fn more_degrees_of_freedom_and_less_confidence_narrow_it(degrees in 1usize..60, confidence in 0.05..0.99) {
            prop_assert!(t_quantile(confidence, degrees + 1) < t_quantile(confidence, degrees));
            prop_assert!(t_quantile(confidence, degrees) < t_quantile(confidence + 0.005, degrees));
        }
    }
}
