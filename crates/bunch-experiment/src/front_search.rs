//! A search for the front of both losses, and the points that rows take from it.

use std::collections::BTreeMap;
use std::sync::Mutex;

use bunch_search::{Compromise, Nsga2, Nsga2Config};
use serde::{Deserialize, Serialize};

use crate::ExperimentError;
use crate::criterion::Criterion;
use crate::evomm::{Family, Space, Variant};
use crate::weighting::{Data, Found, Weighted, named};

/// A two-objective search (NSGA-II) of L_safety and L_expert, and the point that a row takes from the front it finds: no
/// alpha weighs the losses beforehand.
///
/// Rows that differ in `point` alone share one search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrontSearch {
    /// The method.
    pub merge: Family,
    /// Merges that are evaluated, for all points together.
    pub evaluations: usize,
    /// Merges of a generation, at least 2.
    pub population: usize,
    /// Points that rows take, at least 2: evenly spread along the front's merges, in their order, both ends among them.
    pub points: usize,
    /// Which of them: from 1, the least L_safety, to `points`, the least L_expert.
    pub point: usize,
}

/// The fronts that were found with one pool, by what they were searched with.
#[derive(Default)]
pub(crate) struct Fronts(Mutex<BTreeMap<String, Vec<Compromise>>>);

impl FrontSearch {
    /// Rough cost in merges that are scored: of those that share the search each bears its part.
    pub(crate) fn evaluations_of_a_point(&self) -> usize {
        self.evaluations.div_ceil(self.points.max(1))
    }

    /// Refuses what cannot be searched.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.points < 2 || !(1..=self.points).contains(&self.point) {
            return Err(format!("point {} of {}, expected one of at least 2", self.point, self.points));
        }
        if self.population < 2 || self.evaluations < self.population {
            let (evaluations, population) = (self.evaluations, self.population);
            return Err(format!(
                "{evaluations} evaluations of populations of {population}, expected one of at least 2"
            ));
        }
        Ok(())
    }

    /// The merge at this point of the front. `progress` hears of the merges that were scored.
    pub(crate) fn find(
        &self,
        criterion: &Criterion<'_>,
        seed: u64,
        progress: &mut dyn FnMut(),
    ) -> Result<Weighted, ExperimentError> {
        let space = Space::new(self.merge, Variant::Text, None, criterion.pool);
        let front = self.front(&space, criterion, seed, progress)?;
        let Compromise { point, losses: [safety, expert] } = &front[self.index(front.len())];
        let mut detail = named(&space.genes(), point);
        let numbers = [("loss_expert", *expert), ("loss_safety", *safety), ("front", front.len() as f64)];
        detail.extend(numbers.map(|(name, number)| (name.to_owned(), number)));
        let weights = space.merge(criterion.pool, point, seed)?;
        Ok(Weighted { weights, found: Found { detail, trace: Vec::new() } })
    }

    /// Place among `count` merges.
    fn index(&self, count: usize) -> usize {
        let share = (self.point - 1) as f64 / (self.points - 1) as f64;
        (share * (count - 1) as f64).round() as usize
    }

    /// The front, from the least L_safety to the least L_expert; searched once, by the first who wants it.
    fn front(
        &self,
        space: &Space,
        criterion: &Criterion<'_>,
        seed: u64,
        progress: &mut dyn FnMut(),
    ) -> Result<Vec<Compromise>, ExperimentError> {
        let of_all = Self { point: 1, ..self.clone() };
        let key = serde_json::to_string(&of_all).expect("plain data");
        // Held while searching: another row that wants the same front waits for it.
        let mut known = criterion.fronts.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(front) = known.get(&key) {
            return Ok(front.clone());
        }
        let ranges = space.ranges();
        let mut search = Nsga2::new(Nsga2Config {
            lower: ranges.iter().map(|range| range.lower).collect(),
            upper: ranges.iter().map(|range| range.upper).collect(),
            population: self.population,
            max_evaluations: self.evaluations,
            seed,
            // Of the search, not of the row: whichever row comes first, the front is the same.
            name: "front".into(),
        })?;
        let mut evaluated = 0;
        while let Some(points) = search.propose() {
            let mut losses = Vec::new();
            for point in &points {
                let model = criterion.model(&space.merge(criterion.pool, point, seed)?)?;
                losses.push([criterion.loss(&model, Data::Safety)?, criterion.loss(&model, Data::Expert)?]);
                evaluated += 1;
                if evaluated % self.points == 0 {
                    progress();
                }
            }
            search.observe(&losses);
        }
        let front = search.front().to_vec();
        if front.is_empty() {
            return Err(ExperimentError::NoFront);
        }
        known.insert(key, front.clone());
        Ok(front)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(point: usize, points: usize) -> FrontSearch {
        FrontSearch { merge: Family::Ties, evaluations: 40, population: 20, points, point }
    }

    #[test]
    fn points_are_spread_from_end_to_end() {
        let places = |points, count| (1..=points).map(|point| search(point, points).index(count)).collect::<Vec<_>>();
        assert_eq!(places(5, 41), [0, 10, 20, 30, 40]);
        assert_eq!(places(2, 7), [0, 6]);
        assert_eq!(places(3, 1), [0, 0, 0]);
    }

    #[test]
    fn each_point_bears_its_part_of_the_search() {
        assert_eq!(search(1, 5).evaluations_of_a_point(), 8);
    }

    #[test]
    fn what_cannot_be_searched_is_refused() {
        assert!(search(1, 2).check().is_ok());
        for (point, points) in [(0, 5), (6, 5), (1, 1), (1, 0)] {
            assert!(search(point, points).check().is_err(), "{point} of {points}");
        }
        let few = FrontSearch { evaluations: 10, ..search(1, 2) };
        assert_eq!(few.check().unwrap_err(), "10 evaluations of populations of 20, expected one of at least 2");
        assert!(FrontSearch { population: 1, ..search(1, 2) }.check().is_err());
    }
}
