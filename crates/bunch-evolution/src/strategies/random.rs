//! Random search: the baseline that every search is compared with.

use std::collections::BTreeMap;

use bunch_merging::Info;
use bunch_random::Stream;
use bunch_search::{Evaluation, Search};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::EvolutionError;
use crate::generated_data::Data;
use crate::genes::{self, Gene, MethodName, Space};
use crate::goal::Goal;
use crate::objective::{Target, find_best};
use crate::strategies::fixed::BaseAs;
use crate::strategy::{ByOptions, Cost, Environment, FoundMerge, FoundModel, Sizes, Strategy};

/// Random search: merges drawn uniformly from the genes' ranges, of which the least loss wins. With EvoMM's budget and loss
/// it says what the evolution is worth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandomSearch {
    /// The merge method.
    pub merge: MethodName,
    /// Parameters that are the same at every point.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub parameters: Map<String, Value>,
    /// Range of each parameter that is searched.
    pub genes: BTreeMap<String, [f64; 2]>,
    /// Which losses count.
    pub data: Vec<Data>,
    /// Weight of L_expert next to L_safety; without safety data L_expert stands alone.
    pub alpha: f64,
    /// Merges that are evaluated.
    pub evaluations: usize,
    /// What makes a merge the best, instead of the losses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goal: Option<Goal>,
}

impl RandomSearch {
    pub(crate) const BY_OPTIONS: Option<ByOptions> = Some(ByOptions {
        summary: "Points drawn uniformly, by the same loss",
        settings: &["merge", "parameters", "genes", "data", "alpha", "evaluations", "goal"],
    });

    fn target(&self) -> Target<'_> {
        Target { data: &self.data, alpha: self.alpha, goal: self.goal.as_ref() }
    }

    fn space(&self, experts: usize) -> Result<Space, EvolutionError> {
        Space::new(&self.merge, &self.parameters, &self.genes, genes::per_expert, experts)
    }
}

/// Points drawn one by one.
struct Draws<'a> {
    genes: &'a [Gene],
    stream: Stream,
    evaluations: usize,
    /// The point that waits for its loss.
    point: Option<Vec<f64>>,
    trace: Vec<Evaluation>,
}

impl Search for Draws<'_> {
    fn propose(&mut self) -> Option<Vec<Vec<f64>>> {
        if self.trace.len() == self.evaluations {
            return None;
        }
        let draw = || self.genes.iter().map(|gene| self.stream.random_range(gene.lower..gene.upper)).collect();
        Some(vec![self.point.get_or_insert_with(draw).clone()])
    }

    fn observe(&mut self, losses: &[f64]) {
        let (point, step) = (self.point.take().expect("a proposed point"), self.trace.len());
        let loss = if losses[0].is_nan() { f64::INFINITY } else { losses[0] };
        self.trace.push(Evaluation { step, point, loss, generation: step, restart: 0 });
    }

    fn best(&self) -> Option<(&[f64], f64)> {
        // The first of equal ones.
        let best = self.trace.iter().min_by(|a, b| a.loss.total_cmp(&b.loss))?;
        best.loss.is_finite().then_some((best.point.as_slice(), best.loss))
    }

    fn trace(&self) -> &[Evaluation] {
        &self.trace
    }
}

impl Strategy for RandomSearch {
    fn data(&self) -> &[Data] {
        &self.data
    }

    fn methods(&self) -> Vec<Info> {
        vec![self.merge.info()]
    }

    fn cost(&self, _experts: usize) -> Cost {
        let candidates = self.evaluations;
        Cost { candidates, merges: candidates + 1, losses: candidates * self.data.len(), ..Cost::default() }
    }

