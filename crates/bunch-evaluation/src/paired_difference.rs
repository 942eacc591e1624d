//! The difference between two models on the same prompts.

use crate::EvaluationError;
use serde::{Deserialize, Serialize};

/// Share of successes of `a` minus that of `b`, where both met the same prompts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairedDifference {
    /// Percent of `a` minus percent of `b`, in percentage points.
    pub difference_percent: f64,
    /// Its standard error, in percentage points: sqrt(n10 + n01 - (n10 - n01)^2 / n) / n. It uses that the prompts are
    /// shared and is smaller than that of two separate samples when both models succeed on the same prompts.
    pub stderr_percent: f64,
    /// Prompts on which `a` failed and `b` succeeded.
    pub n01: u64,
    /// Prompts on which `a` succeeded and `b` failed.
    pub n10: u64,
    /// Two-sided p-value of McNemar's exact test: how probable so uneven a split of the n01 + n10 differing prompts is if
    /// each falls either way with probability one half; 1 if none differs.
    pub mcnemar_p: f64,
}

/// Compares two models prompt by prompt: `a[i]` and `b[i]` say whether they succeeded on prompt `i`.
///
/// # Errors
/// No prompts, or another number of them in `b` than in `a`.
pub fn paired_difference(a: &[bool], b: &[bool]) -> Result<PairedDifference, EvaluationError> {
    EvaluationError::check_count("outcomes of the second model", a.len(), b.len())?;
    if a.is_empty() {
        return Err(EvaluationError::Empty { what: "outcomes" });
    }
    let count = |first, second| a.iter().zip(b).filter(|&(&x, &y)| x == first && y == second).count() as u64;
    let (n01, n10) = (count(false, true), count(true, false));
    let (n, plus, minus) = (a.len() as f64, n10 as f64, n01 as f64);
    let difference = plus - minus;
    Ok(PairedDifference {
        difference_percent: 100.0 * difference / n,
        stderr_percent: 100.0 * (plus + minus - difference * difference / n).max(0.0).sqrt() / n,
        n01,
        n10,
        mcnemar_p: mcnemar_p(n01, n10),
    })
}

/// Twice the probability of at most min(n01, n10) heads in n01 + n10 throws of a fair coin, at most 1.
fn mcnemar_p(n01: u64, n10: u64) -> f64 {
    let n = n01 + n10;
    // Terms C(n, i) / 2^n as logarithms: 2^n overflows beyond 1023 throws.
    let mut ln_term = -(n as f64) * std::f64::consts::LN_2;
    let mut tail = ln_term.exp();
    for i in 1..=n01.min(n10) {
        ln_term += ((n - i + 1) as f64 / i as f64).ln();
        tail += ln_term.exp();
    }
    (2.0 * tail).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::{mcnemar_p, paired_difference};
    use proptest::prelude::*;

    #[test]
    fn a_hand_computed_comparison() {
        // 3 both, 4 only a, 1 only b, 2 neither.
        let a = [true, true, true, true, true, true, true, false, false, false];
        let b = [true, true, true, false, false, false, false, true, false, false];
        let got = paired_difference(&a, &b).unwrap();
        assert_eq!((got.n01, got.n10), (1, 4));
        assert!((got.difference_percent - 30.0).abs() < 1e-12);
        assert!((got.stderr_percent - 100.0 * (5.0f64 - 0.9).sqrt() / 10.0).abs() < 1e-12);
        assert!((got.mcnemar_p - 0.375).abs() < 1e-12); // 2 (1 + 5) / 32
    }

    #[test]
    fn models_that_never_differ_differ_by_nothing() {
        let got = paired_difference(&[true, false], &[true, false]).unwrap();
        assert_eq!((got.difference_percent, got.stderr_percent, got.mcnemar_p), (0.0, 0.0, 1.0));
    }

    #[test]
    fn models_that_always_differ_one_way_have_no_variance_but_a_p_value() {
        let got = paired_difference(&[true; 5], &[false; 5]).unwrap();
        assert_eq!((got.difference_percent, got.stderr_percent), (100.0, 0.0));
        assert!((got.mcnemar_p - 0.0625).abs() < 1e-15); // 2 / 2^5
    }

    #[test]
    fn the_exact_test_is_capped_at_1_and_survives_many_prompts() {
        assert_eq!(mcnemar_p(3, 3), 1.0); // twice 42 / 64
        assert_eq!(mcnemar_p(5000, 5000), 1.0);
        let p = mcnemar_p(4900, 5100);
        // Normal approximation with continuity correction: z = 199 / 100, p = 0.0466.
        assert!((p - 0.0466).abs() < 1e-4, "{p}");
        assert_eq!(mcnemar_p(0, 5000), 0.0);
    }

    #[test]
    fn different_prompts_are_not_compared() {
        let error = paired_difference(&[true], &[true, false]).unwrap_err();
        assert_eq!(error.to_string(), "outcomes of the second model: expected 1, got 2");
        assert!(paired_difference(&[], &[]).is_err());
    }

    proptest! {
        #[test]
        fn exchanging_the_models_changes_the_sign_alone(pairs in prop::collection::vec(any::<(bool, bool)>(), 1..200)) {
            let (a, b): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
            let (ab, ba) = (paired_difference(&a, &b).unwrap(), paired_difference(&b, &a).unwrap());
            prop_assert_eq!(ab.difference_percent, -ba.difference_percent);
            prop_assert_eq!((ab.n01, ab.n10), (ba.n10, ba.n01));
            prop_assert_eq!((ab.stderr_percent, ab.mcnemar_p), (ba.stderr_percent, ba.mcnemar_p));
            prop_assert!(0.0 < ab.mcnemar_p && ab.mcnemar_p <= 1.0);
        }

        #[test]
        fn the_standard_error_is_that_of_the_differences(pairs in prop::collection::vec(any::<(bool, bool)>(), 1..200)) {
            let (a, b): (Vec<_>, Vec<_>) = pairs.iter().copied().unzip();
            let n = pairs.len() as f64;
            let d: Vec<f64> = pairs.iter().map(|&(x, y)| f64::from(u8::from(x)) - f64::from(u8::from(y))).collect();
            let mean = d.iter().sum::<f64>() / n;
            let variance = d.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
            let got = paired_difference(&a, &b).unwrap();
            prop_assert!((got.stderr_percent - 100.0 * (variance / n).sqrt()).abs() < 1e-6);
        }
    }
}
