//! How alike two models represent the same inputs.

/// Columns whose products are summed at a time, so that the other matrix is read once for all of them.
const COLUMNS: usize = 8;

/// Linear centred kernel alignment (Kornblith et al. 2019, Similarity of Neural Network Representations Revisited), in its
/// feature-space form: `|Y^T X|^2 / (|X^T X| |Y^T Y|)` with Frobenius norms and centred columns, 0 to 1.
///
/// `x` and `y` have `rows` rows of features of the same inputs, row by row; their widths may differ. Computed in f64. None
/// if one of them has no variance or a value that is not finite. It changes by neither rotation nor scaling of either
/// side's features.
///
/// # Panics
/// If the values do not fill `rows` rows.
pub fn linear_cka(x: &[f32], y: &[f32], rows: usize) -> Option<f64> {
    let (x, y) = (centred(x, rows)?, centred(y, rows)?);
    let (xx, yy) = (product_square(&x, &x, rows), product_square(&y, &y, rows));
    // One root of the product, not a product of roots: features are like themselves to the last bit.
    Some((product_square(&x, &y, rows) / (xx * yy).sqrt()).clamp(0.0, 1.0))
}

/// The matrix less the mean of each column, divided by its norm, which no measure depends on and which keeps fourth powers
/// in range.
fn centred(values: &[f32], rows: usize) -> Option<Vec<f64>> {
    assert!(if rows == 0 { values.is_empty() } else { values.len().is_multiple_of(rows) }, "full rows");
    let width = values.len() / rows.max(1);
    if width == 0 {
        return None;
    }
    let mut means = vec![0.0; width];
    for row in values.chunks_exact(width) {
        means.iter_mut().zip(row).for_each(|(mean, value)| *mean += f64::from(*value));
    }
    means.iter_mut().for_each(|mean| *mean /= rows as f64);
    let mut centred: Vec<f64> = Vec::with_capacity(values.len());
    for row in values.chunks_exact(width) {
        centred.extend(row.iter().zip(&means).map(|(value, mean)| f64::from(*value) - mean));
    }
    let norm = centred.iter().map(|value| value * value).sum::<f64>().sqrt();
    if norm == 0.0 || !norm.is_finite() {
        return None;
    }
    centred.iter_mut().for_each(|value| *value /= norm);
    Some(centred)
}

/// `|X^T Y|^2`, the sum of the squared inner products of the columns of both.
fn product_square(x: &[f64], y: &[f64], rows: usize) -> f64 {
    let (x_width, y_width) = (x.len() / rows, y.len() / rows);
    let mut square = 0.0;
    for start in (0..x_width).step_by(COLUMNS) {
        let columns = start..x_width.min(start + COLUMNS);
        let mut products = vec![0.0; columns.len() * y_width];
        for (x_row, y_row) in x.chunks_exact(x_width).zip(y.chunks_exact(y_width)) {
            for (factor, products) in x_row[columns.clone()].iter().zip(products.chunks_exact_mut(y_width)) {
                products.iter_mut().zip(y_row).for_each(|(product, value)| *product += factor * value);
            }
        }
        square += products.iter().map(|product| product * product).sum::<f64>();
    }
    square
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::linear_cka;

    #[test]
    fn by_hand() {
        // Centred: X = [-1, 0, 1], Y = [[-1, 1], [0, -2], [1, 1]]: Y^T X = [2, 0], X^T X = 2, Y^T Y = diag(2, 6).
        let cka = linear_cka(&[1.0, 2.0, 3.0], &[4.0, 1.0, 5.0, -2.0, 6.0, 1.0], 3).unwrap();
        assert!((cka - 4.0 / (2.0 * 40_f64.sqrt())).abs() < 1e-15, "{cka}");
        // Centred: X = [-1, 0, 1], Y = [1, -2, 1] are orthogonal.
        assert_eq!(linear_cka(&[1.0, 2.0, 3.0], &[1.0, -2.0, 1.0], 3), Some(0.0));
    }

    #[test]
    fn without_variance_there_is_none() {
        let constant = [0.1, 7.3, 0.1, 7.3, 0.1, 7.3];
        assert_eq!(linear_cka(&constant, &[1.0, 2.0, 3.0], 3), None);
        assert_eq!(linear_cka(&[1.0, 2.0, 3.0], &constant, 3), None);
        assert_eq!(linear_cka(&[1.0, 2.0], &[3.0, 4.0], 1), None, "one row");
        assert_eq!(linear_cka(&[], &[], 0), None);
        assert_eq!(linear_cka(&[1.0, f32::NAN], &[1.0, 2.0], 2), None);
    }

    #[test]
    fn the_largest_and_smallest_values_are_in_range() {
        for scale in [f32::MAX, f32::MIN_POSITIVE] {
            assert_eq!(linear_cka(&[scale, 0.0, -scale], &[1.0, 0.0, -1.0], 3).map(f32_of), Some(1.0));
        }
    }

    fn f32_of(value: f64) -> f32 {
        value as f32
    }

    const ROWS: usize = 7;
    const WIDTH: usize = 3;

    fn features() -> impl Strategy<Value = Vec<f32>> {
        let spread = |x: &Vec<f32>| x.iter().any(|value| (value - x[0]).abs() > 0.1);
        prop::collection::vec(-10.0_f32..10.0, ROWS * WIDTH).prop_filter("some variance", spread)
    }

    /// `x` with its features turned in the planes (0, 1) and (1, 2), and the last one reflected.
    fn turned(x: &[f32], angles: [f64; 2]) -> Vec<f32> {
        let mut turned: Vec<f32> = Vec::new();
        for row in x.chunks_exact(WIDTH) {
            let mut row: Vec<f64> = row.iter().map(|value| f64::from(*value)).collect();
            for (axis, angle) in angles.into_iter().enumerate() {
                let (a, b) = (row[axis], row[axis + 1]);
                (row[axis], row[axis + 1]) = (a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos());
            }
            turned.extend([row[0], row[1], -row[2]].map(|value| value as f32));
        }
        turned
    }

    proptest! {
        #[test]
        fn features_are_like_themselves(x in features()) {
            if let Some(cka) = linear_cka(&x, &x, ROWS) {
                prop_assert_eq!(cka, 1.0);
            }
        }

        #[test]
        fn neither_rotation_nor_scale_matters_nor_the_order(
            x in features(), y in features(), angles in prop::array::uniform2(0.0_f64..7.0), power in -20_i32..20,
        ) {
            if let Some(cka) = linear_cka(&x, &y, ROWS) {
                let close = |other: Option<f64>| other.is_some_and(|other| (other - cka).abs() < 1e-5);
                prop_assert!((0.0..=1.0).contains(&cka));
                prop_assert!(close(linear_cka(&y, &x, ROWS)));
                prop_assert!(close(linear_cka(&turned(&x, angles), &y, ROWS)));
                prop_assert!(close(linear_cka(&x, &turned(&y, angles), ROWS)));
                let scaled: Vec<f32> = x.iter().map(|value| value * 2_f32.powi(power)).collect();
                prop_assert!(close(linear_cka(&scaled, &y, ROWS)));
                let moved: Vec<f32> = x.iter().map(|value| value + 1.0).collect();
                prop_assert!(close(linear_cka(&moved, &y, ROWS)));
            }
        }
    }
}
