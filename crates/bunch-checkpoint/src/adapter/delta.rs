//! The product of an adapter's factors, added to a tensor of the model.

use std::sync::Arc;

use crate::Tensor;

/// What an adapter adds to one tensor: scale * B A, rows of B by columns of A.
#[derive(Debug)]
pub struct LowRankDelta {
    /// B, `[out, rank]`, times the scale.
    b: Vec<f32>,
    /// A, `[rank, in]`.
    a: Arc<Vec<f32>>,
    rank: usize,
    columns: usize,
    /// Whether the weight is stored `[in, out]`.
    is_transposed: bool,
}

impl LowRankDelta {
    /// `scale * B A` of the factors A `[rank, in]` and B `[out, rank]`, for a weight stored `[out, in]`.
    pub fn new(a: &Tensor, b: &Tensor, scale: f32) -> Self {
        let (rank, columns) = (a.shape[0], a.shape[1]);
        let b = b.data.iter().map(|value| value * scale).collect();
        Self { b, a: Arc::clone(&a.data), rank, columns, is_transposed: false }
    }

    /// The same for a weight stored `[in, out]`.
    pub(super) fn transposed(self) -> Self {
        Self { is_transposed: true, ..self }
    }

    /// Adds the entries from index `start` on to `out`.
    pub fn add_to(&self, start: usize, out: &mut [f32]) {
        if self.is_transposed {
            let rows = self.b.len() / self.rank;
            for (index, out) in (start..).zip(out) {
                let (column, row) = (index / rows, index % rows);
                let terms = (0..self.rank).map(|k| self.b[row * self.rank + k] * self.a[k * self.columns + column]);
                *out += terms.sum::<f32>();
            }
            return;
        }
        let (mut start, mut out) = (start, out);
        let mut sums = Vec::new();
        while !out.is_empty() {
            let (row, column) = (start / self.columns, start % self.columns);
            let len = (self.columns - column).min(out.len());
            let (now, later) = out.split_at_mut(len);
            sums.clear();
            sums.resize(len, 0.0_f32);
            for k in 0..self.rank {
                let factor = self.b[row * self.rank + k];
                let a = &self.a[k * self.columns + column..][..len];
                sums.iter_mut().zip(a).for_each(|(sum, a)| *sum += factor * a);
            }
            now.iter_mut().zip(&sums).for_each(|(out, sum)| *out += sum);
            (start, out) = (start + len, later);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_is_added_in_any_pieces_and_transposed() {
        let tensor = |shape: [usize; 2], data: &[f32]| Tensor { shape: shape.into(), data: Arc::new(data.to_vec()) };
        let (a, b) = (tensor([1, 3], &[1.0, 2.0, 3.0]), tensor([2, 1], &[10.0, -1.0]));
        let delta = LowRankDelta::new(&a, &b, 2.0);
        let mut whole = [1.0, 0.0, 0.0, 0.0, 0.0, 0.5];
        let mut pieces = whole;
        delta.add_to(0, &mut whole);
        assert_eq!(whole, [21.0, 40.0, 60.0, -2.0, -4.0, -5.5]);
        pieces.chunks_mut(4).enumerate().for_each(|(at, piece)| delta.add_to(4 * at, piece));
        assert_eq!(pieces, whole);
        let mut turned = [0.0; 6];
        LowRankDelta { is_transposed: true, ..delta }.add_to(0, &mut turned);
        assert_eq!(turned, [20.0, -2.0, 40.0, -4.0, 60.0, -6.0]);
    }
}
