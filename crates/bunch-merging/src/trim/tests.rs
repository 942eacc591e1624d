//! Which entries survive, counted by hand.

use super::{Trim, kept_count};
use crate::cache::TensorCache;
use crate::parameters::Density;
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

#[test]
fn largest_magnitudes_survive_and_equal_ones_by_index() {
    let deltas = [1.0, -3.0, 2.0, -2.0, 2.0, 0.0];
    let kept = |count| {
        let mut kept = [f32::NAN; 6];
        Trim::cutoff(&deltas, count).weigh(1.0, 0, &deltas, &mut kept);
        kept
    };
    assert_eq!(kept(1), [0.0, -3.0, 0.0, 0.0, 0.0, 0.0]);
    assert_eq!(kept(2), [0.0, -3.0, 2.0, 0.0, 0.0, 0.0]);
    assert_eq!(kept(3), [0.0, -3.0, 2.0, -2.0, 0.0, 0.0]);
    assert_eq!(kept(5), [1.0, -3.0, 2.0, -2.0, 2.0, 0.0]);
}

proptest! {
    #[test]
    fn selection_and_ranks_keep_the_same_entries(
        deltas in prop::collection::vec((-4..=4_i8).prop_map(f32::from), 2..200),
        part in any::<prop::sample::Index>(),
        start in any::<prop::sample::Index>(),
    ) {
        let kept = 1 + part.index(deltas.len() - 1);
        let cache = TensorCache::new(1);
        let ranks = Trim::Ranks { ranks: cache.ranks(0, &deltas), kept: kept as u32 };
        let cutoff = Trim::cutoff(&deltas, kept);
        let start = start.index(deltas.len());
        let (mut by_rank, mut by_cutoff) = (vec![f32::NAN; deltas.len() - start], vec![f32::NAN; deltas.len() - start]);
        ranks.weigh(0.5, start, &deltas[start..], &mut by_rank);
        cutoff.weigh(0.5, start, &deltas[start..], &mut by_cutoff);
        prop_assert_eq!(by_rank, by_cutoff);
        let survivors = cache.ranks(0, &deltas).iter().filter(|&&rank| (rank as usize) < kept).count();
        prop_assert_eq!(survivors, kept);
    }
}
