//! A search for the front of both losses, and the points that rows take from it.

use std::collections::BTreeMap;
use std::sync::Mutex;

use bunch_merging::Info;
use bunch_search::{Compromise, Nsga2, Nsga2Config};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::EvolutionError;
use crate::generated_data::Data;
use crate::genes::{self, MethodName, Space, named};
use crate::strategies::fixed::BaseAs;
use crate::strategy::{ByOptions, Cost, Environment, Found, FoundMerge, FoundModel, Sizes, Strategy};

/// A two-objective search (NSGA-II) of L_safety and L_expert, and the point that a row takes from the front it finds: no
/// alpha weighs the losses beforehand.
///
/// Rows that differ in `point` alone share one search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrontSearch {
    /// The merge method.
    pub merge: MethodName,
    /// Parameters that are the same at every point.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub parameters: Map<String, Value>,
    /// Range of each parameter that is searched.
    pub genes: BTreeMap<String, [f64; 2]>,
    /// Merges that are evaluated, for all points together.
    pub evaluations: usize,
    /// Merges of a generation, at least 2.
    pub population: usize,
    /// Points that rows take, at least 2: evenly spread along the front's merges, in their order, both ends among them.
    pub points: usize,
    /// Which of them: from 1, the least L_safety, to `points`, the least L_expert.
    pub point: usize,
}

/// The fronts found in one pool, by what they were searched with.
#[derive(Debug, Default)]
pub struct Fronts(Mutex<BTreeMap<String, Vec<Compromise>>>);

impl FrontSearch {
    pub(crate) const BY_OPTIONS: Option<ByOptions> = Some(ByOptions {
        summary: "NSGA-II on L_safety and L_expert",
        settings: &["merge", "parameters", "genes", "evaluations", "population", "points", "point"],
    });

    fn space(&self, experts: usize) -> Result<Space, EvolutionError> {
        Space::new(&self.merge, &self.parameters, &self.genes, genes::per_expert, experts)
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
        environment: &Environment<'_>,
        progress: &mut dyn FnMut(),
    ) -> Result<Vec<Compromise>, EvolutionError> {
        let Environment { members, objective, seed, .. } = *environment;
        let of_all = Self { point: 1, ..self.clone() };
        let key = serde_json::to_string(&of_all).expect("plain data");
        // Held while searching: another row that wants the same front waits for it.
        let mut known = environment.fronts.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(front) = known.get(&key) {
            return Ok(front.clone());
        }
        let genes = space.genes();
        let mut search = Nsga2::new(Nsga2Config {
            lower: genes.iter().map(|gene| gene.lower).collect(),
            upper: genes.iter().map(|gene| gene.upper).collect(),
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
                let scores = environment.evaluations.scores(&named(&genes, point), &mut || {
                    let model =
                        objective.model(&members.candidate(space.method(point)?, BaseAs::Reference, seed)?)?;
                    let loss = |data: Data| Ok((data.loss_name().to_owned(), objective.loss(&*model, data)?));
                    [Data::Safety, Data::Expert].into_iter().map(loss).collect()
                })?;
                losses.push([Data::Safety, Data::Expert].map(|data| scores[data.loss_name()]));
                evaluated += 1;
                if evaluated % self.points == 0 {
                    progress();
                }
            }
            search.observe(&losses);
        }
        let front = search.front().to_vec();
        if front.is_empty() {
            return Err(EvolutionError::NoFiniteLoss);
        }
        known.insert(key, front.clone());
        Ok(front)
    }
}

impl Strategy for FrontSearch {
    fn data(&self) -> &[Data] {
        &[Data::Expert, Data::Safety]
    }

    fn methods(&self) -> Vec<Info> {
        vec![self.merge.info()]
    }

    fn cost(&self, _experts: usize) -> Cost {
        // Of the rows that share the search each bears its part.
        let candidates = self.evaluations.div_ceil(self.points.max(1));
        Cost { candidates, merges: candidates + 1, losses: 2 * candidates, ..Cost::default() }
    }

