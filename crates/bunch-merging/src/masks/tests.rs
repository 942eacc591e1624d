//! Statistics, nesting and rescaling of random masks.

use super::Variates;
use crate::task_vectors::sums_of_magnitudes;
use crate::{DareLinear, Densities, Density, Method, Rescale, TensorAcrossModels, Values};
use proptest::prelude::*;

const LEN: usize = 1 << 16;

fn density(value: f64) -> Densities {
    Density::try_from(value).expect("in range").into()
}

/// The merged task vector of one expert that differs from the base by `deltas`.
fn drop_from(deltas: &[f32], name: &str, seed: u64, density: Densities, rescale: Rescale) -> Vec<f32> {
    let base = vec![0.0; deltas.len()];
    let shape = [deltas.len()];
    let experts = [Values::Slice(deltas)];
    let tensor = TensorAcrossModels::new(name, &shape, Some(Values::from(&base)), &experts);
    let mut merged = vec![f32::NAN; deltas.len()];
    let method = Method::from(DareLinear { density, rescale, ..DareLinear::default() });
    method.merge(&tensor, seed, &mut merged).expect("valid input");
    merged
}

#[test]
fn variates_are_uniform() {
    let mut variates = vec![f32::NAN; LEN];
    Variates::new("dare", 0, "a.weight", 0).draw(0, &mut variates);
    assert!(variates.iter().all(|variate| (0.0..1.0).contains(variate)));
    let mean = variates.iter().map(|&variate| f64::from(variate)).sum::<f64>() / LEN as f64;
    // Five standard deviations of the mean of a uniform variate.
    assert!((mean - 0.5).abs() < 5.0 * (1.0 / 12.0_f64 / LEN as f64).sqrt(), "{mean}");
}

#[test]
fn kept_fraction_is_the_density() {
    let deltas = vec![1.0; LEN];
    for value in [0.1, 0.25, 0.5, 0.9] {
        let kept = drop_from(&deltas, "a.weight", 0, density(value), Rescale::None).iter().sum::<f32>() / LEN as f32;
        let deviation = (value * (1.0 - value) / LEN as f64).sqrt();
        assert!((f64::from(kept) - value).abs() < 5.0 * deviation, "{kept} instead of {value}");
    }
}

#[test]
fn rescaling_is_one_over_density_or_keeps_the_l1_norm() {
    let deltas: Vec<f32> = (0..LEN).map(|index| (index % 7) as f32 - 3.0).collect();
    let norm = |values: &[f32]| values.iter().map(|&value| f64::from(value.abs())).sum::<f64>();
    let none = drop_from(&deltas, "a.weight", 3, density(0.25), Rescale::None);
    let paper = drop_from(&deltas, "a.weight", 3, density(0.25), Rescale::Density);
    let l1 = drop_from(&deltas, "a.weight", 3, density(0.25), Rescale::L1);
    assert!(none.iter().zip(&paper).all(|(none, paper)| 4.0 * none == *paper));
    assert!((norm(&l1) / norm(&deltas) - 1.0).abs() < 1e-6);
    assert!(none.iter().zip(&l1).all(|(none, l1)| (*none == 0.0) == (*l1 == 0.0)));
}

#[test]
fn sums_of_magnitudes_miss_no_lane() {
    let alternating: Vec<f32> =
        (1..=19_u8).map(|value| f32::from(value) * if value % 2 == 0 { -1.0 } else { 1.0 }).collect();
    assert_eq!(sums_of_magnitudes(&alternating, &[-2.0; 19]), (190.0, 38.0));
}

#[test]
fn seed_tensor_and_expert_choose_the_mask() {
    let draw = |seed, tensor, expert| {
        let mut variates = [0.0; 8];
        Variates::new("dare", seed, tensor, expert).draw(0, &mut variates);
        variates
    };
    let first = draw(0, "a", 0);
    assert_eq!(draw(0, "a", 0), first);
    assert!([draw(1, "a", 0), draw(0, "b", 0), draw(0, "a", 1)].iter().all(|other| *other != first));
}

#[test]
fn density_zero_keeps_nothing_and_one_everything() {
    let deltas = [1.0, -2.0, 3.0];
    for rescale in [Rescale::Density, Rescale::L1, Rescale::None] {
        assert_eq!(drop_from(&deltas, "a", 0, density(0.0), rescale), [0.0; 3]);
        assert_eq!(drop_from(&deltas, "a", 0, density(1.0), rescale), deltas);
    }
}

proptest! {
    #[test]
    fn chunks_draw_what_the_whole_draws(len in 1..300_usize, start in any::<prop::sample::Index>(), seed in any::<u64>()) {
        let start = start.index(len);
        let mut whole = vec![f32::NAN; len];
        Variates::new("dare", seed, "a.weight", 2).draw(0, &mut whole);
        let mut part = vec![f32::NAN; len - start];
        Variates::new("dare", seed, "a.weight", 2).draw(start, &mut part);
        prop_assert_eq!(&whole[start..], &part[..]);
    }

    #[test]
    fn what_a_density_keeps_every_higher_density_keeps(low in 0.0..1.0_f64, high in 0.0..1.0_f64, seed in any::<u64>()) {
        let (low, high) = (low.min(high), low.max(high));
        let deltas = [1.0; 500];
        let fewer = drop_from(&deltas, "a.weight", seed, density(low), Rescale::None);
        let more = drop_from(&deltas, "a.weight", seed, density(high), Rescale::None);
        prop_assert!(fewer.iter().zip(&more).all(|(fewer, more)| fewer <= more));
    }
}
