//! One seed's world and models, and everything its merges are measured with.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use bunch_checkpoint::StateDict;
use bunch_evaluation::{ChatFormat, EvaluationError, Exchange, GuardJudge, Judge, Verdict, evaluate_multiple_choice};
use bunch_llama::LlamaModel;
use bunch_tuning::Silent;
use burn::tensor::Device;

use crate::ExperimentError;
use crate::experiment::{Scale, WorldKind};
use crate::miniature::Miniature;
use crate::small::Small;
use crate::world::{EvaluationSets, GUARD, Trained, World};

/// Where a world finds and keeps its things.
pub(crate) struct Places<'a> {
    /// The checkout, with `data/`.
    pub(crate) root: &'a Path,
    /// Trained models, generated data, cells.
    pub(crate) cache: &'a Path,
    /// Pretrained models that the user fetched.
    pub(crate) models: &'a Path,
}

/// The world of one seed, and its evaluation sets.
pub(crate) struct Workbench {
    pub(crate) seed: u64,
    pub(crate) world: Box<dyn World>,
    pub(crate) sets: EvaluationSets,
    /// Loaded once, since every row asks it.
    guard: OnceLock<LlamaModel>,
    /// What the guard said of each exchange: many models give the same answers.
    verdicts: Mutex<BTreeMap<Exchange, Verdict>>,
}

impl Workbench {
    /// The workbench of `seed`.
    pub(crate) fn new(
        seed: u64,
        scale: &Scale,
        places: &Places<'_>,
        device: &Device,
        device_name: &str,
    ) -> Result<Self, ExperimentError> {
        let world: Box<dyn World> = match scale.world {
            WorldKind::Miniature => Box::new(Miniature::new(seed, places.cache, device, device_name)?),
            WorldKind::Small => Box::new(Small::new(seed, scale, places, device, device_name)?),
        };
        let sets = world.evaluation_sets(scale)?;
        Ok(Self { seed, world, sets, guard: OnceLock::new(), verdicts: Mutex::new(BTreeMap::new()) })
    }

    pub(crate) fn format(&self) -> &dyn ChatFormat {
        self.world.format()
    }

    /// A model with these weights on this workbench's device.
    pub(crate) fn model(&self, weights: &StateDict) -> Result<LlamaModel, ExperimentError> {
        self.world.language_model(weights)
    }

    /// A model of the world, which must have been trained before.
    pub(crate) fn member(&self, name: &str) -> Result<Trained, ExperimentError> {
        self.world.trained(name, &mut Silent)
    }

    /// Weights of a model of the world, which must have been trained before.
    pub(crate) fn weights(&self, name: &str) -> Result<Arc<StateDict>, ExperimentError> {
        Ok(self.member(name)?.weights)
    }

    /// Share of a task's dev questions that are answered right, in percent.
    pub(crate) fn dev_accuracy(&self, model: &LlamaModel, task: &str) -> Result<f64, ExperimentError> {
        Ok(evaluate_multiple_choice(model, self.format(), &self.sets.dev[task])?.acc().percent())
    }

    /// The guard of this world, which must have been trained before.
    pub(crate) fn guard(&self) -> Result<Guard<'_>, ExperimentError> {
        let model = match self.guard.get() {
            Some(model) => model,
            None => {
                let weights = self.weights(GUARD)?;
                let loaded = self.model(&weights)?;
                self.guard.get_or_init(|| loaded)
            }
        };
        Ok(Guard { model, bench: self })
    }
}

/// The guard model as a judge that remembers its verdicts.
pub(crate) struct Guard<'a> {
    model: &'a LlamaModel,
    bench: &'a Workbench,
}

impl Judge for Guard<'_> {
    fn judge(&self, exchanges: &[Exchange]) -> Result<Vec<Verdict>, EvaluationError> {
        let memory = || self.bench.verdicts.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let unknown: Vec<Exchange> = {
            let known = memory();
            exchanges.iter().filter(|exchange| !known.contains_key(exchange)).cloned().collect()
        };
        let world = &self.bench.world;
        let judge = GuardJudge {
            model: self.model,
            format: world.guard_format(),
            max_new_tokens: world.manner().verdict_tokens,
        };
        let verdicts = if unknown.is_empty() { Vec::new() } else { judge.judge(&unknown)? };
        let mut known = memory();
        known.extend(unknown.into_iter().zip(verdicts));
        Ok(exchanges.iter().map(|exchange| known[exchange]).collect())
    }
}
