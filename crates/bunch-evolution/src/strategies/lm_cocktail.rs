//! LM-Cocktail: weights by the members' log-likelihood of the data.

use bunch_merging::{Info, Linear, MergeMethod, Method};
use bunch_search::softmax_weights;
use serde::{Deserialize, Serialize};

use crate::EvolutionError;
use crate::evaluations::Numbers;
use crate::generated_data::Data;
use crate::genes::named;
use crate::strategies::fixed::BaseAs;
use crate::strategy::{ByOptions, Cost, Environment, Found, FoundMerge, FoundModel, Strategy};

/// LM-Cocktail: weights of all models by softmax of their log-likelihood of the data (Hammoud et al. 2024, Eq. 3).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LikelihoodWeights {
    /// Which data the members are scored on.
    pub data: Vec<Data>,
    /// Temperature of the softmax.
    pub temperature: f64,
}

impl LikelihoodWeights {
    pub(crate) const BY_OPTIONS: Option<ByOptions> = Some(ByOptions {
        summary: "Weights of all members by their likelihood of the data",
        settings: &["data", "temperature"],
    });
}

impl Strategy for LikelihoodWeights {
    fn data(&self) -> &[Data] {
        &self.data
    }

    fn methods(&self) -> Vec<Info> {
        vec![Linear::INFO]
    }

    fn cost(&self, experts: usize) -> Cost {
        Cost { candidates: experts + 1, merges: 1, losses: (experts + 1) * self.data.len(), ..Cost::default() }
    }

    fn check(&self, _experts: usize) -> Result<(), EvolutionError> {
        if self.data.is_empty() {
            return Err(EvolutionError::setting("data", "empty", "\"expert\", \"safety\" or both"));
        }
        if !(self.temperature.is_finite() && self.temperature > 0.0) {
            return Err(EvolutionError::setting("temperature", self.temperature, "a number above 0"));
        }
        Ok(())
    }

    fn summary(&self) -> String {
        "Weights by the members' log-likelihood of the answers".into()
    }

    fn find(
        &self,
        environment: &Environment<'_>,
        _name: &str,
        progress: &mut dyn FnMut(),
    ) -> Result<FoundModel, EvolutionError> {
        let Environment { members, objective, seed, .. } = *environment;
        let mut scores = Vec::new();
        for (index, member) in members.all_weights().enumerate() {
            let point = Numbers::from([("member".to_owned(), index as f64)]);
            let losses = environment.evaluations.scores(&point, &mut || {
                let model = objective.model(member)?;
                let loss = |&data: &Data| Ok((data.loss_name().to_owned(), objective.loss(&*model, data)?));
                self.data.iter().map(loss).collect()
            })?;
            let losses: Vec<f64> = self.data.iter().map(|data| losses[data.loss_name()]).collect();
            progress();
            // Every kind of data has K pairs, so the mean over all pairs is the mean of the means.
            scores.push(-losses.iter().sum::<f64>() / losses.len() as f64);
        }
        let weights = softmax_weights(&scores, self.temperature)?;
        let names: Vec<String> = (0..weights.len()).map(|index| format!("weight_{index}")).collect();
        let found = Found { detail: named(&names, &weights), trace: Vec::new() };
        let weights = weights.iter().map(|&weight| weight as f32).collect();
        let method: Method = Linear { weights, ..Linear::default() }.into();
        let weights = environment.weights(&members.candidate(method.clone(), BaseAs::Expert, seed)?)?;
        Ok(FoundModel { weights, found, merge: Some(FoundMerge { method, base: BaseAs::Expert }) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted::{Scripted, first, pool};

    fn cocktail(text: &str) -> LikelihoodWeights {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn the_better_a_member_predicts_the_data_the_more_it_weighs() {
        // The loss on expert data is the distance of the first entry to 2, which is that of the second expert.
        let scripted = Scripted { expert_at: 2.0, ..Scripted::default() };
        let strategy = cocktail("data = ['expert']\ntemperature = 1.0");
        let found = scripted.find(&strategy, &pool(2)).unwrap();
        let sum = (-2f64).exp() + (-1f64).exp() + 1.0;
        let weights: Vec<f64> = (0..3).map(|index| found.found.detail[&format!("weight_{index}")]).collect();
        for (weight, loss) in weights.iter().zip([2f64, 1.0, 0.0]) {
            assert!((weight - (-loss).exp() / sum).abs() < 1e-12);
        }
        let merged = (weights[1] + 2.0 * weights[2]) as f32;
        assert!((first(&found.weights) - merged).abs() < 1e-6);
        assert_eq!((scripted.progress.get(), strategy.cost(2).candidates), (3, 3));
    }

    #[test]
    fn no_data_and_temperatures_of_zero_are_rejected() {
        assert!(cocktail("data = []\ntemperature = 1.0").check(1).unwrap_err().to_string().contains("`data` is empty"));
        let error = cocktail("data = ['expert']\ntemperature = 0.0").check(1).unwrap_err();
        assert_eq!(error.to_string(), "`temperature` is 0, expected a number above 0");
    }
}
