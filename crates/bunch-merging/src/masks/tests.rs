//! Statistics, nesting and rescaling of random masks.

use super::{DropMask, sums_of_magnitudes};
use crate::block::BLOCK;
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
fn sums_of_magnitudes_miss_no_entry() {
    let alternating: Vec<f32> =
        (1..=200_u8).map(|value| f32::from(value) * if value % 2 == 0 { -1.0 } else { 1.0 }).collect();
    // Every third entry is kept.
    let bits: Vec<u64> =
        (0..4).map(|word| (0..64).filter(|bit| (64 * word + bit) % 3 == 0).map(|bit| 1 << bit).sum()).collect();
    let (values, base): (Vec<f32>, Vec<f32>) = alternating.iter().map(|delta| (3.0 + delta, 3.0)).unzip();
    for len in [200, 192, 160] {
        let (all, kept) = sums_of_magnitudes(&bits, &values[..len], &base[..len]);
        assert_eq!(all, (len * (len + 1) / 2) as f64);
        assert_eq!(kept, (1..=len).step_by(3).sum::<usize>() as f64);
    }
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
    fn any_part_of_a_mask_is_that_of_the_whole(value in 0.0..1.0_f64, start in 0..3 * BLOCK, len in 1..=BLOCK, seed in any::<u64>()) {
        let mask = DropMask::new("a.weight", seed, 1, Density::try_from(value).expect("in range"));
        let survives = |bits: &[u64], index: usize| bits[index / 64] >> (index % 64) & 1;
        let part = mask.survivors(start, len);
        for index in 0..len {
            let whole = mask.survivors((start + index) / BLOCK * BLOCK, BLOCK);
            prop_assert_eq!(survives(&part, index), survives(&whole, (start + index) % BLOCK));
        }
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
