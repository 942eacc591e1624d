//! All combinations of a few values.

use std::collections::BTreeMap;

use bunch_merging::Info;
use bunch_search::{Grid, Search};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::EvolutionError;
use crate::evaluations::Numbers;
use crate::genes::{self, MethodName, Space, named};
use crate::objective::minimize;
use crate::strategies::fixed::BaseAs;
use crate::strategy::{ByOptions, Cost, Environment, Found, FoundMerge, FoundModel, Sizes, Strategy};

/// All combinations of the given values; the merge with the highest mean dev accuracy wins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GridSearch {
    /// The merge method.
    pub merge: MethodName,
    /// Parameters that are the same at every point.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub parameters: Map<String, Value>,
    /// Values by parameter: of each expert's own where there must be one for each, otherwise of the one that all share.
    pub values: BTreeMap<String, Vec<f64>>,
}

impl GridSearch {
    pub(crate) const BY_OPTIONS: Option<ByOptions> = Some(ByOptions {
        summary: "All combinations of values, by accuracy on the pool's dev questions",
        settings: &["merge", "parameters", "values"],
    });

    fn space(&self, experts: usize) -> Result<Space, EvolutionError> {
        let ends = |values: &Vec<f64>| {
            let ends = [f64::INFINITY, f64::NEG_INFINITY];
            values.iter().fold(ends, |[low, high], &value| [low.min(value), high.max(value)])
        };
        let ranges = self.values.iter().map(|(name, values)| (name.clone(), ends(values))).collect();
        Space::new(&self.merge, &self.parameters, &ranges, genes::shared, experts)
    }

    fn axes(&self, space: &Space) -> Vec<Vec<f64>> {
        space.genes_with_parameters().map(|(_, parameter)| self.values[parameter].clone()).collect()
    }
}

impl Strategy for GridSearch {
    fn methods(&self) -> Vec<Info> {
        vec![self.merge.info()]
    }

    fn cost(&self, experts: usize) -> Cost {
        // What has no space is refused by `check`.
        let points = self.space(experts).map_or(0, |space| self.axes(&space).iter().map(Vec::len).product());
        Cost { candidates: points, merges: points + 1, dev_accuracies: points, ..Cost::default() }
    }

    fn check(&self, experts: usize) -> Result<(), EvolutionError> {
        if self.values.is_empty() {
            return Err(EvolutionError::setting(
                "values",
                "empty",
                "values of at least one parameter: the grid is empty",
            ));
        }
        if let Some((parameter, _)) = self.values.iter().find(|(_, values)| values.is_empty()) {
            let expected = format!("at least one value of `{parameter}`: the grid is empty");
            return Err(EvolutionError::setting("values", format!("{parameter} = []"), expected));
        }
        self.space(experts)?.check(experts)
    }

    fn resize(&mut self, sizes: &Sizes) {
        for (name, values) in &mut self.values {
            if let Some(instead) = sizes.grid.get(name) {
                values.clone_from(instead);
            }
        }
    }

    fn grid_parameters(&self) -> Vec<&str> {
        self.values.keys().map(String::as_str).collect()
    }

    fn summary(&self) -> String {
        "Best mean dev accuracy of a grid".into()
    }

