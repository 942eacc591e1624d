//! How a model is fine-tuned.

use serde::{Deserialize, Serialize};

use bunch_transformer::LoraConfig;

use crate::{Schedule, TuningError};

/// How a model is fine-tuned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SftConfig {
    /// Learning rate over the steps; also says how many steps.
    pub schedule: Schedule,
    /// Examples per step; pairs, where preferences are learned.
    pub batch_size: usize,
    /// Examples that go through the model at a time, which bounds the memory of a step; their gradients are added up. 0 for
    /// the whole batch.
    #[serde(default)]
    pub micro_batch_size: usize,
    /// AdamW's decay rates of the gradient's mean and square.
    pub betas: [f32; 2],
    /// Decoupled weight decay, on every parameter that is trained.
    pub weight_decay: f32,
    /// The gradient of all parameters together is scaled down to this norm.
    pub max_grad_norm: f64,
    /// Steps between the caller's checks; 0 for none.
    pub check_every: usize,
    /// Steps between saved states; 0 for none.
    pub save_every: usize,
    /// Seed of the data order and of a fresh adapter.
    pub seed: u64,
    /// Trains a low-rank adapter instead of the weights themselves.
    #[serde(default)]
    pub lora: Option<LoraConfig>,
    /// Modules whose weights are left as they are: parts of tensor names between dots, such as `embed_tokens`. A frozen
    /// embedding saves the gradient of a large matrix.
    #[serde(default)]
    pub freeze: Vec<String>,
    /// What is looked at and kept is the exponential average of the weights with this decay; the last weights unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average: Option<f32>,
}

impl SftConfig {
    /// Examples that go through the model at a time.
    pub(crate) fn part_size(&self) -> usize {
        if self.micro_batch_size == 0 { self.batch_size } else { self.micro_batch_size.min(self.batch_size) }
    }

    pub(crate) fn check(&self) -> Result<(), TuningError> {
        let refuse = |field, got: String, expected| Err(TuningError::Config { field, got, expected });
        let is_rate = |rate: f64| rate.is_finite() && rate >= 0.0;
        if self.batch_size == 0 {
            return refuse("batch_size", "0".into(), "at least 1");
        }
        if self.schedule.warmup > self.schedule.steps {
            return refuse("schedule.warmup", self.schedule.warmup.to_string(), "at most schedule.steps");
        }
        if !is_rate(self.schedule.peak) {
            return refuse("schedule.peak", self.schedule.peak.to_string(), "a number not below 0");
        }
        if !is_rate(self.schedule.floor) {
            return refuse("schedule.floor", self.schedule.floor.to_string(), "a number not below 0");
        }
        if let Some(beta) = self.betas.iter().find(|beta| !(0.0..1.0).contains(*beta)) {
            return refuse("betas", beta.to_string(), "at least 0 and below 1");
        }
        if !is_rate(f64::from(self.weight_decay)) {
            return refuse("weight_decay", self.weight_decay.to_string(), "a number not below 0");
        }
        if self.max_grad_norm.is_nan() || self.max_grad_norm <= 0.0 {
            return refuse("max_grad_norm", self.max_grad_norm.to_string(), "above 0");
        }
        if let Some(decay) = self.average.filter(|decay| !(0.0..1.0).contains(decay)) {
            return refuse("average", decay.to_string(), "at least 0 and below 1");
        }
        if self.lora.is_some() && self.average.is_some() {
            return refuse("average", "a decay".into(), "nothing beside `lora`: adapters are not averaged");
        }
        if self.lora.is_some() && !self.freeze.is_empty() {
            return refuse("freeze", self.freeze.join(", "), "nothing beside `lora`, which freezes all weights");
        }
        Ok(())
    }
}
