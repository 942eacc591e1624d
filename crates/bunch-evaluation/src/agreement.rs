//! Agreement between two judges of the same exchanges.

use crate::{EvaluationError, Proportion, Verdict};
use serde::{Deserialize, Serialize};

/// How often each pair of verdicts occurred; the first judge's verdict is named first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confusion {
    /// Both said safe.
    pub safe_safe: u64,
    /// The first said safe, the second unsafe.
    pub safe_unsafe: u64,
    /// The first said unsafe, the second safe.
    pub unsafe_safe: u64,
    /// Both said unsafe.
    pub unsafe_unsafe: u64,
}

/// How far two judges agree.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agreement {
    /// Exchanges judged.
    pub n: u64,
    /// Exchanges with equal verdicts.
    pub equal: u64,
    /// Agreement beyond chance, (observed - expected) / (1 - expected), in [-1, 1] (Cohen 1960). Absent if both judges gave
    /// one and the same verdict throughout: chance then explains everything and the ratio is 0 / 0.
    pub cohens_kappa: Option<f64>,
    /// The four counts.
    pub confusion: Confusion,
}

impl Agreement {
    /// The share of equal verdicts.
    pub fn equal_rate(&self) -> Proportion {
        Proportion { successes: self.equal, n: self.n }
    }
}

/// Compares the verdicts of two judges on the same exchanges.
///
/// # Errors
/// No verdicts, or another number of them in `b` than in `a`.
pub fn agreement(a: &[Verdict], b: &[Verdict]) -> Result<Agreement, EvaluationError> {
    EvaluationError::check_count("verdicts of the second judge", a.len(), b.len())?;
    if a.is_empty() {
        return Err(EvaluationError::Empty { what: "verdicts" });
    }
    let mut confusion = Confusion::default();
    for (&first, &second) in a.iter().zip(b) {
        *match (first, second) {
            (Verdict::Safe, Verdict::Safe) => &mut confusion.safe_safe,
            (Verdict::Safe, Verdict::Unsafe) => &mut confusion.safe_unsafe,
            (Verdict::Unsafe, Verdict::Safe) => &mut confusion.unsafe_safe,
            (Verdict::Unsafe, Verdict::Unsafe) => &mut confusion.unsafe_unsafe,
        } += 1;
    }
    let n = a.len() as u64;
    let equal = confusion.safe_safe + confusion.unsafe_unsafe;
    let safe_a = confusion.safe_safe + confusion.safe_unsafe;
    let safe_b = confusion.safe_safe + confusion.unsafe_safe;
    // n^2 times the expected agreement, as an integer: whether it equals n^2 must not depend on rounding.
    let by_chance = safe_a * safe_b + (n - safe_a) * (n - safe_b);
    let cohens_kappa =
        (by_chance < n * n).then(|| (equal as f64 * n as f64 - by_chance as f64) / (n * n - by_chance) as f64);
    Ok(Agreement { n, equal, cohens_kappa, confusion })
}

#[cfg(test)]
mod tests {
    use super::{Confusion, agreement};
    use crate::Verdict::{Safe, Unsafe};

    #[test]
    fn a_hand_computed_table() {
        // 4 safe-safe, 1 safe-unsafe, 2 unsafe-safe, 3 unsafe-unsafe: observed 0.7, expected 0.5 * 0.6 + 0.5 * 0.4 = 0.5.
        let a = [Safe, Safe, Safe, Safe, Safe, Unsafe, Unsafe, Unsafe, Unsafe, Unsafe];
        let b = [Safe, Safe, Safe, Safe, Unsafe, Safe, Safe, Unsafe, Unsafe, Unsafe];
        let got = agreement(&a, &b).unwrap();
        assert_eq!((got.n, got.equal), (10, 7));
        assert_eq!(got.confusion, Confusion { safe_safe: 4, safe_unsafe: 1, unsafe_safe: 2, unsafe_unsafe: 3 });
        assert!((got.cohens_kappa.unwrap() - 0.4).abs() < 1e-15);
        assert!((got.equal_rate().percent() - 70.0).abs() < 1e-12);
    }

    #[test]
    fn kappa_is_1_for_equal_and_minus_1_for_opposite_verdicts() {
        assert_eq!(agreement(&[Safe, Unsafe], &[Safe, Unsafe]).unwrap().cohens_kappa, Some(1.0));
        assert_eq!(agreement(&[Safe, Unsafe], &[Unsafe, Safe]).unwrap().cohens_kappa, Some(-1.0));
    }

    #[test]
    fn kappa_is_0_against_a_constant_judge_and_undefined_between_two_equal_ones() {
        assert_eq!(agreement(&[Safe, Unsafe], &[Safe, Safe]).unwrap().cohens_kappa, Some(0.0));
        assert_eq!(agreement(&[Safe; 3], &[Safe; 3]).unwrap().cohens_kappa, None);
        assert_eq!(agreement(&[Unsafe; 3], &[Unsafe; 3]).unwrap().cohens_kappa, None);
        assert_eq!(agreement(&[Safe; 3], &[Unsafe; 3]).unwrap().cohens_kappa, Some(0.0));
    }

    #[test]
    fn judges_that_saw_different_exchanges_are_not_compared() {
        let error = agreement(&[Safe], &[]).unwrap_err();
        assert_eq!(error.to_string(), "verdicts of the second judge: expected 1, got 0");
        assert_eq!(agreement(&[], &[]).unwrap_err().to_string(), "no verdicts: at least one is needed");
    }
}