    fn check(&self, experts: usize) -> Result<(), EvolutionError> {
        self.target().check()?;
        if self.evaluations == 0 {
            return Err(EvolutionError::setting("evaluations", 0, "at least 1"));
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
        format!("Least loss of {} random merges", self.evaluations)
    }

    fn find(
        &self,
        environment: &Environment<'_>,
        name: &str,
        progress: &mut dyn FnMut(),
    ) -> Result<FoundModel, EvolutionError> {
        let Environment { members, seed, .. } = *environment;
        let space = self.space(members.expert_count())?;
        let genes: Vec<Gene> = space.genes().into_iter().cloned().collect();
        let stream = bunch_random::stream(seed, &["random search", name]);
        let (evaluations, point, trace) = (self.evaluations, None, Vec::new());
        let mut search = Draws { genes: &genes, stream, evaluations, point, trace };
        let merge = |point: &[f64]| members.candidate(space.method(point)?, BaseAs::Reference, seed);
        let (best, found) = find_best(environment, &mut search, &genes, &merge, &self.target(), progress)?;
        Ok(FoundModel { merge: FoundMerge::with_base(space.method(&best)?), ..found })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted::{Scripted, first, pool};

    fn random(evaluations: usize) -> RandomSearch {
        let text =
            "merge = 'dare_ties'\ngenes = { density = [0.5, 1], weight = [-1, 2] }\ndata = ['expert']\nalpha = 0.3\n";
        toml::from_str(&format!("{text}evaluations = {evaluations}")).unwrap()
    }

    #[test]
    fn every_point_is_in_range_and_the_budget_is_kept() {
        let scripted = Scripted { expert_at: 1.5, ..Scripted::default() };
        let found = scripted.find(&random(50), &pool(2)).unwrap();
        assert_eq!((found.found.trace.len(), scripted.progress.get(), random(50).cost(2).candidates), (50, 50, 50));
        for evaluation in &found.found.trace {
            let [weights, densities] = [&evaluation.point[..2], &evaluation.point[2..]];
            assert!(weights.iter().all(|weight| (-1.0..2.0).contains(weight)), "{weights:?}");
            assert!(densities.iter().all(|density| (0.5..1.0).contains(density)), "{densities:?}");
        }
        let least = found.found.trace.iter().map(|evaluation| evaluation.loss).fold(f64::INFINITY, f64::min);
        assert_eq!(found.found.detail["loss"], least);
        assert!((f64::from(first(&found.weights)) - 1.5).abs() - least < 1e-6);
    }

    #[test]
    fn the_name_keys_the_draws_and_a_smaller_budget_sees_the_same_first_points() {
        let (scripted, members) = (Scripted::default(), pool(2));
        let points = |search: &RandomSearch, scripted: &Scripted| -> Vec<Vec<f64>> {
            let found = scripted.find(search, &members).unwrap();
            found.found.trace.into_iter().map(|evaluation| evaluation.point).collect()
        };
        assert_eq!(points(&random(20), &scripted)[..5], points(&random(5), &scripted));
        let other = Scripted { name: "block/other", ..Scripted::default() };
        assert_ne!(points(&random(5), &scripted), points(&random(5), &other));
    }

    #[test]
    fn the_first_of_equal_points_wins() {
        let genes = [Gene { name: "t".into(), lower: 0.0, upper: 1.0, start: 0.5 }];
        let stream = bunch_random::stream(0, &["test"]);
        let mut draws = Draws { genes: &genes, stream, evaluations: 4, point: None, trace: Vec::new() };
        for loss in [f64::NAN, 2.0, 1.0, 1.0] {
            assert_eq!(draws.propose(), draws.propose());
            draws.observe(&[loss]);
        }
        assert_eq!((draws.propose(), draws.best()), (None, Some((draws.trace[2].point.as_slice(), 1.0))));
    }

    #[test]
    fn what_cannot_be_searched_is_rejected() {
        assert_eq!(random(0).check(2).unwrap_err().to_string(), "`evaluations` is 0, expected at least 1");
        let unknown = RandomSearch { genes: [("wieght".to_owned(), [0.0, 1.0])].into(), ..random(5) };
        assert!(unknown.check(2).unwrap_err().to_string().contains("did you mean `weight`?"));
        assert!(random(5).check(2).is_ok());
    }
}
