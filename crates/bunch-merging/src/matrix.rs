//! A tensor as a matrix: bands that fit into memory, and products of such bands.
//!
//! Sums run over rows in their order, in 64 bits, one entry after the other: neither how a matrix is cut into bands nor the
//! processor changes a bit.

use crate::block::Block;
use crate::error::MergeError;
use crate::tensor::{Cut, TensorAcrossModels};

/// Entries of a band, about: large enough that a product has something to do, small enough to be held for each model.
const BAND: usize = 1 << 18;

/// A tensor of two or more dimensions as a matrix: the last dimension gives the columns, the others the rows.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'t, 'a> {
    tensor: &'t TensorAcrossModels<'a>,
    rows: usize,
    columns: usize,
}

/// Some columns of all models, each column's entries one after the other.
#[derive(Debug)]
pub struct Columns {
    /// The first column.
    pub first: usize,
    /// How many there are.
    pub count: usize,
    /// Of the base; nothing without one.
    pub base: Vec<f32>,
    /// Of each expert.
    pub experts: Vec<Vec<f32>>,
}

impl<'a> TensorAcrossModels<'a> {
    /// The tensor as a matrix; `None` for a vector, a scalar and what has no entries.
    pub fn matrix(&self) -> Option<Matrix<'_, 'a>> {
        let columns = self.row_len();
        (self.shape.len() > 1 && !self.is_empty()).then(|| Matrix { tensor: self, rows: self.len() / columns, columns })
    }
}

