//! The position between base and mean, computed by hand.

use super::{ModelStock, position};
use crate::gram::Vectors;
use crate::{Method, TensorAcrossModels, Values};

fn position_of(task_vectors: &[&[f32]]) -> f64 {
    let experts: Vec<Values<'_>> = task_vectors.iter().map(|values| Values::Slice(values)).collect();
    let shape = [task_vectors[0].len()];
    let tensor = TensorAcrossModels::new("a.weight", &shape, None, &experts);
    position(&tensor.gram(Vectors::Experts).expect("in memory"))
}

#[test]
fn position_follows_the_angle() {
    assert_eq!(position_of(&[&[1.0, 0.0], &[3.0, 0.0]]), 1.0);
    assert_eq!(position_of(&[&[1.0, 0.0], &[0.0, 2.0]]), 0.0);
    assert_eq!(position_of(&[&[5.0, 0.0], &[3.0, 4.0]]), 1.2 / 1.6);
    // Cosines 0.6, 0 and 0.8: their mean c is 1.4 / 3, and t is 3 c / (1 + 2 c).
    let t = position_of(&[&[5.0, 0.0], &[3.0, 4.0], &[0.0, 5.0]]);
    assert!((t - 1.4 / (1.0 + 2.8 / 3.0)).abs() < 1e-15, "{t}");
}

#[test]
fn opposite_and_tiny_task_vectors_leave_the_base() {
    assert_eq!(position_of(&[&[1.0, 2.0], &[-1.0, -2.0]]), 0.0);
    assert_eq!(position_of(&[&[0.0, 0.0], &[1.0, 0.0]]), 0.0);
    // Parallel, but the product of the norms, 1e-8, counts as 1e-6: c = 0.01.
    let t = position_of(&[&[1e-4, 0.0], &[1e-4, 0.0]]);
    assert!((t - 0.02 / 1.01).abs() < 1e-8, "{t}");
}

#[test]
fn rows_have_their_own_positions() {
    let base = [0.25, -0.0, 0.5, 1.0];
    let (first, second) = ([1.25, 0.0, 0.5, 2.0], [3.25, 0.0, 1.5, 1.0]);
    let experts = [Values::from(&first), Values::from(&second)];
    let tensor = TensorAcrossModels::new("a.weight", &[2, 2], Some(Values::from(&base)), &experts);
    let mut merged = [f32::NAN; 4];
    Method::from(ModelStock { filter_wise: true }).merge(&tensor, 0, &mut merged).expect("valid input");
    // The first row's task vectors are parallel, the second row's orthogonal.
    assert_eq!(merged, [2.25, 0.0, 0.5, 1.0]);
}
