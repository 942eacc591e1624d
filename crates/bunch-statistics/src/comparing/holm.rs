//! Holm's correction for several tests.

/// Holm's adjusted p-values: each `p` is compared with 5 % after this, and the chance of one false finding among all of
/// them is at most 5 %.
///
/// Holm 1979, Scandinavian Journal of Statistics 6:65: the k-th smallest of m is multiplied by m - k + 1, no adjusted value
/// is below one before it, and none is above 1. In the order given.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut adjusted = vec![0.0; p.len()];
    let mut largest: f64 = 0.0;
    for (rank, &index) in order.iter().enumerate() {
        largest = largest.max((p[index] * (p.len() - rank) as f64).min(1.0));
        adjusted[index] = largest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::holm;
    use proptest::prelude::*;

    #[test]
    fn holm_by_hand() {
        // Sorted 0.01, 0.02, 0.03, 0.5: times 4, 3, 2, 1, and 0.06 for the third, not less than the second.
        assert_eq!(holm(&[0.03, 0.01, 0.5, 0.02]), [0.06, 0.04, 0.5, 0.06]);
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
        assert!(holm(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn holm_is_never_below_the_p_and_never_above_bonferronis(p in prop::collection::vec(0.0..1.0_f64, 1..20)) {
            for (before, after) in p.iter().zip(holm(&p)) {
                prop_assert!(*before <= after && after <= (before * p.len() as f64).min(1.0));
            }
        }
    }
}
