//! Counts, factors and averages, computed by hand.

use super::{Overlap, RamplusTl, overlaps};
use crate::{Method, Ram, TensorAcrossModels, Values};

fn merge(method: &Method, base: &[f32], experts: &[&[f32]]) -> Vec<f32> {
    let experts: Vec<Values<'_>> = experts.iter().map(|values| Values::Slice(values)).collect();
    let shape = [base.len()];
    let tensor = TensorAcrossModels::new("a.weight", &shape, Some(Values::Slice(base)), &experts);
    let mut merged = vec![f32::NAN; base.len()];
    method.merge(&tensor, 0, &mut merged).expect("valid input");
    merged
}

const BASE: [f32; 6] = [1.0; 6];
const EXPERTS: [&[f32]; 3] =
    [&[2.0, 2.0, 4.0, 1.0, 1.0, 1.0], &[1.0, 4.0, 1.0, 1.0, 1.5, 0.0], &[1.0, 1.0, 2.0, 1.0, 1.0, 3.0]];

#[test]
fn changes_are_counted_for_each_expert() {
    let experts = EXPERTS.map(Values::Slice);
    let tensor = TensorAcrossModels::new("a", &[6], Some(Values::Slice(&BASE)), &experts);
    let overlap = |shared, unique| Overlap { shared, unique };
    assert_eq!(overlaps(&tensor, 0.0).expect("in memory"), [overlap(2, 1), overlap(2, 1), overlap(2, 0)]);
    // Equal to epsilon is no change.
    assert_eq!(overlaps(&tensor, 1.0).expect("in memory"), [overlap(0, 1), overlap(0, 1), overlap(0, 1)]);
}

#[test]
fn unique_changes_are_added_and_shared_ones_averaged() {
    assert_eq!(merge(&Ram::default().into(), &BASE, &EXPERTS), [2.0, 3.0, 3.0, 1.0, 1.5, 1.5]);
    assert_eq!(merge(&Ram { epsilon: 0.75 }.into(), &BASE, &EXPERTS), [2.0, 3.0, 3.0, 1.0, 1.0, 1.5]);
    // Of each pair one change is too small now, and the other counts as unique.
    assert_eq!(merge(&Ram { epsilon: 1.0 }.into(), &BASE, &EXPERTS), [1.0, 4.0, 4.0, 1.0, 1.0, 3.0]);
}

#[test]
fn unique_changes_are_enlarged_by_the_ratio_of_shared_to_unique_ones() {
    let plus = RamplusTl { r: 0.5, alpha: 10.0, ..RamplusTl::default() };
    assert_eq!(merge(&plus.into(), &BASE, &EXPERTS), [3.0, 3.0, 3.0, 1.0, 2.0, 1.5]);
    let plus = RamplusTl { r: 0.5, alpha: 1.0, ..RamplusTl::default() };
    assert_eq!(merge(&plus.into(), &BASE, &EXPERTS), [2.5, 3.0, 3.0, 1.0, 1.75, 1.5]);
    let plus = RamplusTl { r: 0.0, ..RamplusTl::default() };
    assert_eq!(merge(&plus.into(), &BASE, &EXPERTS), merge(&Ram::default().into(), &BASE, &EXPERTS));
}

#[test]
fn factors_are_bounded_and_finite() {
    let plus = RamplusTl { epsilon: 0.0, r: 0.5, alpha: 2.0 };
    let factor = |shared, unique| plus.factor(Overlap { shared, unique });
    assert_eq!(factor(1, 2), 1.25);
    assert_eq!(factor(9, 2), 2.0);
    assert_eq!(factor(0, 2), 1.0);
    assert_eq!(factor(2, 0), 2.0);
    assert_eq!(factor(0, 0), 1.0);
    // Two unique changes count as four.
    let plus = RamplusTl { epsilon: 4.0, ..plus };
    assert_eq!(plus.factor(Overlap { shared: 2, unique: 2 }), 1.25);
}

#[test]
fn negative_thresholds_are_refused() {
    let error = |method: Method| method.validate(2).expect_err("a mistake").to_string();
    assert_eq!(error(Ram { epsilon: -1.0 }.into()), "ram: `epsilon` is -1, expected a number of 0 or more");
    let alpha = RamplusTl { alpha: -0.5, ..RamplusTl::default() };
    assert_eq!(error(alpha.into()), "ramplus_tl: `alpha` is -0.5, expected a number of 0 or more");
    let epsilon = RamplusTl { epsilon: f32::NAN, ..RamplusTl::default() };
    assert_eq!(error(epsilon.into()), "ramplus_tl: `epsilon` is NaN, expected a finite number");
}
