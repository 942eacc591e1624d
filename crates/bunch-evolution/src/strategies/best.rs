//! The best of several strategies on dev data.

use bunch_merging::Info;
use bunch_search::Evaluation;
use serde::{Deserialize, Serialize};

use super::AnyStrategy;
use crate::EvolutionError;
use crate::strategy::{ByOptions, Cost, Environment, FoundModel, Sizes, Strategy};

/// Of several strategies without generated data the one whose model is best on dev data: the mean of accuracy, over the
/// tasks that models are selected on, and of safety, over harmful prompts. The first of equal ones wins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BestOf(pub Vec<AnyStrategy>);

impl BestOf {
    pub(crate) const BY_OPTIONS: Option<ByOptions> = None;
}

impl Strategy for BestOf {
    fn methods(&self) -> Vec<Info> {
        self.0.iter().flat_map(|strategy| strategy.methods()).collect()
    }

    fn cost(&self, experts: usize) -> Cost {
        let mut cost = Cost::default();
        for strategy in &self.0 {
            cost += strategy.cost(experts);
            cost += Cost { candidates: 1, dev_accuracies: 1, dev_safeties: 1, ..Cost::default() };
        }
        cost
    }

    fn check(&self, experts: usize) -> Result<(), EvolutionError> {
        let expected = |expected| EvolutionError::setting("best", format!("{} strategies", self.0.len()), expected);
        if self.0.is_empty() {
            return Err(expected("at least one strategy: this is the best of nothing"));
        }
        self.0.iter().try_for_each(|strategy| {
            if matches!(strategy, AnyStrategy::Best(_)) {
                return Err(expected("none that is the best of others itself"));
            }
            if !strategy.data().is_empty() {
                return Err(expected("strategies that look at dev data alone, not at generated data"));
            }
            strategy.check(experts)
        })
    }

    fn resize(&mut self, sizes: &Sizes) {
        self.0.iter_mut().for_each(|strategy| strategy.resize(sizes));
    }

    fn grid_parameters(&self) -> Vec<&str> {
        self.0.iter().flat_map(|strategy| strategy.grid_parameters()).collect()
    }

    fn trains(&self) -> bool {
        self.0.iter().any(|strategy| strategy.trains())
    }

    fn summary(&self) -> String {
        format!("Best of {} on dev data", self.0.len())
    }

    fn find(
        &self,
        environment: &Environment<'_>,
        name: &str,
        progress: &mut dyn FnMut(),
    ) -> Result<FoundModel, EvolutionError> {
        let objective = environment.objective;
        let mut best: Option<(f64, FoundModel)> = None;
        let mut trace = Vec::new();
        for (index, strategy) in self.0.iter().enumerate() {
            let mut model = strategy.find(environment, &format!("{name}/{index}"), progress)?;
            let loaded = objective.model(&model.weights)?;
            let (accuracy, safety) = (objective.dev_accuracy(&*loaded)?, objective.dev_safety(&*loaded)?);
            progress();
            let score = (accuracy + safety) / 2.0;
            // A search minimizes.
            trace.push(Evaluation { step: index, point: vec![index as f64], loss: -score, generation: 0, restart: 0 });
            let numbers = [("choice", index as f64), ("dev_accuracy", accuracy), ("dev_safety", safety)];
            model.found = model.found.with(numbers);
            if best.as_ref().is_none_or(|(other, _)| score > *other) {
                best = Some((score, model));
            }
        }
        let (_, mut model) = best.ok_or(EvolutionError::NoFiniteLoss)?;
        model.found.trace = trace;
        Ok(model)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted::{Scripted, first, pool};

    fn best(text: &str) -> BestOf {
        let AnyStrategy::Best(best) = toml::from_str(&format!("best = [{text}]")).unwrap() else { panic!("{text}") };
        best
    }

    #[test]
    fn the_best_on_dev_data_wins_and_the_first_of_equal_ones() {
        let strategy =
            best("{ member = 1 }, { member = 2 }, { fixed.merge.linear = { weights = [0.0, 1.0] } }, { member = 0 }");
        // Accuracy and safety are highest at 2.
        let scripted = Scripted { best_at: 2.0, safe_at: 2.0, ..Scripted::default() };
        let found = scripted.find(&strategy, &pool(2)).unwrap();
        assert_eq!((first(&found.weights), found.found.detail["choice"]), (2.0, 1.0));
        let losses: Vec<f64> = found.found.trace.iter().map(|evaluation| evaluation.loss).collect();
        assert_eq!(losses, [-99.0, -100.0, -100.0, -98.0]);
        // Four are scored, one of them is a merge.
        assert_eq!((scripted.progress.get(), strategy.cost(2).candidates, strategy.cost(2).merges), (5, 5, 1));
        assert_eq!((strategy.cost(2).dev_accuracies, strategy.cost(2).dev_safeties), (4, 4));
    }

    #[test]
    fn nothing_nested_choices_and_generated_data_are_rejected() {
        let error = |text: &str| best(text).check(1).unwrap_err().to_string();
        assert!(error("").contains("the best of nothing"));
        assert!(error("{ best = [{ member = 0 }] }").contains("none that is the best of others itself"));
        let cocktail = "{ member = 0 }, { lm_cocktail = { data = ['expert'], temperature = 1.0 } }";
        assert!(error(cocktail).contains("not at generated data"));
        assert!(error("{ member = 2 }").starts_with("member 2 of a pool of 2"));
        assert!(best("{ member = 0 }").check(1).is_ok());
    }

    #[test]
    fn sizes_reach_the_choices() {
        let mut strategy = best("{ grid = { merge = 'slerp', values = { t = [0.1, 0.9] } } }");
        assert_eq!(strategy.grid_parameters(), ["t"]);
        strategy.resize(&Sizes { grid: [("t".to_owned(), vec![0.5])].into(), ..Sizes::default() });
        assert_eq!(strategy.cost(1).candidates, 2);
    }
}