impl Matrix<'_, '_> {
    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Calls `visit` with bands of whole rows, in order. One pass over the data of all models.
    pub(crate) fn each_band_of_rows(&self, mut visit: impl FnMut(&Block<'_>)) -> Result<(), MergeError> {
        self.tensor.visit(0..self.tensor.len(), Cut::Bands(band(self.columns)), |block| {
            visit(block);
            Ok(())
        })
    }

    /// Calls `visit` with bands of whole columns, in order. One pass over the data of all models, in pieces of rows.
    pub(crate) fn each_band_of_columns(&self, mut visit: impl FnMut(&Columns)) -> Result<(), MergeError> {
        let step = band(self.rows);
        for first in (0..self.columns).step_by(step) {
            let count = step.min(self.columns - first);
            let band = || vec![0.0; count * self.rows];
            let base = if self.tensor.base.is_some() { band() } else { Vec::new() };
            let mut columns =
                Columns { first, count, base, experts: self.tensor.experts.iter().map(|_| band()).collect() };
            for row in 0..self.rows {
                let start = row * self.columns + first;
                self.tensor.visit(start..start + count, Cut::Bands(count), |block| {
                    let models = [(block.base(), &mut columns.base)].into_iter();
                    let experts = columns.experts.iter_mut().enumerate().map(|(index, out)| (block.expert(index), out));
                    for (values, out) in models.chain(experts) {
                        values.iter().enumerate().for_each(|(column, value)| out[column * self.rows + row] = *value);
                    }
                    Ok(())
                })?;
            }
            visit(&columns);
        }
        Ok(())
    }
}

/// How many rows (or columns) of this length make a band.
pub(crate) fn band(len: usize) -> usize {
    (BAND / len.max(1)).clamp(1, 64)
}

/// Adds the product of the transpose of `a` with `b`, two bands of rows of `columns` entries: `sums[i][j]` grows by the sum of
/// `a[row][i] * b[row][j]` over the rows in their order.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
pub(crate) fn add_product_of_transpose(a: &[f32], b: &[f32], columns: usize, sums: &mut [f64]) {
    const TILE: usize = 256;
    for from in (0..columns).step_by(TILE) {
        let to = columns.min(from + TILE);
        for (i, sums) in sums.chunks_exact_mut(columns).enumerate() {
            let sums = &mut sums[from..to];
            for (a, b) in a.chunks_exact(columns).zip(b.chunks_exact(columns)) {
                let factor = f64::from(a[i]);
                for (sum, value) in sums.iter_mut().zip(&b[from..to]) {
                    *sum += factor * f64::from(*value);
                }
            }
        }
    }
}

/// Writes the product of `a`, a band of rows, with the square matrix `m`: `out[row][j]` is the sum of `a[row][i] * m[i][j]`
/// over `i` in its order.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
pub(crate) fn write_product(a: &[f32], m: &[f64], columns: usize, out: &mut [f64]) {
    const TILE: usize = 256;
    out.fill(0.0);
    for from in (0..columns).step_by(TILE) {
        let to = columns.min(from + TILE);
        for (i, m) in m.chunks_exact(columns).enumerate() {
            for (a, out) in a.chunks_exact(columns).zip(out.chunks_exact_mut(columns)) {
                let factor = f64::from(a[i]);
                for (sum, value) in out[from..to].iter_mut().zip(&m[from..to]) {
                    *sum += factor * value;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{add_product_of_transpose, write_product};
    use crate::tensor::TensorAcrossModels;
    use crate::values::Values;

    fn matrix(rows: usize, columns: usize, seed: u32) -> Vec<f32> {
        let value =
            |index: usize| ((index as u32).wrapping_mul(2_654_435_761).wrapping_add(seed) >> 20) as f32 / 512.0 - 4.0;
        (0..rows * columns).map(value).collect()
    }

    /// Sums in the order of the rows, written as the definition says.
    fn by_definition(a: &[f32], b: &[f32], columns: usize) -> Vec<f64> {
        let rows = a.len() / columns;
        let entry = |i: usize, j: usize| -> f64 {
            (0..rows).fold(0.0, |sum, row| sum + f64::from(a[row * columns + i]) * f64::from(b[row * columns + j]))
        };
        (0..columns * columns).map(|index| entry(index / columns, index % columns)).collect()
    }

    #[test]
    fn products_are_those_of_the_definition_in_any_bands() {
        for (rows, columns) in [(1, 1), (3, 5), (70, 300), (130, 7)] {
            let (a, b) = (matrix(rows, columns, 1), matrix(rows, columns, 2));
            let expected = by_definition(&a, &b, columns);
            for band in [1, 2, 64, rows] {
                let mut sums = vec![0.0; columns * columns];
                let len = band * columns;
                a.chunks(len).zip(b.chunks(len)).for_each(|(a, b)| add_product_of_transpose(a, b, columns, &mut sums));
                assert_eq!(sums, expected, "{rows} x {columns} in bands of {band}");
            }
            let mut product = vec![f64::NAN; rows * columns];
            write_product(&a, &expected, columns, &mut product);
            let entry = |row: usize, j: usize| -> f64 {
                (0..columns).fold(0.0, |sum, i| sum + f64::from(a[row * columns + i]) * expected[i * columns + j])
            };
            let by_hand: Vec<f64> = (0..rows * columns).map(|index| entry(index / columns, index % columns)).collect();
            assert_eq!(product, by_hand);
        }
    }

    #[test]
    fn bands_cover_the_matrix_once() {
        let (rows, columns) = (130, 70);
        let (base, expert) = (matrix(rows, columns, 1), matrix(rows, columns, 2));
        let (shape, experts) = ([10, 13, columns], [Values::from(&expert)]);
        let tensor = TensorAcrossModels::new("a.weight", &shape, Some(Values::from(&base)), &experts);
        let matrix = tensor.matrix().expect("three dimensions");
        assert_eq!((matrix.rows(), matrix.columns()), (rows, columns));
        let mut seen = Vec::new();
        matrix.each_band_of_rows(|band| seen.extend_from_slice(band.expert(0))).expect("in memory");
        assert_eq!(seen, expert);
        let mut seen = vec![f32::NAN; rows * columns];
        let mut transpose = |columns_of: &super::Columns| {
            for column in 0..columns_of.count {
                for row in 0..rows {
                    seen[row * columns + columns_of.first + column] = columns_of.base[column * rows + row];
                }
            }
        };
        matrix.each_band_of_columns(&mut transpose).expect("in memory");
        assert_eq!(seen, base);
        assert!(TensorAcrossModels::new("a", &[3], None, &[]).matrix().is_none());
    }
}
