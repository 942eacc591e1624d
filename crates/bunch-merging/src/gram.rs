//! Norms and angles of the models: inner products, added up block by block.

use crate::block::Block;

/// Which vectors a [`Gram`] is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::enum_variant_names, reason = "task vectors are called so everywhere")]
pub(crate) enum Vectors {
    /// The base, then the experts.
    Models,
    /// The experts.
    Experts,
    /// The task vectors of the experts.
    TaskVectors,
}

/// The inner products of some vectors with each other, accumulated in 64 bits in a fixed order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Gram {
    count: usize,
    /// Row-major, symmetric.
    products: Vec<f64>,
}

impl Gram {
    /// Of `count` zero vectors.
    pub(crate) fn zero(count: usize) -> Self {
        Self { count, products: vec![0.0; count * count] }
    }

    /// Of the vectors of one block, which may be a row.
    pub(crate) fn of_block(block: &Block<'_>, vectors: Vectors, scratch: &mut Vec<f32>) -> Self {
        let mut gram = Self::zero(block.experts() + usize::from(vectors == Vectors::Models));
        scratch.resize(block.experts() * block.len(), 0.0);
        gram.add_block(block, vectors, scratch);
        gram.mirror();
        gram
    }

    /// The inner product of two vectors.
    pub(crate) fn product(&self, a: usize, b: usize) -> f64 {
        self.products[a * self.count + b]
    }

    /// The length of a vector.
    pub(crate) fn norm(&self, vector: usize) -> f64 {
        self.product(vector, vector).sqrt()
    }

    /// The number of vectors.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// The inner product of a vector with a sum of the vectors, given by its coefficients.
    pub(crate) fn product_with_sum(&self, vector: usize, coefficients: &[f64]) -> f64 {
        coefficients.iter().enumerate().map(|(other, coefficient)| coefficient * self.product(vector, other)).sum()
    }

    /// The length of a sum of the vectors, given by its coefficients; rounding below zero counts as zero.
    pub(crate) fn norm_of_sum(&self, coefficients: &[f64]) -> f64 {
        let product = |(vector, coefficient)| coefficient * self.product_with_sum(vector, coefficients);
        coefficients.iter().enumerate().map(product).sum::<f64>().max(0.0).sqrt()
    }

    /// Adds the products of a block to the upper triangle. `scratch` holds as many values as all experts have there.
    pub(crate) fn add_block(&mut self, block: &Block<'_>, vectors: Vectors, scratch: &mut [f32]) {
        let count = self.count;
        if vectors == Vectors::TaskVectors {
            for (expert, deltas) in scratch.chunks_exact_mut(block.len()).take(block.experts()).enumerate() {
                block.task_vector(expert, deltas);
            }
        }
        let vector = |index: usize| match vectors {
            Vectors::Models if index == 0 => block.base(),
            Vectors::Models => block.expert(index - 1),
            Vectors::Experts => block.expert(index),
            Vectors::TaskVectors => &scratch[index * block.len()..][..block.len()],
        };
        for a in 0..count {
            for b in a..count {
                self.products[a * count + b] += dot(vector(a), vector(b));
            }
        }
    }

    /// Copies the upper triangle to the lower.
    pub(crate) fn mirror(&mut self) {
        for a in 0..self.count {
            for b in 0..a {
                self.products[a * self.count + b] = self.products[b * self.count + a];
            }
        }
    }
}

/// The inner product of two vectors of equal length, accumulated in a fixed number of 64-bit lanes: fast, and the same
/// on every machine.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f64 {
    const LANES: usize = 8;
    let mut sums = [0.0; LANES];
    let (a, b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f64 = a.remainder().iter().zip(b.remainder()).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
    for (a, b) in a.zip(b) {
        for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
            *sum += f64::from(a) * f64::from(b);
        }
    }
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::{Gram, Vectors, dot};
    use crate::block::Block;

    #[test]
    fn products_of_models_and_task_vectors() {
        let base: &[f32] = &[1.0, 0.0, 2.0];
        let experts: [&[f32]; 2] = [&[1.0, 2.0, 2.0], &[0.0, 0.0, -1.0]];
        let block = Block { start: 0, offset: 0, len: 3, base: Some(base), experts: &experts };
        let models = Gram::of_block(&block, Vectors::Models, &mut Vec::new());
        assert_eq!((models.product(0, 1), models.product(1, 0), models.product(0, 0)), (5.0, 5.0, 5.0));
        let deltas = Gram::of_block(&block, Vectors::TaskVectors, &mut Vec::new());
        // [0, 2, 0] and [-1, 0, -3].
        assert_eq!((deltas.norm(0), deltas.product(0, 1), deltas.product(1, 1)), (2.0, 0.0, 10.0));
        assert_eq!((deltas.product_with_sum(0, &[3.0, 1.0]), deltas.product_with_sum(1, &[3.0, 1.0])), (12.0, 10.0));
        assert_eq!(deltas.norm_of_sum(&[2.0, 0.0]), 4.0);
    }

    #[test]
    fn lanes_miss_nothing() {
        let counting: Vec<f32> = (1..=19_u8).map(f32::from).collect();
        assert_eq!(dot(&counting, &[1.0; 19]), 190.0);
    }
}
