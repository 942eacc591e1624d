//! Directions, lengths and what cancels out, computed by hand.

use super::Multislerp;
use crate::{MergeError, Method, Spelling, TensorAcrossModels, Values, method_from_parameters};
use serde_json::{Value, json};

fn multislerp(base: Option<&[f32]>, experts: &[&[f32]], method: Multislerp) -> Result<Vec<f32>, MergeError> {
    let experts: Vec<Values<'_>> = experts.iter().map(|values| Values::Slice(values)).collect();
    let shape = [experts[0].len()];
    let tensor = TensorAcrossModels::new("a.weight", &shape, base.map(Values::Slice), &experts);
    let mut merged = vec![f32::NAN; tensor.len()];
    Method::from(method).merge(&tensor, 0, &mut merged).map(|()| merged)
}

fn weighted(weights: &[f32]) -> Multislerp {
    Multislerp { weights: weights.to_vec(), ..Multislerp::default() }
}

#[test]
fn length_is_the_mean_of_the_lengths() {
    // Directions [0.6, 0.8] of the unit vectors, lengths 2 and 7: 0.6 / 1.4 * 2 + 0.8 / 1.4 * 7.
    let merged = multislerp(None, &[&[2.0, 0.0], &[0.0, 7.0]], weighted(&[0.6, 0.8])).expect("valid");
    let length = (0.6 * 2.0 + 0.8 * 7.0) / 1.4;
    assert!((merged[0] - 0.6 * length).abs() < 1e-5 && (merged[1] - 0.8 * length).abs() < 1e-5, "{merged:?}");
}

#[test]
fn one_expert_is_returned_whatever_its_weight() {
    for weight in [0.0, 0.3] {
        let merged = multislerp(Some(&[1.0, 1.0]), &[&[0.1, -0.7]], weighted(&[weight])).expect("valid");
        assert_eq!(merged, [0.1, -0.7]);
    }
}

#[test]
fn directions_that_cancel_are_a_linear_mean_or_an_error() {
    let base = Some([1.0, 1.0].as_slice());
    let merged = multislerp(base, &[&[2.0, 1.0], &[-2.0, 1.0]], weighted(&[0.5, 0.5])).expect("two experts");
    assert_eq!(merged, [0.0, 1.0]);
    let error = multislerp(base, &[&[2.0, 1.0], &[-2.0, 1.0], &[1.0, 1.0]], Multislerp::default());
    let message =
        "tensor a.weight: multislerp: the weighted directions of the experts cancel out; other weights would help";
    assert_eq!(error.expect_err("three experts").to_string(), message);
    // Their sum is not exactly zero in binary; without `eps`, what is left is known to be a rounding error.
    let method = Multislerp { eps: 0.0, ..weighted(&[1.0, 1.0, 2.0_f32.sqrt()]) };
    assert!(multislerp(None, &[&[1.0, 0.0], &[0.0, 1.0], &[-3.0, -3.0]], method).is_err());
}

#[test]
fn zero_task_vectors_return_the_base() {
    let base = [0.1, -0.0];
    let merged = multislerp(Some(&base), &[&base, &base, &base], Multislerp::default()).expect("valid");
    let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&merged), bits(&base));
    assert_eq!(multislerp(None, &[&[0.0; 2], &[0.0; 2], &[0.0; 2]], Multislerp::default()), Ok(vec![0.0; 2]));
}

#[test]
fn an_expert_that_equals_the_base_shortens_only() {
    // Lengths 0 and 2: the direction is the other's, the length their mean.
    let merged = multislerp(Some(&[1.0, 1.0]), &[&[1.0, 1.0], &[1.0, 3.0]], Multislerp::default()).expect("valid");
    assert_eq!(merged, [1.0, 2.0]);
}

#[test]
fn mistakes_are_named() {
    let error = |method| multislerp(None, &[&[1.0], &[2.0]], method).expect_err("a mistake").to_string();
    assert_eq!(
        error(weighted(&[1.0, -1.0])),
        "multislerp: the weights sum to 0, which cannot be normalised; expected at least 1e-8 in magnitude"
    );
    let negative = Multislerp { eps: -0.5, ..Multislerp::default() };
    assert_eq!(error(negative), "multislerp: `eps` is -0.5, expected a number of 0 or more");
}

#[test]
fn mergekit_has_its_names() {
    let parse = |parameters: Value| {
        let parameters = parameters.as_object().expect("an object");
        method_from_parameters("multislerp", Spelling::Mergekit, parameters)
    };
    let parameters = json!({ "weight": [0.5, 2.0], "normalize_weights": false, "eps": 1e-6 });
    let expected = Multislerp { weights: vec![0.5, 2.0], normalize: false, eps: 1e-6 };
    assert_eq!(parse(parameters), Ok(expected.into()));
    assert!(parse(json!({ "normalize": false })).is_err());
}
