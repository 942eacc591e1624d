//! Eigendecomposition of a small symmetric matrix.

/// Eigenvalues and eigenvectors of the symmetric `matrix`, by cyclic Jacobi rotations (exact to rounding and, unlike a
/// library call, bit for bit the same everywhere). Eigenvector `k` is column `k` of the second result: `vectors[i][k]`.
pub(crate) fn decompose(matrix: &[Vec<f64>]) -> (Vec<f64>, Vec<Vec<f64>>) {
    /// Sweeps converge quadratically, so this is never reached for finite input; it bounds the loop for any other.
    const MAX_SWEEPS: usize = 60;
    let n = matrix.len();
    let mut a = matrix.to_vec();
    let mut vectors: Vec<Vec<f64>> = (0..n).map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect()).collect();
    for _ in 0..MAX_SWEEPS {
        let mut rotated = false;
        for p in 0..n {
            for q in p + 1..n {
                // Done when the off-diagonal entry no longer changes the diagonal ones.
                if a[p][q].abs() <= f64::EPSILON * (a[p][p].abs() * a[q][q].abs()).sqrt() {
                    continue;
                }
                rotated = true;
                let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
                let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
                let c = 1.0 / (t * t + 1.0).sqrt();
                let s = t * c;
                for row in &mut a {
                    (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
                }
                let (above, below) = a.split_at_mut(q);
                for (x, y) in above[p].iter_mut().zip(&mut below[0]) {
                    (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
                }
                // Zero by construction; storing it keeps rounding from bringing it back.
                (a[p][q], a[q][p]) = (0.0, 0.0);
                for row in &mut vectors {
                    (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
                }
            }
        }
        if !rotated {
            break;
        }
    }
    ((0..n).map(|i| a[i][i]).collect(), vectors)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hand_computed() {
        let (mut values, _) = decompose(&[vec![2.0, 1.0], vec![1.0, 2.0]]);
        values.sort_by(f64::total_cmp);
        assert!((values[0] - 1.0).abs() < 1e-15 && (values[1] - 3.0).abs() < 1e-15, "{values:?}");
        assert_eq!(decompose(&[vec![5.0]]), (vec![5.0], vec![vec![1.0]]));
    }

    proptest! {
        #[test]
        fn vectors_are_orthonormal_and_rebuild_the_matrix(n in 1..9_usize, entries in prop::collection::vec(-3.0..3.0_f64, 81)) {
            // A^T A + 0.1 I is symmetric and positive definite.
            let at = |i: usize, j: usize| entries[i * 9 + j];
            let matrix: Vec<Vec<f64>> = (0..n).map(|i| (0..n).map(|j| {
                (0..n).map(|k| at(k, i) * at(k, j)).sum::<f64>() + if i == j { 0.1 } else { 0.0 }
            }).collect()).collect();
            let (values, vectors) = decompose(&matrix);
            for i in 0..n {
                for j in 0..n {
                    let rebuilt: f64 = (0..n).map(|k| vectors[i][k] * values[k] * vectors[j][k]).sum();
                    prop_assert!((rebuilt - matrix[i][j]).abs() < 1e-10, "{rebuilt} {}", matrix[i][j]);
                    let product: f64 = (0..n).map(|k| vectors[k][i] * vectors[k][j]).sum();
                    prop_assert!((product - f64::from(u8::from(i == j))).abs() < 1e-12);
                }
            }
        }
    }
}
