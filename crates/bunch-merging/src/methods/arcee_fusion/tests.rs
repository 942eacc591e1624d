//! Divergences, quartiles and what is taken, computed by hand.

use super::{ArceeFusion, Importance, divergence};
use crate::{Method, TensorAcrossModels, Values};
use proptest::prelude::*;

fn fuse(shape: &[usize], base: &[f32], expert: &[f32]) -> Vec<f32> {
    let experts = [Values::Slice(expert)];
    let tensor = TensorAcrossModels::new("a.weight", shape, Some(Values::Slice(base)), &experts);
    let mut merged = vec![f32::NAN; base.len()];
    Method::from(ArceeFusion::default()).merge(&tensor, 0, &mut merged).expect("valid input");
    merged
}

fn kl(row: &[f32], base: &[f32]) -> f64 {
    divergence(row, base, &mut [Vec::new(), Vec::new()])
}

#[test]
fn divergence_of_two_coins() {
    // Softmax 1/2, 1/2 and 1/4, 3/4: ln(4)/2 + ln(4/3)/2 - ln 2, from the uniform row to the other.
    let skewed = [0.0, 3.0_f32.ln()];
    let (p, q) = ([0.5_f64 + 1e-8; 2], [0.25 + 1e-8, 0.75 + 1e-8]);
    let expected: f64 = p.iter().zip(q).map(|(p, q)| p * (p / q).ln()).sum();
    assert!((kl(&[7.0, 7.0], &skewed) - expected).abs() < 1e-7 * expected);
    assert_eq!(kl(&skewed, &skewed), 0.0);
    assert_eq!(kl(&[3.0], &[-2.0]), 0.0);
}

#[test]
fn no_probability_counts_as_less_than_1e_8() {
    // 1/2, 1/2 from 1, 4e-18: half of ln(1/2) + ln(1/2 / 1e-8).
    let got = kl(&[0.0, 0.0], &[0.0, -40.0]);
    assert!((got - (0.5_f64.ln() + 5e7_f64.ln()) / 2.0).abs() < 1e-6, "{got}");
}

#[test]
fn divergence_of_nearly_equal_rows_is_half_the_variance_of_their_difference() {
    // Uniform base over four entries, differences +-d: the mean of d^2 / 2, up to the 1e-8 in each of four probabilities.
    for d in [1e-3_f32, 1e-6, 1e-9] {
        let expected = f64::from(d).powi(2) / 2.0;
        let got = kl(&[d, -d, d, -d], &[0.0; 4]);
        assert!((got / expected - 1.0).abs() < 1e-6, "{got} instead of {expected}");
    }
}

#[test]
fn each_row_has_its_own_divergence() {
    // The second row is shifted as a whole, which softmax does not see; as one row the shift is a change like any other.
    let importance = |shape: &[usize]| {
        let expert = [Values::Slice(&[0.0, 0.0, 0.0, 4.0, 2.0, 2.0, 2.0, 2.0])];
        let tensor = TensorAcrossModels::new("a", shape, Some(Values::Slice(&[0.0; 8])), &expert);
        let importance = Importance::of(&tensor).expect("in memory");
        let mut importances = [f32::NAN; 8];
        tensor.each_block(|block| importance.write(block, &mut importances)).expect("in memory");
        importances
    };
    let [rows, whole] = [importance(&[2, 4]), importance(&[8])];
    assert!(rows[3] > 1.0 && rows[4..].iter().all(|value| *value == 0.0), "{rows:?}");
    assert!(whole[4] > 0.1 && whole[4] == whole[3] / 2.0, "{whole:?}");
}

#[test]
fn the_threshold_is_the_median_and_one_and_a_half_interquartile_ranges() {
    // Only differences count in one row. In ascending order: 1 to 8, with quartiles 2, 4 and 6 (indices 1, 3 and 5), so
    // that the threshold is 4 + 1.5 * 4 = 10.
    let taken = |differences: &[f32]| {
        let merged = fuse(&[differences.len()], &vec![0.0; differences.len()], differences);
        merged.into_iter().filter(|value| *value != 0.0).collect::<Vec<_>>()
    };
    assert_eq!(taken(&[8.0, 1.0, -3.0, 2.0, 5.0, 4.0, 7.0, -6.0]), Vec::<f32>::new());
    assert_eq!(taken(&[-10.5, 1.0, -3.0, 2.0, 5.0, 4.0, 9.5, -6.0]), [-10.5]);
    // One entry more: quartiles 3, 5 and 7 (indices 2, 4 and 6), so that the threshold is 5 + 1.5 * 4 = 11.
    assert_eq!(taken(&[12.0, 1.0, -3.0, 2.0, 5.0, 4.0, 7.0, -6.0, 11.5]), [12.0, 11.5]);
    assert_eq!(taken(&[12.0, 1.0, -3.0, 2.0, 5.0, 4.0, 7.0, -6.0, 10.5]), [12.0]);
}

#[test]
fn equal_importances_are_all_taken() {
    // The threshold is their common importance; where little or nothing differs it is 0, and everything is taken.
    assert_eq!(fuse(&[4], &[1.0, 2.0, 3.0, 4.0], &[1.5, 2.5, 2.5, 3.5]), [1.5, 2.5, 2.5, 3.5]);
    assert_eq!(fuse(&[8], &[0.0; 8], &[0.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0, 0.0])[3], 3.0);
}

#[test]
fn zeros_keep_the_sign_they_have_in_the_base() {
    let merged = fuse(&[3], &[-0.0, -0.0, 1.0], &[-0.0, 0.0, 1.0]);
    assert_eq!(merged.into_iter().map(f32::to_bits).collect::<Vec<_>>(), [-0.0_f32, -0.0, 1.0].map(f32::to_bits));
}

#[test]
fn an_empty_tensor_stays_empty() {
    assert_eq!(fuse(&[0], &[], &[]), Vec::<f32>::new());
    assert_eq!(fuse(&[3, 0], &[], &[]), Vec::<f32>::new());
}

proptest! {
    /// Against sorting, over rows that are cut by blocks.
    #[test]
    fn what_is_taken_is_what_sorting_says(
        differences in prop::collection::vec((-100..=100_i8).prop_map(|value| f32::from(value) / 64.0), 1..12),
        rows in 1..400_usize,
    ) {
        let len = differences.len();
        let expert: Vec<f32> = (0..rows).flat_map(|row| differences.iter().map(move |d| d * (row % 7) as f32)).collect();
        let base = vec![0.0; expert.len()];
        let rows_of = |values: &[f32]| values.chunks(len).map(<[f32]>::to_vec).collect::<Vec<_>>();
        let importances: Vec<f32> = rows_of(&expert)
            .iter()
            .flat_map(|row| {
                let divergence = kl(row, &vec![0.0; len]);
                row.iter().map(|value| (f64::from(value.abs()) * divergence) as f32).collect::<Vec<_>>()
            })
            .collect();
        let mut sorted = importances.clone();
        sorted.sort_by(f32::total_cmp);
        let quartile = |quarters: usize| f64::from(sorted[quarters * (sorted.len() - 1) / 4]);
        let threshold = quartile(2) + 1.5 * (quartile(3) - quartile(1));
        let expected: Vec<f32> = expert
            .iter()
            .zip(&importances)
            .map(|(value, importance)| if f64::from(*importance) >= threshold { *value } else { 0.0 })
            .collect();
        prop_assert_eq!(fuse(&[rows, len], &base, &expert), expected);
    }
}
