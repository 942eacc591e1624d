//! Endpoints, degenerate vectors, and what counts as a vector, computed by hand.

use super::{Nuslerp, coefficients_of, shares};
use crate::{BLOCK, Method, Spelling, TensorAcrossModels, Values, method_from_parameters, parameter_specs};
use serde_json::json;

fn nuslerp(shape: &[usize], base: Option<&[f32]>, experts: [&[f32]; 2], method: &Nuslerp) -> Vec<f32> {
    let experts = experts.map(Values::Slice);
    let tensor = TensorAcrossModels::new("a.weight", shape, base.map(Values::Slice), &experts);
    let mut merged = vec![f32::NAN; tensor.len()];
    Method::from(method.clone()).merge(&tensor, 0, &mut merged).expect("valid input");
    merged
}

fn by(flatten: bool, row_wise: bool) -> Nuslerp {
    Nuslerp { weights: vec![1.0, 3.0], flatten, row_wise }
}

#[test]
fn all_the_weight_on_one_expert_returns_it() {
    let (base, first, second) = ([0.1, 0.2, -0.3], [0.3, -1.7, 2.5], [1.1, 0.4, -0.6]);
    for base in [None, Some(base.as_slice())] {
        for (weights, expected) in [([2.0, 0.0], first), ([0.0, 0.5], second)] {
            let method = Nuslerp { weights: weights.to_vec(), ..Nuslerp::default() };
            assert_eq!(nuslerp(&[3], base, [&first, &second], &method), expected);
        }
    }
}

#[test]
fn parallel_and_opposite_vectors_are_mixed_linearly() {
    for second in [[3.0, 6.0], [-3.0, -6.0]] {
        let merged = nuslerp(&[2], None, [&[1.0, 2.0], &second], &by(true, false));
        assert_eq!(merged, [0.25 + 0.75 * second[0], 0.5 + 0.75 * second[1]]);
    }
    assert_eq!(coefficients_of([0.25, 0.75], 4.0, -4.0, 4.0), [0.25, 0.75]);
    assert_eq!(nuslerp(&[2], Some(&[1.0, 2.0]), [&[1.0, 2.0], &[1.0, 2.0]], &by(true, false)), [1.0, 2.0]);
}

#[test]
fn the_angle_to_a_zero_vector_is_a_right_one() {
    let [first, second] = coefficients_of([0.5, 0.5], 0.0, 0.0, 9.0);
    assert!((first - 0.5_f64.sqrt()).abs() < 1e-15 && (second - 0.5_f64.sqrt()).abs() < 1e-15);
}

#[test]
fn weights_that_cancel_are_equal_shares() {
    assert_eq!(shares(&[1.0, -1.0]), [0.5, 0.5]);
    assert_eq!(shares(&[1.0, 3.0]), [0.25, 0.75]);
    assert_eq!(shares(&[-1.0, 3.0]), [-0.5, 1.5]);
}

#[test]
fn each_row_is_merged_by_itself() {
    let base: Vec<f32> = (0..12_u8).map(|i| f32::from(i) * 0.25).collect();
    let first: Vec<f32> = base.iter().enumerate().map(|(i, b)| b + [0.5, -1.0, 2.0, 0.25][i % 4]).collect();
    let second: Vec<f32> = base.iter().enumerate().map(|(i, b)| b + [1.5, 0.5, -0.25][i % 3]).collect();
    let rows = nuslerp(&[3, 4], Some(&base), [&first, &second], &by(false, false));
    for row in [0..4, 4..8, 8..12] {
        let part = [&first[row.clone()], &second[row.clone()]];
        assert_eq!(rows[row.clone()], nuslerp(&[4], Some(&base[row]), part, &by(true, false)));
    }
}

#[test]
fn each_column_is_merged_by_itself_across_blocks() {
    // Columns that begin anywhere in a block, and rows that are longer than one.
    for columns in [3, BLOCK + 5] {
        let len = 3 * columns;
        let value = |i: usize, step: usize| ((i * step) % 17) as f32 / 8.0 - 1.0;
        let [base, first, second]: [Vec<f32>; 3] = [5, 7, 11].map(|step| (0..len).map(|i| value(i, step)).collect());
        let merged = nuslerp(&[3, columns], Some(&base), [&first, &second], &by(false, true));
        let cube = nuslerp(&[3, 1, columns], Some(&base), [&first, &second], &by(false, true));
        assert_eq!(merged, cube);
        let column = |values: &[f32], column: usize| [0, 1, 2].map(|row| values[row * columns + column]);
        for at in 0..columns {
            let part = [&column(&first, at)[..], &column(&second, at)[..]];
            let alone = nuslerp(&[3], Some(&column(&base, at)), part, &by(true, false));
            assert_eq!(column(&merged, at)[..], alone);
        }
    }
}

#[test]
fn one_dimension_is_one_vector() {
    let (base, first, second) = ([0.5, -0.25, 1.0], [1.0, 0.0, 2.0], [0.25, 1.0, 1.0]);
    let whole = nuslerp(&[3], Some(&base), [&first, &second], &by(true, false));
    for row_wise in [false, true] {
        assert_eq!(nuslerp(&[3], Some(&base), [&first, &second], &by(false, row_wise)), whole);
    }
}

#[test]
fn mergekit_has_its_names_and_demands_weights() {
    let parameters = json!({ "weight": [0.5, 2.0], "nuslerp_flatten": false, "nuslerp_row_wise": true });
    let method = method_from_parameters("nuslerp", Spelling::Mergekit, parameters.as_object().expect("an object"));
    assert_eq!(method, Ok(Nuslerp { weights: vec![0.5, 2.0], flatten: false, row_wise: true }.into()));
    let specs = parameter_specs("nuslerp", Spelling::Mergekit).expect("a method");
    let weight = specs.iter().find(|spec| spec.name == "weight").expect("a parameter");
    assert!(weight.required && weight.per_expert);
}
