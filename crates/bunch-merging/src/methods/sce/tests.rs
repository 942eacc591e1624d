//! Selection, weights and signs, computed by hand.

use super::{Sce, write_variances};
use crate::{Density, Method, Spelling, TensorAcrossModels, Values, method_from_parameters};
use serde_json::json;

fn sce(density: f64, base: &[f32], experts: &[&[f32]]) -> Vec<f32> {
    let experts: Vec<Values<'_>> = experts.iter().map(|values| Values::Slice(values)).collect();
    let shape = [base.len()];
    let tensor = TensorAcrossModels::new("a.weight", &shape, Some(Values::Slice(base)), &experts);
    let mut merged = vec![f32::NAN; base.len()];
    let density = Density::try_from(density).expect("in range");
    Method::from(Sce { density }).merge(&tensor, 0, &mut merged).expect("valid input");
    merged
}

#[test]
fn variances_are_those_of_the_task_vectors() {
    let (base, first, second) = ([1.0; 4], [1.0, 3.0, 1.0, 1e-20], [1.0, -1.0, 3.0, 1e-20]);
    let (shape, experts) = ([4], [Values::from(&first), Values::from(&second)]);
    let tensor = TensorAcrossModels::new("a", &shape, Some(Values::from(&base)), &experts);
    let mut variances = [f32::NAN; 4];
    tensor.each_block(|block| write_variances(block, &mut variances)).expect("in memory");
    assert_eq!(variances, [0.0, 4.0, 1.0, 0.0]);
}

#[test]
fn the_entries_of_largest_variance_are_selected_among_those_that_vary() {
    // Variances 4, 0, 1, 0.25, 0 and 1: of the four that vary, 1, 2, 3 and 4 are selected.
    let experts: [&[f32]; 2] = [&[4.0, 1.0, 3.0, 2.0, 0.0, 0.0], &[0.0, 1.0, 1.0, 1.0, 0.0, 2.0]];
    let selected = |density| {
        let merged = sce(density, &[0.0; 6], &experts);
        merged.iter().map(|value| u8::from(*value != 0.0)).collect::<Vec<_>>()
    };
    assert_eq!(selected(0.0), [0, 0, 0, 0, 0, 0]);
    assert_eq!(selected(0.24), [0, 0, 0, 0, 0, 0]);
    assert_eq!(selected(0.25), [1, 0, 0, 0, 0, 0]);
    // Of two equal variances the first.
    assert_eq!(selected(0.5), [1, 0, 1, 0, 0, 0]);
    assert_eq!(selected(0.75), [1, 0, 1, 0, 0, 1]);
    assert_eq!(selected(0.99), [1, 0, 1, 0, 0, 1]);
    assert_eq!(selected(1.0), [1, 1, 1, 1, 0, 1]);
}

#[test]
fn weights_are_the_mean_squares_of_what_is_selected() {
    // Squares 9 + 1 and 1 + 4, so that the weights are 2/3 and 1/3.
    assert_eq!(sce(1.0, &[0.0; 2], &[&[3.0, 1.0], &[-1.0, 2.0]]), [3.0, 4.0 / 3.0]);
    // Only the first entry counts: 9 to 1.
    assert_eq!(sce(0.5, &[0.0; 2], &[&[3.0, 1.0], &[1.0, 2.0]]), [2.8, 0.0]);
}

#[test]
fn small_task_vectors_have_equal_weights() {
    // Mean squares of 5e-7 and 8e-8, together below 1e-6: the mean of 1e-3 and 4e-4.
    let merged = sce(1.0, &[0.0; 2], &[&[1e-3, 0.0], &[4e-4, 0.0]]);
    assert!((merged[0] - 7e-4).abs() < 1e-9, "{merged:?}");
    // Ten times as large: weights 25/29 and 4/29.
    let merged = sce(1.0, &[0.0; 2], &[&[1e-2, 0.0], &[4e-3, 0.0]]);
    assert!((merged[0] - (25.0 * 1e-2 + 4.0 * 4e-3) / 29.0).abs() < 1e-8, "{merged:?}");
}

#[test]
fn signs_are_elected_without_weights_and_zero_elects_plus() {
    let merged = sce(1.0, &[0.0; 2], &[&[-2.0, 4.0], &[2.0, -1.0]]);
    assert_eq!(merged, [2.0, 4.0]);
    // The two that agree outvote the one of largest energy, and are averaged by their own energies 2 and 1.25.
    let merged = sce(1.0, &[0.0; 2], &[&[-1.5, 9.0], &[1.0, 1.0], &[1.0, 0.5]]);
    assert_eq!(merged[0], 1.0);
}

#[test]
fn where_little_agrees_the_floor_counts() {
    // The second expert alone agrees on the second entry, with 1e-8 of the energy.
    let merged = sce(1.0, &[0.0; 2], &[&[1e4, -0.5], &[0.0, 1.0]]);
    assert!((merged[1] - 1e-2).abs() < 1e-6, "{merged:?}");
}

#[test]
fn squares_that_overflow_are_an_error() {
    let experts = [Values::Slice(&[f32::MAX]), Values::Slice(&[0.0])];
    let tensor = TensorAcrossModels::new("a.weight", &[1], Some(Values::Slice(&[f32::MIN])), &experts);
    let error = Method::from(Sce::default()).merge(&tensor, 0, &mut [0.0]).expect_err("an infinite difference");
    assert_eq!(error.to_string(), "tensor a.weight: sce: the task vectors are too large to be squared");
}

#[test]
fn a_mergekit_recipe_says_select_topk() {
    let values = json!({ "select_topk": 0.25, "int8_mask": true });
    let method = method_from_parameters("sce", Spelling::Mergekit, values.as_object().expect("an object"));
    assert_eq!(method, Ok(Sce { density: Density::try_from(0.25).expect("in range") }.into()));
}
