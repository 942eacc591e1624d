//! Which matrices are merged.

use super::SafeMerge;
use crate::{Method, TensorAcrossModels, Values};

/// Pretrained, tuned, aligned, safety. The first row of the aligned model differs from the pretrained one, so that C D is what
/// tuning changed there: the cosine is 1 / sqrt(1 + 9).
const MODELS: [[f32; 4]; 4] = [[0.0; 4], [1.5, 0.0, 0.0, 3.0], [0.5, 0.0, 0.0, 0.0], [1.0, -2.0, 4.0, 8.0]];

fn merge(threshold: f64, shape: &[usize], models: [[f32; 4]; 4]) -> [f32; 4] {
    let [base, experts @ ..] = &models;
    let experts = experts.each_ref().map(Values::from);
    let tensor = TensorAcrossModels::new("a.weight", shape, Some(Values::from(base)), &experts);
    let mut merged = [f32::NAN; 4];
    let alpha = 0.5.try_into().expect("a fraction");
    Method::from(SafeMerge { threshold, alpha }).merge(&tensor, 0, &mut merged).expect("valid models");
    merged
}

#[test]
fn a_matrix_is_merged_below_the_threshold_alone() {
    let [_, tuned, _, safety] = MODELS;
    let half: Vec<f32> = tuned.iter().zip(safety).map(|(tuned, safety)| (tuned + safety) / 2.0).collect();
    assert_eq!(merge(0.32, &[2, 2], MODELS)[..], half);
    assert_eq!(merge(0.31, &[2, 2], MODELS), tuned);
    assert_eq!(merge(-1.5, &[2, 2], MODELS).map(f32::to_bits), tuned.map(f32::to_bits));
    // Wide and tall ones are judged alike.
    assert_ne!(merge(1.5, &[1, 4], MODELS), tuned);
    assert_ne!(merge(1.5, &[4, 1], MODELS), tuned);
    // A vector is not.
    assert_eq!(merge(1.5, &[4], MODELS), tuned);
}

#[test]
fn where_nothing_can_be_compared_the_cosine_is_zero() {
    let [base, tuned, aligned, safety] = MODELS;
    for models in [[base, tuned, base, safety], [base, aligned, aligned, safety]] {
        assert_eq!(merge(0.0, &[2, 2], models), models[1]);
        assert_ne!(merge(0.01, &[2, 2], models), models[1]);
    }
}
