//! Endpoints, angles and the switch to the line, computed by hand.

use super::{Slerp, coefficients};
use crate::{Method, TensorAcrossModels, Values};

fn slerp(base: &[f32], expert: &[f32], t: f64) -> Vec<f32> {
    let (shape, experts) = ([base.len()], [Values::Slice(expert)]);
    let tensor = TensorAcrossModels::new("a.weight", &shape, Some(Values::Slice(base)), &experts);
    let mut merged = vec![f32::NAN; base.len()];
    Method::from(Slerp { t }).merge(&tensor, 0, &mut merged).expect("valid input");
    merged
}

#[test]
fn endpoints_are_the_models() {
    let (base, expert) = ([0.3, -1.7, 2.5], [1.1, 0.4, -0.6]);
    assert_eq!(slerp(&base, &expert, 0.0), base);
    assert_eq!(slerp(&base, &expert, 1.0), expert);
}

#[test]
fn halfway_between_orthogonal_vectors_is_the_diagonal() {
    let half = 0.5_f32.sqrt();
    assert_eq!(slerp(&[1.0, 0.0, 0.0, 1.0], &[0.0, 1.0, 1.0, 0.0], 0.5), [half; 4]);
}

#[test]
fn line_begins_beyond_the_threshold_on_both_sides() {
    assert_eq!(coefficients(0.25, 0.99951), (0.75, 0.25));
    assert_eq!(coefficients(0.25, -0.99951), (0.75, 0.25));
    let (of_base, of_expert) = coefficients(0.25, 0.9995);
    assert!(of_base + of_expert > 1.0, "an arc is longer than its chord");
}

#[test]
fn opposite_and_zero_vectors_stay_finite() {
    assert_eq!(slerp(&[1.0, 2.0], &[-1.0, -2.0], 0.5), [0.0, 0.0]);
    assert_eq!(slerp(&[0.0, 0.0], &[0.0, 0.0], 0.5), [0.0, 0.0]);
    // The angle to a zero vector counts as a right one: 2 sin(pi / 8).
    assert_eq!(slerp(&[0.0, 0.0], &[0.0, 2.0], 0.25), [0.0, (2.0 * (std::f64::consts::PI / 8.0).sin()) as f32]);
}

#[test]
fn beyond_the_ends_the_arc_goes_on() {
    let half = 0.5_f32.sqrt();
    assert_eq!(slerp(&[1.0, 0.0], &[0.0, 1.0], 1.5), [-half, half]);
}
