//! The leading directions of matrices whose singular vectors are known.

use super::subspace::Directions;
use super::{Lssf, LssfDirections};
use crate::{MergeMethod as _, Method, TensorAcrossModels, Values};

/// The k-th of the orthonormal cosines with `len` entries.
fn cosine(k: usize, len: usize) -> Vec<f64> {
    let scale = if k == 0 { (1.0 / len as f64).sqrt() } else { (2.0 / len as f64).sqrt() };
    (0..len).map(|at| scale * (std::f64::consts::PI / len as f64 * (at as f64 + 0.5) * k as f64).cos()).collect()
}

/// The matrix with these singular values, the cosines as its singular vectors.
fn matrix(rows: usize, columns: usize, values: &[f64]) -> Vec<f32> {
    let mut sum = vec![0.0; rows * columns];
    for (k, value) in values.iter().enumerate() {
        let (left, right) = (cosine(k, rows), cosine(columns - 1 - k, columns));
        sum.iter_mut().enumerate().for_each(|(at, sum)| *sum += value * left[at / columns] * right[at % columns]);
    }
    sum.into_iter().map(|value| value as f32).collect()
}

fn merge(method: &Lssf, shape: &[usize], aligned: &[f32], seed: u64) -> Vec<f32> {
    let zeros = vec![0.0; aligned.len()];
    let experts = [Values::from(&zeros), Values::from(aligned)];
    let tensor = TensorAcrossModels::new("a.weight", shape, Some(Values::from(&zeros)), &experts);
    let mut merged = vec![f32::NAN; aligned.len()];
    Method::from(method.clone()).merge(&tensor, seed, &mut merged).expect("valid models");
    merged
}

fn norm(values: &[f32]) -> f64 {
    values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt()
}

#[test]
fn what_is_added_has_the_largest_singular_values() {
    let values: Vec<f64> = (0..24).map(|k| 8.0 * 0.8_f64.powi(k)).collect();
    for (rows, columns) in [(40, 30), (30, 40)] {
        let change = matrix(rows, columns, &values);
        for rank in [1, 3, 9] {
            let expected = matrix(rows, columns, &values[..rank]);
            let method = Lssf { alpha: 1.0, rank: rank as u32, ..Lssf::default() };
            let merged = merge(&method, &[rows, columns], &change, 0);
            let error: Vec<f32> = merged.iter().zip(&expected).map(|(a, b)| a - b).collect();
            assert!(norm(&error) < 2e-5, "{rows} x {columns}, rank {rank}: {}", norm(&error));
        }
    }
}

#[test]
fn equal_singular_values_end_too() {
    let change = matrix(30, 30, &[1.0; 30]);
    let merged = merge(&Lssf { alpha: 1.0, rank: 4, ..Lssf::default() }, &[30, 30], &change, 0);
    // Any four of the directions will do.
    assert!((norm(&merged) - 2.0).abs() < 1e-5, "{}", norm(&merged));
}

#[test]
fn a_matrix_of_lower_rank_is_added_whole() {
    let change = matrix(40, 30, &[3.0, 2.0]);
    let merged = merge(&Lssf { alpha: 1.0, rank: 5, ..Lssf::default() }, &[40, 30], &change, 0);
    let error: Vec<f32> = merged.iter().zip(&change).map(|(a, b)| a - b).collect();
    assert!(norm(&error) < 1e-6, "{}", norm(&error));
}

#[test]
fn random_directions_have_their_share_and_follow_the_seed() {
    let change = matrix(64, 64, &[1.0; 64]);
    let method = Lssf { alpha: 1.0, rank: 16, directions: LssfDirections::Random };
    let merged = merge(&method, &[64, 64], &change, 3);
    // Of an orthogonal matrix every projection onto 16 directions keeps 16 of 64 squares.
    assert!((norm(&merged) - 4.0).abs() < 1e-5, "{}", norm(&merged));
    assert_eq!(merge(&method, &[64, 64], &change, 3), merged);
    assert_ne!(merge(&method, &[64, 64], &change, 4), merged);
    let all = merge(&Lssf { rank: 64, ..method }, &[64, 64], &change, 3);
    assert_eq!(all, change);
}

#[test]
fn vectors_and_what_alignment_left_alone_stay_tuned() {
    let models = [[-0.0_f32, 1.0, 2.0, 3.0], [4.0, 3.0, 2.0, 1.0]];
    for (shape, aligned) in [(vec![4], 1), (vec![2, 2], 0)] {
        let experts = [Values::from(&models[0]), Values::from(&models[aligned])];
        let tensor = TensorAcrossModels::new("a", &shape, Some(Values::from(&models[0])), &experts);
        let mut merged = [f32::NAN; 4];
        Method::from(Lssf::default()).merge(&tensor, 0, &mut merged).expect("valid models");
        assert_eq!(merged.map(f32::to_bits), models[0].map(f32::to_bits), "{shape:?}");
    }
}

#[test]
fn too_many_directions_are_refused_and_their_memory_is_counted() {
    let error = Lssf { rank: 65, ..Lssf::default() }.validate(2).expect_err("too many").to_string();
    assert_eq!(error, "lssf: `rank` is 65, expected a number from 0 to 64");
    assert_eq!((Directions::width(8, 4096), Directions::width(8, 10)), (16, 10));
    assert_eq!(Lssf::memory(&[100, 4096]), 3 * 4096 * 72 * size_of::<f64>());
    assert_eq!(Lssf::memory(&[4096]), 0);
}
