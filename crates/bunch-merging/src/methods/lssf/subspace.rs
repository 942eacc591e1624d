//! The directions in which a matrix is largest, by subspace iteration.

use super::ALIGNED;
use crate::block::subtract;
use crate::error::MergeError;
use crate::matrix::Matrix;
use rand::RngExt as _;

/// Directions beyond those asked for: the more, the fewer passes it takes.
const OVERSAMPLING: usize = 8;
const MOST_PASSES: usize = 100;
/// Relative to the sum of the squared singular values that are wanted.
const TOLERANCE: f64 = 1e-12;
const MOST_SWEEPS: usize = 60;

/// Orthonormal vectors of as many entries as a matrix has columns.
#[derive(Debug)]
pub(super) struct Directions {
    columns: usize,
    /// One after the other; none if they span everything.
    vectors: Option<Vec<f64>>,
}

impl Directions {
    /// How many vectors are held while `rank` are looked for.
    pub(super) fn width(rank: usize, columns: usize) -> usize {
        (rank + OVERSAMPLING).min(columns)
    }

    /// Every direction.
    pub(super) fn all(columns: usize) -> Self {
        Self { columns, vectors: None }
    }

    /// Random ones.
    pub(super) fn random(tensor: &str, columns: usize, rank: usize, seed: u64) -> Self {
        if rank >= columns {
            return Self::all(columns);
        }
        Self { columns, vectors: Some(drawn(tensor, columns, rank, seed)) }
    }

    /// The right singular vectors of the largest singular values of the aligned model minus the base.
    pub(super) fn leading(tensor: &str, matrix: Matrix<'_, '_>, rank: usize) -> Result<Self, MergeError> {
        let columns = matrix.columns();
        if rank >= columns {
            return Ok(Self::all(columns));
        }
        let width = Self::width(rank, columns);
        let mut vectors = drawn(tensor, columns, width, 0);
        let mut sum = 0.0;
        for _ in 0..MOST_PASSES {
            let mut products = vec![0.0; width * columns];
            matrix.each_band_of_rows(|band| {
                let mut change = vec![0.0; band.len()];
                subtract(band.expert(ALIGNED), band.base(), &mut change);
                change.chunks_exact(columns).for_each(|row| add_square(row, &vectors, &mut products));
            })?;
            let of_subspace: Vec<f64> = (0..width * width)
                .map(|index| {
                    inner(
                        &vectors[index / width * columns..][..columns],
                        &products[index % width * columns..][..columns],
                    )
                })
                .collect();
            let (values, rotation) = eigen(of_subspace, width);
            vectors.fill(0.0);
            for (vector, coefficients) in vectors.chunks_exact_mut(columns).zip(rotation.chunks_exact(width)) {
                for (product, coefficient) in products.chunks_exact(columns).zip(coefficients) {
                    add_multiple(*coefficient, product, vector);
                }
            }
            orthonormalise(&mut vectors, columns);
            let before = std::mem::replace(&mut sum, values[..rank].iter().sum());
            if (sum - before).abs() <= TOLERANCE * sum {
                break;
            }
        }
        vectors.truncate(rank * columns);
        Ok(Self { columns, vectors: Some(vectors) })
    }

    /// Writes what a row has in these directions to `out`, which is zero.
    pub(super) fn project(&self, row: &[f32], out: &mut [f64]) {
        match &self.vectors {
            None => out.iter_mut().zip(row).for_each(|(out, value)| *out = f64::from(*value)),
            Some(vectors) => {
                for vector in vectors.chunks_exact(self.columns) {
                    add_multiple(inner_with_row(row, vector), vector, out);
                }
            }
        }
    }
}

/// Random orthonormal vectors.
fn drawn(tensor: &str, columns: usize, count: usize, seed: u64) -> Vec<f64> {
    let mut stream = bunch_random::stream(seed, &["lssf", tensor]);
    let mut vectors: Vec<f64> = (0..count * columns).map(|_| stream.random_range(-1.0..1.0)).collect();
    orthonormalise(&mut vectors, columns);
    vectors
}

