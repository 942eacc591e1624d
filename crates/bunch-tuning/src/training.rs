//! Supervised fine-tuning.

use std::path::Path;

use burn::tensor::{Device, Tensor};

use bunch_checkpoint::{Checkpoint, StateDict};
use bunch_transformer::{Llama, LlamaConfig, LlamaModel, LoraAdapter};

use crate::loss::{learned_tokens, loss_share};
use crate::objective::{Objective, identify_example};
use crate::training_loop::TrainingLoop;
use crate::{Example, Observer, SftConfig, TuningError};

/// What the caller's check says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Decision {
    /// Go on training.
    Continue,
    /// Stop here and keep the weights as they are.
    Stop,
    /// Stop, and keep the averaged weights at this share of the way from the look before (0) to this one (1). Where
    /// nothing is averaged, or nothing was looked at before, as [`Decision::Stop`].
    Between(f64),
}

/// Looks at the model after some steps: the number of the step and the model as it is.
pub type Check<'a> = dyn FnMut(usize, &LlamaModel) -> Result<Decision, TuningError> + 'a;

/// The weights that training starts from.
#[derive(Debug, Clone, Copy)]
pub enum Start<'a> {
    /// In memory.
    Weights(&'a LlamaConfig, &'a StateDict),
    /// In files, read straight into the model.
    Checkpoint(&'a Checkpoint),
}

/// Supervised fine-tuning with answer-only loss.
///
/// Examples are drawn in seeded order, each once before any comes again. The result depends on `start`, `examples` and
/// `sft` alone, not on the number of threads.
#[derive(Debug, Clone, Copy)]
pub struct SftRun<'a> {
    /// What is trained.
    pub start: Start<'a>,
    /// What it learns.
    pub examples: &'a [Example],
    /// How.
    pub sft: &'a SftConfig,
    /// Where; without recording of gradients, the run turns it on.
    pub device: &'a Device,
    /// A folder of this run alone: its state is saved there every `save_every` steps, and a run that is called again
    /// continues from there. The folder is left to the caller to remove.
    pub state: Option<&'a Path>,
}

/// What was trained.
#[derive(Debug, Clone)]
pub enum Trained {
    /// All weights, frozen ones included.
    Weights(StateDict),
    /// An adapter to the start weights.
    Adapter(LoraAdapter),
}

/// A finished training run.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The trained weights or adapter.
    pub trained: Trained,
    /// Loss of each step, in nats: per answer token, or as the loss of preferences says.
    pub losses: Vec<f64>,
}

impl Outcome {
    /// The trained tensors: all weights of the model, or the factors of an adapter under PEFT's names.
    pub fn into_tensors(self) -> StateDict {
        match self.trained {
            Trained::Weights(weights) => weights,
            Trained::Adapter(adapter) => adapter.factors,
        }
    }
}

impl SftRun<'_> {
    /// Trains, from the beginning or from the saved state. `check` sees the model every `check_every` steps.
    ///
    /// # Errors
    /// Settings or examples out of range, weights that do not fit their configuration, a loss that is not finite, a saved
    /// state of another run, an interruption, failing I/O.
    pub fn run(&self, observer: &mut dyn Observer, check: &mut Check<'_>) -> Result<Outcome, TuningError> {
        let Self { start, sft, device, state, examples } = *self;
        TrainingLoop { start, sft, device, state }.run(&mut Answers { examples, check }, observer)
    }
}

/// Cross-entropy on the answers of these examples.
struct Answers<'a, 'c> {
    examples: &'a [Example],
    check: &'a mut Check<'c>,
}

impl Answers<'_, '_> {
    fn at(&self, numbers: &[usize]) -> Vec<&Example> {
        numbers.iter().map(|&number| &self.examples[number]).collect()
    }
}

impl Objective for Answers<'_, '_> {
    fn count(&self) -> usize {
        self.examples.len()
    }

    fn check(&self, config: &LlamaConfig) -> Result<(), TuningError> {
        self.examples.iter().enumerate().try_for_each(|(index, example)| example.check(index, config))
    }

    fn identify(&self, bytes: &mut Vec<u8>) {
        self.examples.iter().for_each(|example| identify_example(example, bytes));
    }

    fn share(&self, model: &Llama, part: &[usize], batch: &[usize]) -> Tensor<1> {
        loss_share(model, &self.at(part), learned_tokens(&self.at(batch)))
    }

    fn look(&mut self, step: usize, model: &LlamaModel) -> Result<Decision, TuningError> {
        (self.check)(step, model)
    }
}
