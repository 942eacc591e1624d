//! Which entries survive, counted by hand.

use super::{Trim, kept_count};
use crate::cache::TensorCache;
use crate::parameters::Density;
use crate::tensor::TensorAcrossModels;
use crate::values::Values;
use proptest::prelude::*;

fn density(value: f64) -> Density {
    Density::try_from(value).expect("in range")
}

#[test]
fn kept_counts_are_those_of_mergekit() {
    let counts = [(10, 0.25, 2), (10, 0.29, 2), (7, 0.5, 3), (100, 0.29, 28), (1000, 0.1, 100), (3, 0.25, 1)];
    for (len, kept, expected) in counts {
        assert_eq!(kept_count(density(kept), len), expected, "{kept} of {len}");
    }
    assert_eq!(kept_count(density(0.0), 10), 0);
    assert_eq!(kept_count(density(1.0), 10), 10);
    assert_eq!(kept_count(density(0.5), 0), 0);
}

/// What `kept` entries survive of the only task vector, with and without a cache.
fn survivors(deltas: &[f32], band: (usize, usize), cache: Option<&TensorCache>) -> Vec<f32> {
    let (shape, experts) = ([deltas.len()], [Values::Slice(deltas)]);
    let tensor = TensorAcrossModels { cache, ..TensorAcrossModels::new("a", &shape, None, &experts) };
    let trims = Trim::bands(&tensor, &[band]).expect("in memory");
    let mut kept = vec![f32::NAN; deltas.len()];
    trims[0].weigh(1.0, 0, deltas, &mut kept);
    kept
}

#[test]
fn largest_magnitudes_survive_and_equal_ones_by_index() {
    let deltas = [1.0, -3.0, 2.0, -2.0, 2.0, 0.0];
    let kept = |count| survivors(&deltas, (0, count), None);
    assert_eq!(kept(0), [0.0; 6]);
    assert_eq!(kept(1), [0.0, -3.0, 0.0, 0.0, 0.0, 0.0]);
    assert_eq!(kept(2), [0.0, -3.0, 2.0, 0.0, 0.0, 0.0]);
    assert_eq!(kept(3), [0.0, -3.0, 2.0, -2.0, 0.0, 0.0]);
    assert_eq!(kept(5), [1.0, -3.0, 2.0, -2.0, 2.0, 0.0]);
}

#[test]
fn a_band_drops_the_largest_too() {
    let deltas = [1.0, -3.0, 2.0, -2.0, 2.0, 0.5];
    assert_eq!(survivors(&deltas, (2, 2), None), [0.0, 0.0, 0.0, -2.0, 2.0, 0.0]);
    assert_eq!(survivors(&deltas, (1, 5), None), [1.0, 0.0, 2.0, -2.0, 2.0, 0.5]);
    assert_eq!(survivors(&deltas, (6, 2), None), [0.0; 6]);
}

proptest! {
    #[test]
    fn selection_and_ranks_keep_the_same_entries(
        deltas in prop::collection::vec((-4..=4_i8).prop_map(f32::from), 2..200),
        dropped in any::<prop::sample::Index>(),
        kept in any::<prop::sample::Index>(),
        start in any::<prop::sample::Index>(),
    ) {
        let band = (dropped.index(deltas.len()), kept.index(deltas.len() + 1));
        let cache = TensorCache::new(1);
        let (by_rank, by_cutoff) = (survivors(&deltas, band, Some(&cache)), survivors(&deltas, band, None));
        prop_assert_eq!(&by_rank, &by_cutoff);
        // A part of the entries is weighed as it is among all.
        let (shape, experts) = ([deltas.len()], [Values::Slice(&deltas)]);
        let tensor = TensorAcrossModels::new("a", &shape, None, &experts);
        let trims = Trim::bands(&tensor, &[band])?;
        let start = start.index(deltas.len());
        let mut part = vec![f32::NAN; deltas.len() - start];
        trims[0].weigh(1.0, start, &deltas[start..], &mut part);
        prop_assert_eq!(&part, &by_cutoff[start..]);
    }
}