    fn check(&self, experts: usize) -> Result<(), EvolutionError> {
        let Self { points, point, population, evaluations, .. } = self;
        if *points < 2 {
            return Err(EvolutionError::setting("points", points, "at least 2"));
        }
        if !(1..=*points).contains(point) {
            return Err(EvolutionError::setting("point", point, format!("one from 1 to {points}")));
        }
        if *population < 2 {
            return Err(EvolutionError::setting("population", population, "at least 2"));
        }
        if evaluations < population {
            let expected = format!("at least one population of {population}");
            return Err(EvolutionError::setting("evaluations", evaluations, expected));
        }
        self.space(experts)?.check(experts)
    }

    fn resize(&mut self, sizes: &Sizes) {
        self.evaluations = sizes.evaluations.unwrap_or(self.evaluations);
    }

    fn reports_losses(&self) -> bool {
        true
    }

    fn summary(&self) -> String {
        let Self { evaluations, point, points, .. } = self;
        format!("Point {point} of {points} on the front of L_safety and L_expert, of {evaluations} merges, by NSGA-II")
    }

    fn find(
        &self,
        environment: &Environment<'_>,
        _name: &str,
        progress: &mut dyn FnMut(),
    ) -> Result<FoundModel, EvolutionError> {
        let Environment { members, seed, .. } = *environment;
        let space = self.space(members.expert_count())?;
        let front = self.front(&space, environment, progress)?;
        let Compromise { point, losses: [safety, expert] } = &front[self.index(front.len())];
        let found = Found { detail: named(&space.genes(), point), trace: Vec::new() };
        let numbers = [("loss_expert", *expert), ("loss_safety", *safety), ("front", front.len() as f64)];
        let method = space.method(point)?;
        let weights = environment.weights(&members.candidate(method.clone(), BaseAs::Reference, seed)?)?;
        Ok(FoundModel { weights, found: found.with(numbers), merge: FoundMerge::with_base(method) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted::{Scripted, first, pool};

    fn search(point: usize, points: usize) -> FrontSearch {
        let text = "merge = 'slerp'\ngenes = { t = [0, 1] }\nevaluations = 40\npopulation = 20\npoints = 5\npoint = 1";
        FrontSearch { point, points, ..toml::from_str(text).unwrap() }
    }

    #[test]
    fn points_are_spread_from_end_to_end() {
        let places = |points, count| (1..=points).map(|point| search(point, points).index(count)).collect::<Vec<_>>();
        assert_eq!(places(5, 41), [0, 10, 20, 30, 40]);
        assert_eq!(places(2, 7), [0, 6]);
        assert_eq!(places(3, 1), [0, 0, 0]);
    }

    #[test]
    fn rows_share_one_search_and_take_points_from_the_safest_to_the_most_capable() {
        // Between the base at 0 and the expert at 1 every merge is a compromise.
        let scripted = Scripted { expert_at: 1.0, ..Scripted::default() };
        let (members, fronts) = (pool(1), Fronts::default());
        let find = |point| scripted.find_with(&search(point, 5), &members, &fronts).unwrap();
        let found: Vec<FoundModel> = (1..=5).map(find).collect();
        assert_eq!((scripted.loaded.get(), scripted.progress.get(), search(1, 5).cost(1).candidates), (40, 8, 8));
        assert!(found.windows(2).all(|pair| first(&pair[0].weights) <= first(&pair[1].weights)));
        assert!(found.windows(2).all(|pair| pair[0].found.detail["front"] == pair[1].found.detail["front"]));
        let again = scripted.find(&search(5, 5), &members).unwrap();
        assert_eq!(again.found, found[4].found);
    }

    #[test]
    fn what_cannot_be_searched_is_rejected() {
        assert!(search(1, 2).check(1).is_ok());
        for (point, points) in [(0, 5), (6, 5), (1, 1), (1, 0)] {
            assert!(search(point, points).check(1).is_err(), "{point} of {points}");
        }
        let few = FrontSearch { evaluations: 10, ..search(1, 2) };
        assert_eq!(
            few.check(1).unwrap_err().to_string(),
            "`evaluations` is 10, expected at least one population of 20"
        );
        assert!(FrontSearch { population: 1, ..search(1, 2) }.check(1).is_err());
        assert!(search(1, 2).check(2).unwrap_err().to_string().contains("exactly one expert"));
    }
}
