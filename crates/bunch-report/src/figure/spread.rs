//! Marks that would hide each other, set around their common place.

use crate::marker::MARK;
use std::f64::consts::PI;

/// Distance in points below which one mark hides the other.
const HIDDEN: f64 = MARK;
/// Distance between neighbours around a place.
const APART: f64 = 2.2 * MARK;

/// Where the marks at `places` are drawn: at their places, or on a circle around the middle of those that coincide.
///
/// Marks belong together that are closer than [`HIDDEN`] to the first of them.
pub(super) fn spread(places: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (index, place) in places.iter().enumerate() {
        let distance = |first: usize| (place.0 - places[first].0).hypot(place.1 - places[first].1);
        match groups.iter_mut().find(|group| distance(group[0]) < HIDDEN) {
            Some(group) => group.push(index),
            None => groups.push(vec![index]),
        }
    }
    let mut spread = places.to_vec();
    for group in groups.iter().filter(|group| group.len() > 1) {
        let count = group.len() as f64;
        let middle = |pick: fn((f64, f64)) -> f64| group.iter().map(|&index| pick(places[index])).sum::<f64>() / count;
        let (x, y) = (middle(|place| place.0), middle(|place| place.1));
        let radius = APART / 2.0 / (PI / count).sin();
        for (position, &index) in group.iter().enumerate() {
            // From the left, clockwise: two lie side by side.
            let angle = PI + 2.0 * PI * position as f64 / count;
            spread[index] = (x + radius * angle.cos(), y + radius * angle.sin());
        }
    }
    spread
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn two_lie_side_by_side() {
        let found = spread(&[(10.0, 10.0), (50.0, 10.0), (10.0, 12.0)]);
        assert_eq!(found[1], (50.0, 10.0));
        assert!((found[0].0 - (10.0 - APART / 2.0)).abs() < 1e-9 && (found[0].1 - 11.0).abs() < 1e-9);
        assert!((found[2].0 - (10.0 + APART / 2.0)).abs() < 1e-9);
        assert!(spread(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn marks_of_one_place_are_all_seen(count in 2..12_usize) {
            let found = spread(&vec![(5.0, 5.0); count]);
            for (index, a) in found.iter().enumerate() {
                for b in &found[..index] {
                    prop_assert!((a.0 - b.0).hypot(a.1 - b.1) > APART - 1e-9);
                }
            }
        }
    }
}