/// Gram and Schmidt's way, twice for its rounding; what depends on the vectors before becomes zero.
fn orthonormalise(vectors: &mut [f64], columns: usize) {
    for index in 0..vectors.len() / columns {
        let (before, rest) = vectors.split_at_mut(index * columns);
        let vector = &mut rest[..columns];
        let length = inner(vector, vector).sqrt();
        for _ in 0..2 {
            for other in before.chunks_exact(columns) {
                let along = inner(vector, other);
                add_multiple(-along, other, vector);
            }
        }
        let left = inner(vector, vector).sqrt();
        let factor = if left > 1e-12 * length { left.recip() } else { 0.0 };
        vector.iter_mut().for_each(|value| *value *= factor);
    }
}

/// Adds the row's outer product with itself, times each vector, to the products.
fn add_square(row: &[f32], vectors: &[f64], products: &mut [f64]) {
    for (vector, product) in vectors.chunks_exact(row.len()).zip(products.chunks_exact_mut(row.len())) {
        let along = inner_with_row(row, vector);
        add_row(along, row, product);
    }
}

/// The eigenvalues of a symmetric matrix, the largest first, and their vectors one after the other: Jacobi's rotations.
fn eigen(mut matrix: Vec<f64>, size: usize) -> (Vec<f64>, Vec<f64>) {
    let mut vectors: Vec<f64> = (0..size * size).map(|at| f64::from(u8::from(at / size == at % size))).collect();
    for _ in 0..MOST_SWEEPS {
        let mut has_rotated = false;
        for (p, q) in (0..size).flat_map(|p| (p + 1..size).map(move |q| (p, q))) {
            let (first, second, off) = (matrix[p * size + p], matrix[q * size + q], matrix[p * size + q]);
            if off.abs() <= f64::EPSILON * (first * second).abs().sqrt() {
                continue;
            }
            has_rotated = true;
            let half = (second - first) / (2.0 * off);
            let tangent = half.signum() / (half.abs() + half.hypot(1.0));
            let cosine = tangent.hypot(1.0).recip();
            let sine = tangent * cosine;
            let rotate = |values: &mut [f64], (a, b): (usize, usize)| {
                (values[a], values[b]) = (cosine * values[a] - sine * values[b], sine * values[a] + cosine * values[b]);
            };
            (0..size).for_each(|at| rotate(&mut matrix, (at * size + p, at * size + q)));
            (0..size).for_each(|at| rotate(&mut matrix, (p * size + at, q * size + at)));
            (0..size).for_each(|at| rotate(&mut vectors, (p * size + at, q * size + at)));
        }
        if !has_rotated {
            break;
        }
    }
    let mut order: Vec<usize> = (0..size).collect();
    order.sort_by(|&a, &b| matrix[b * size + b].total_cmp(&matrix[a * size + a]));
    let values = order.iter().map(|&at| matrix[at * size + at]).collect();
    (values, order.iter().flat_map(|&at| vectors[at * size..(at + 1) * size].to_vec()).collect())
}

/// An inner product in a fixed number of lanes, the same on every machine.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn inner(a: &[f64], b: &[f64]) -> f64 {
    const LANES: usize = 8;
    let mut sums = [0.0; LANES];
    let ((a, rest_of_a), (b, rest_of_b)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        (0..LANES).for_each(|lane| sums[lane] += a[lane] * b[lane]);
    }
    sums.iter().sum::<f64>() + rest_of_a.iter().zip(rest_of_b).map(|(a, b)| a * b).sum::<f64>()
}

/// The same with a row of single precision.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn inner_with_row(row: &[f32], vector: &[f64]) -> f64 {
    const LANES: usize = 8;
    let mut sums = [0.0; LANES];
    let ((row, rest_of_row), (vector, rest)) = (row.as_chunks::<LANES>(), vector.as_chunks::<LANES>());
    for (row, vector) in row.iter().zip(vector) {
        (0..LANES).for_each(|lane| sums[lane] += f64::from(row[lane]) * vector[lane]);
    }
    sums.iter().sum::<f64>() + rest_of_row.iter().zip(rest).map(|(a, b)| f64::from(*a) * b).sum::<f64>()
}

/// Adds a multiple of a vector.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn add_multiple(factor: f64, vector: &[f64], out: &mut [f64]) {
    out.iter_mut().zip(vector).for_each(|(out, value)| *out += factor * value);
}

/// Adds a multiple of a row of single precision.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn add_row(factor: f64, row: &[f32], out: &mut [f64]) {
    out.iter_mut().zip(row).for_each(|(out, value)| *out += factor * f64::from(*value));
}