    fn find(
        &self,
        environment: &Environment<'_>,
        _name: &str,
        progress: &mut dyn FnMut(),
    ) -> Result<FoundModel, EvolutionError> {
        let Environment { members, objective, seed, .. } = *environment;
        let space = self.space(members.expert_count())?;
        let mut search = Grid::new(self.axes(&space))?;
        let best = minimize(&mut search, &mut |point| {
            let scores = environment.evaluations.scores(&named(&space.genes(), point), &mut || {
                let merged = members.candidate(space.method(point)?, BaseAs::Reference, seed)?;
                let accuracy = objective.dev_accuracy(&*objective.model(&merged)?)?;
                Ok(Numbers::from([("dev_accuracy".to_owned(), accuracy)]))
            })?;
            progress();
            // A search minimizes.
            Ok(-scores["dev_accuracy"])
        })?;
        let accuracy = search.best().map_or(f64::NAN, |(_, loss)| -loss);
        let method = space.method(&best)?;
        let weights = environment.weights(&members.candidate(method.clone(), BaseAs::Reference, seed)?)?;
        let found = Found { detail: named(&space.genes(), &best), trace: search.trace().to_vec() };
        let found = found.with([("dev_accuracy", accuracy)]);
        Ok(FoundModel { weights, found, merge: FoundMerge::with_base(method) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted::{Scripted, first, pool};

    fn grid(text: &str) -> GridSearch {
        toml::from_str(text).unwrap()
    }

    const TIES: &str =
        "merge = 'ties'\nparameters.normalize = false\nvalues = { density = [0.5, 1.0], weight = [0.25, 0.75] }";

    #[test]
    fn each_expert_has_its_weights_and_all_share_a_density() {
        let scripted = Scripted::default();
        let found = scripted.find(&grid(TIES), &pool(2)).unwrap();
        let points: Vec<&[f64]> = found.found.trace.iter().map(|evaluation| evaluation.point.as_slice()).collect();
        assert_eq!(points[..3], [[0.25, 0.25, 0.5], [0.25, 0.25, 1.0], [0.25, 0.75, 0.5]]);
        assert_eq!((points.len(), scripted.progress.get(), grid(TIES).cost(2).candidates), (8, 8, 8));
        let names: Vec<&str> = found.found.detail.keys().map(String::as_str).collect();
        assert_eq!(names, ["density", "dev_accuracy", "weight_1", "weight_2"]);
    }

    #[test]
    fn the_first_of_equal_points_wins_and_its_merge_is_the_model() {
        // Dev accuracy is highest where the first entry is 1, of the expert that is 1: at weight 1 twice.
        let search = grid("merge = 'task_arithmetic'\nvalues = { weight = [0.5, 1.0, 1.0] }");
        let found = Scripted { best_at: 1.0, ..Scripted::default() }.find(&search, &pool(1)).unwrap();
        assert_eq!((first(&found.weights), found.found.detail["weight_1"]), (1.0, 1.0));
        let losses: Vec<f64> = found.found.trace.iter().map(|evaluation| evaluation.loss).collect();
        assert_eq!(losses[1], losses[2]);
        assert_eq!(found.found.detail["dev_accuracy"], -losses[1]);
    }

    #[test]
    fn a_scale_replaces_values_by_parameter() {
        let mut search = grid(TIES);
        let sizes = BTreeMap::from([("weight".to_owned(), vec![1.0]), ("t".to_owned(), vec![0.5])]);
        search.resize(&Sizes { grid: sizes, ..Sizes::default() });
        assert_eq!((&search.values["weight"], &search.values["density"]), (&vec![1.0], &vec![0.5, 1.0]));
        assert_eq!(search.values.len(), 2);
    }

    #[test]
    fn bad_grids_are_rejected() {
        let error = |text: &str, experts| grid(text).check(experts).unwrap_err().to_string();
        assert!(error("merge = 'ties'\nvalues = {}", 1).contains("the grid is empty"));
        assert!(error("merge = 'ties'\nvalues = { weight = [] }", 1).contains("the grid is empty"));
        let unknown = error("merge = 'ties'\nvalues = { weigth = [1.0] }", 1);
        assert!(unknown.starts_with("ties has no parameter `weigth` (did you mean `weight`?)"), "{unknown}");
        assert!(error("merge = 'slerp'\nvalues = { t = [0.5] }", 2).contains("exactly one expert"));
        assert!(error("merge = 'ties'\nvalues = { density = [0.5, 1.5] }", 2).contains("density"));
        assert!(grid(TIES).check(3).is_ok());
    }
}
