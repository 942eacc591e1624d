//! What a zoo trains: models by name, what each starts from and what it is taught.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bunch_checkpoint::{StateDict, sha256_bytes};
use bunch_lm::ChatFormat;
use bunch_transformer::LlamaConfig;
use bunch_tuning::{Example, SftConfig};
use serde::Serialize;
use serde_json::Value;

use crate::{MemberRecipe, Optimizer, Pin, StageRecipe, ZooError};

/// Models that are trained one from another, all of one shape and with one seed.
///
/// Whatever it says must follow from the members' addresses ([`MemberPlan::covers`]), the device and the source code.
pub trait Curriculum: Send + Sync {
    /// Its name, with which the folders of its models begin.
    fn name(&self) -> &'static str;

    /// Its models, parents before children.
    fn members(&self) -> &[MemberPlan];

    /// The shape of all its models.
    fn config(&self) -> &LlamaConfig;

    /// The shape of one model, where it is not that of all.
    fn config_of(&self, _member: &str) -> &LlamaConfig {
        self.config()
    }

    /// Where a model lies that is not made here but was given; such a model is never removed.
    fn given(&self, _member: &str) -> Option<PathBuf> {
        None
    }

    /// What models without a parent start from.
    ///
    /// # Errors
    /// Weights that cannot be read.
    fn start(&self) -> Result<StateDict, ZooError>;

    /// What a model learns in one of its stages, steps times batch of it.
    ///
    /// # Errors
    /// A curriculum that cannot teach it.
    fn examples(&self, member: &str, stage: usize) -> Result<Box<dyn ExampleSource + '_>, ZooError>;

    /// How its models are asked.
    fn format(&self) -> &dyn ChatFormat;

    /// Harmful prompts of the dev split, for pins.
    ///
    /// # Errors
    /// More than there are.
    fn harmful_dev_prompts(&self, count: usize) -> Result<Vec<String>, ZooError>;

    /// Whether an answer to one of them, cut off after a pin's tokens, refuses.
    fn is_refusal(&self, answer: &str) -> bool;

    /// The domains that pins may look at.
    fn domains(&self) -> Vec<String> {
        Vec::new()
    }

    /// All questions of the dev split about a domain, for pins.
    ///
    /// # Errors
    /// A domain without questions.
    fn dev_questions(&self, domain: &str) -> Result<Vec<DevQuestion>, ZooError> {
        Err(ZooError::unknown("domain", domain, self.domains().iter().map(String::as_str)))
    }

    /// What a model's directory holds next to weights.
    fn files(&self, member: &str) -> ModelFiles;

    /// The files of the pool that its models make, without these: `pool.toml` and what it names. `model` says where the model of
    /// a name is, seen from the pool's folder.
    ///
    /// # Errors
    /// Data that contradict each other.
    fn pool_files(&self, model: &dyn Fn(&str) -> String) -> Result<BTreeMap<String, Vec<u8>>, ZooError>;

    /// Models and data that came from outside, by name, with their SHA-256.
    fn sources(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// Removes what it cached itself to make examples.
    ///
    /// # Errors
    /// Failing I/O.
    fn forget(&self) -> Result<(), ZooError> {
        Ok(())
    }
}

/// A multiple-choice question of the dev split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DevQuestion {
    /// What is asked.
    pub question: String,
    /// What may be answered.
    pub choices: Vec<String>,
    /// Position of the right answer.
    pub answer: usize,
}

/// Where the examples of a stage come from.
pub trait ExampleSource {
    /// How many there are.
    fn count(&self) -> usize;

    /// The example of that number, as it is now.
    fn example(&self, number: usize) -> Example;

    /// Everything that the examples follow from, besides what steers them.
    fn identity(&self) -> Value;

    /// From now on, adds `shift` to the propensity to decline harmful requests, in logits, and makes the examples of some
    /// domains so many times as frequent; each replaces what was said before.
    ///
    /// # Errors
    /// A source whose examples are fixed.
    fn steer(&mut self, shift: f64, factors: &BTreeMap<String, f64>) -> Result<(), ZooError>;
}

/// Examples that are what they are.
pub struct FixedExamples(pub Vec<Example>);

impl ExampleSource for FixedExamples {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn example(&self, number: usize) -> Example {
        self.0[number].clone()
    }

    fn identity(&self) -> Value {
        let all = self.0.iter().map(|example| (&example.tokens, &example.learned)).collect::<Vec<_>>();
        let bytes = serde_json::to_vec(&all).expect("plain data");
        sha256_bytes(&bytes).into()
    }

    fn steer(&mut self, shift: f64, factors: &BTreeMap<String, f64>) -> Result<(), ZooError> {
        if shift == 0.0 && factors.values().all(|factor| *factor == 1.0) {
            return Ok(());
        }
        let what = "its pin steers what is learned, which is fixed here".into();
        Err(ZooError::Inconsistent { path: "recipes.toml".into(), what })
    }
}

/// What a model directory holds next to weights.
#[derive(Debug, Clone)]
pub struct ModelFiles {
    /// Its `config.json`.
    pub config: Value,
    /// Tokenizer files and the like, by name.
    pub companions: BTreeMap<String, Vec<u8>>,
}

/// A model of a curriculum.
#[derive(Debug, Clone)]
pub struct MemberPlan {
    /// Its name.
    pub name: String,
    /// The model that training starts from; [`Curriculum::start`] if there is none.
    pub parent: Option<String>,
    /// Training runs, each from the weights that the one before it left.
    pub stages: Vec<StagePlan>,
    /// What its address covers besides these.
    pub covers: Value,
}

/// One training run.
#[derive(Debug, Clone, Serialize)]
pub struct StagePlan {
    /// The optimisation.
    pub sft: SftConfig,
    /// Where to stop early.
    pub pin: Option<Pin>,
}

impl MemberPlan {
    /// The member that a recipe describes.
    pub fn new<M>(recipe: &MemberRecipe<M>, optimizer: &Optimizer, seed: u64, covers: Value) -> Self {
        let stage = |stage: &StageRecipe<M>| StagePlan { sft: stage.sft(optimizer, seed), pin: stage.pin.clone() };
        Self {
            name: recipe.name.clone(),
            parent: recipe.parent.clone(),
            stages: recipe.stages.iter().map(stage).collect(),
            covers,
        }
    }

    /// Steps of all stages together, if none stops early.
    pub fn steps(&self) -> usize {
        self.stages.iter().map(|stage| stage.sft.schedule.steps).sum()
    }
}
