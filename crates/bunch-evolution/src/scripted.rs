//! A pool, an objective and a trainer for tests: a model is worth what its first entry says.

use std::cell::Cell;
use std::sync::Arc;

use bunch_checkpoint::{StateDict, Tensor, Weights};
use bunch_lm::{ChatFormat, LanguageModel, LoglikelihoodRequest};
use bunch_testkit::{Bytes, END, ScriptedModel};

use crate::EvolutionError;
use crate::evaluations::Unkept;
use crate::generated_data::Data;
use crate::members::Members;
use crate::objective::{CallerError, Objective, Trainer};
use crate::strategies::front::Fronts;
use crate::strategies::preference::PreferenceTuning;
use crate::strategy::{Environment, FoundModel, Strategy};

/// A model of two layers, all of whose tensors begin with `value`.
fn model(value: f32) -> StateDict {
    let names =
        ["model.embed_tokens.weight", "model.layers.0.a.weight", "model.layers.1.a.weight", "model.norm.weight"];
    let tensor = || Tensor { shape: vec![2], data: Arc::new(vec![value, 1.0]) };
    names.map(|name| (name.to_owned(), tensor())).into()
}

/// A base of 0 and experts of 1, 2 and so on.
pub(crate) fn pool(experts: usize) -> Members {
    let experts = (1..=experts).map(|expert| Arc::new(model(expert as f32))).collect();
    Members::new(Arc::new(model(0.0)), experts).unwrap()
}

/// The first entry of a model.
pub(crate) fn first(weights: &StateDict) -> f32 {
    weights["model.embed_tokens.weight"].data[0]
}

/// An objective whose losses are distances of a model's first entry to what would be best.
#[derive(Clone)]
pub(crate) struct Scripted {
    pub(crate) name: &'static str,
    pub(crate) expert_at: f64,
    pub(crate) safety_at: f64,
    pub(crate) best_at: f64,
    pub(crate) safe_at: f64,
    /// Models that were loaded.
    pub(crate) loaded: Cell<usize>,
    /// How often progress was reported.
    pub(crate) progress: Cell<usize>,
}

impl Default for Scripted {
    fn default() -> Self {
        let (loaded, progress) = (Cell::new(0), Cell::new(0));
        Self { name: "block/row", expert_at: 0.0, safety_at: 0.0, best_at: 0.0, safe_at: 0.0, loaded, progress }
    }
}

impl Scripted {
    pub(crate) fn find(&self, strategy: &dyn Strategy, members: &Members) -> Result<FoundModel, EvolutionError> {
        self.find_with(strategy, members, &Fronts::default())
    }

    pub(crate) fn find_with(
        &self,
        strategy: &dyn Strategy,
        members: &Members,
        fronts: &Fronts,
    ) -> Result<FoundModel, EvolutionError> {
        let environment = Environment {
            members,
            objective: self,
            trainer: self,
            fronts,
            evaluations: &Unkept,
            seed: 3,
            recipe_only: false,
        };
        strategy.find(&environment, self.name, &mut || self.progress.set(self.progress.get() + 1))
    }
}

fn distance(model: &dyn LanguageModel, to: f64) -> Result<f64, CallerError> {
    let request = LoglikelihoodRequest { context: Bytes.prompt("")?, continuation: vec![END] };
    Ok((model.loglikelihood(&[request])?[0].sum - to).abs())
}

impl Objective for Scripted {
    fn model(&self, weights: &dyn Weights) -> Result<Box<dyn LanguageModel + '_>, CallerError> {
        self.loaded.set(self.loaded.get() + 1);
        let mut entries = [0.0; 2];
        weights.read("model.embed_tokens.weight", &mut entries)?;
        let value = entries[0].into();
        // Whatever is asked, the score is the model's first entry.
        Ok(Box::new(ScriptedModel::scoring(move |_, _| value)))
    }

    fn loss(&self, model: &dyn LanguageModel, data: Data) -> Result<f64, CallerError> {
        match data {
            Data::Expert => distance(model, self.expert_at),
            Data::Safety => distance(model, self.safety_at),
        }
    }

    fn dev_accuracy(&self, model: &dyn LanguageModel) -> Result<f64, CallerError> {
        Ok(100.0 - distance(model, self.best_at)?)
    }

    fn dev_safety(&self, model: &dyn LanguageModel) -> Result<f64, CallerError> {
        Ok(100.0 - distance(model, self.safe_at)?)
    }

    fn task_accuracy(&self, model: &dyn LanguageModel, _task: &str) -> Result<f64, CallerError> {
        self.dev_accuracy(model)
    }

    fn over_refusal(&self, model: &dyn LanguageModel) -> Result<f64, CallerError> {
        distance(model, self.safe_at)
    }
}

impl Trainer for Scripted {
    fn tune(
        &self,
        tuning: &PreferenceTuning,
        start: &StateDict,
        _seed: u64,
        step: &mut dyn FnMut(),
    ) -> Result<(StateDict, f64), CallerError> {
        (0..tuning.steps()).for_each(|_| step());
        Ok((model(first(start) + 10.0), 0.5))
    }
}
