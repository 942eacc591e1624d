//! Agreement between two raters of the same items.

use serde::{Deserialize, Serialize};

use crate::counting::{Share, StatisticsError};

/// How far two raters agree, each of whom said yes or no of every item.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agreement {
    /// Items of which both said the same.
    pub equal: Share,
    /// Agreement beyond chance, (observed - expected) / (1 - expected), in [-1, 1] (Cohen 1960). Absent if both raters gave
    /// one and the same answer throughout: chance then explains everything and the ratio is 0 / 0.
    pub cohens_kappa: Option<f64>,
}

impl Agreement {
    /// Compares the answers of two raters to the same items.
    ///
    /// # Errors
    /// No items, or another number of them in `b` than in `a`.
    pub fn of(a: &[bool], b: &[bool]) -> Result<Self, StatisticsError> {
        StatisticsError::check_pairs("answers", "answers of the second rater", a.len(), b.len())?;
        let count = |answers: &[bool]| answers.iter().filter(|&&answer| answer).count() as u64;
        let n = a.len() as u64;
        let equal = a.iter().zip(b).filter(|(one, other)| one == other).count() as u64;
        let (yes_a, yes_b) = (count(a), count(b));
        // n^2 times the expected agreement, as an integer: whether it equals n^2 must not depend on rounding.
        let by_chance = yes_a * yes_b + (n - yes_a) * (n - yes_b);
        let cohens_kappa =
            (by_chance < n * n).then(|| (equal as f64 * n as f64 - by_chance as f64) / (n * n - by_chance) as f64);
        Ok(Self { equal: Share::new(equal, n)?, cohens_kappa })
    }
}

#[cfg(test)]
mod tests {
    use super::Agreement;

    #[test]
    fn a_hand_computed_table() {
        // 4 both, 1 only the first, 2 only the second, 3 neither: observed 0.7, expected 0.5 * 0.6 + 0.5 * 0.4 = 0.5.
        let a = [true, true, true, true, true, false, false, false, false, false];
        let b = [true, true, true, true, false, true, true, false, false, false];
        let got = Agreement::of(&a, &b).unwrap();
        assert_eq!((got.equal.successes, got.equal.n, got.equal.percent), (7, 10, 70.0));
        assert!((got.cohens_kappa.unwrap() - 0.4).abs() < 1e-15);
    }

    #[test]
    fn kappa_is_1_for_equal_and_minus_1_for_opposite_answers() {
        assert_eq!(Agreement::of(&[true, false], &[true, false]).unwrap().cohens_kappa, Some(1.0));
        assert_eq!(Agreement::of(&[true, false], &[false, true]).unwrap().cohens_kappa, Some(-1.0));
    }

    #[test]
    fn kappa_is_0_against_a_constant_rater_and_undefined_between_two_equal_ones() {
        assert_eq!(Agreement::of(&[true, false], &[true, true]).unwrap().cohens_kappa, Some(0.0));
        assert_eq!(Agreement::of(&[true; 3], &[true; 3]).unwrap().cohens_kappa, None);
        assert_eq!(Agreement::of(&[false; 3], &[false; 3]).unwrap().cohens_kappa, None);
        assert_eq!(Agreement::of(&[true; 3], &[false; 3]).unwrap().cohens_kappa, Some(0.0));
    }

    #[test]
    fn raters_of_different_items_are_not_compared() {
        let error = Agreement::of(&[true], &[]).unwrap_err();
        assert_eq!(error.to_string(), "answers of the second rater: expected 1, got 0");
        assert_eq!(Agreement::of(&[], &[]).unwrap_err().to_string(), "no answers: at least one is needed");
    }
}
