//! Training on preferences.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::{Device, Tensor};

use bunch_transformer::{Llama, LlamaConfig, LlamaModel};

use crate::objective::{Objective, StartModel, identify_example};
use crate::preference_loss::BatchSize;
use crate::training_loop::TrainingLoop;
use crate::{
    Check, Decision, Observer, Outcome, PreferenceExample, PreferenceLoss, SftConfig, Start, TuningError,
    response_log_probs,
};

/// Training on preferences, of all weights or of an adapter.
///
/// Pairs are drawn in seeded order, each once before any comes again. DPO's reference is the model as it is in `start`; its
/// log-probabilities are computed once, before the first step. The result depends on `start`, `examples`, `loss` and `sft`
/// alone, not on the number of threads.
#[derive(Debug, Clone, Copy)]
pub struct PreferenceRun<'a> {
    /// What is trained.
    pub start: Start<'a>,
    /// The pairs that it learns.
    pub examples: &'a [PreferenceExample],
    /// What is lowered.
    pub loss: &'a PreferenceLoss,
    /// How; its sizes of batches count pairs.
    pub sft: &'a SftConfig,
    /// Where; without recording of gradients, the run turns it on.
    pub device: &'a Device,
    /// A folder of this run alone: its state is saved there every `save_every` steps, and a run that is called again
    /// continues from there. The folder is left to the caller to remove.
    pub state: Option<&'a Path>,
}

impl PreferenceRun<'_> {
    /// Trains, from the beginning or from the saved state. `check` sees the model every `check_every` steps.
    ///
    /// # Errors
    /// As [`SftRun::run`](crate::SftRun::run), and a beta out of range.
    pub fn run(&self, observer: &mut dyn Observer, check: &mut Check<'_>) -> Result<Outcome, TuningError> {
        let Self { start, examples, loss, sft, device, state } = *self;
        let mut objective = Preferences { examples, loss, reference: BTreeMap::new(), check };
        TrainingLoop { start, sft, device, state }.run(&mut objective, observer)
    }
}

struct Preferences<'a, 'c> {
    examples: &'a [PreferenceExample],
    loss: &'a PreferenceLoss,
    /// The reference's log-probabilities of the responses of each pair that is drawn; empty where the loss has no reference.
    reference: BTreeMap<usize, [f64; 2]>,
    check: &'a mut Check<'c>,
}

impl Preferences<'_, '_> {
    fn at(&self, numbers: &[usize]) -> Vec<&PreferenceExample> {
        numbers.iter().map(|&number| &self.examples[number]).collect()
    }
}

impl Objective for Preferences<'_, '_> {
    fn count(&self) -> usize {
        self.examples.len()
    }

    fn check(&self, config: &LlamaConfig) -> Result<(), TuningError> {
        self.loss.check()?;
        self.examples.iter().enumerate().try_for_each(|(index, pair)| pair.check(index, config))
    }

    fn identify(&self, bytes: &mut Vec<u8>) {
        bytes.extend(serde_json::to_vec(self.loss).expect("plain data"));
        self.examples.iter().flat_map(|pair| pair.sides()).for_each(|example| identify_example(example, bytes));
    }

    fn prepare(&mut self, start: &StartModel<'_>, drawn: &[usize], part_size: usize) -> Result<(), TuningError> {
        if !self.loss.has_reference() || drawn.is_empty() {
            return Ok(());
        }
        let model = start()?;
        for part in drawn.chunks(part_size) {
            let log_probs = response_log_probs(&model, &self.at(part));
            self.reference.extend(part.iter().copied().zip(log_probs));
        }
        Ok(())
    }

    fn share(&self, model: &Llama, part: &[usize], batch: &[usize]) -> Tensor<1> {
        let reference: Vec<[f64; 2]> =
            if self.loss.has_reference() { part.iter().map(|number| self.reference[number]).collect() } else { vec![] };
        self.loss.share(model, &self.at(part), &reference, BatchSize::of(&self.at(batch)))
    }

    fn look(&mut self, step: usize, model: &LlamaModel) -> Result<Decision, TuningError> {
        (self.check)(step, model)
    }
}
