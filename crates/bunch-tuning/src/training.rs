//! The training loop: seeded order, AdamW, clipping by global norm, checks on the way, checkpoint and resume.

use std::path::Path;

use burn::tensor::Device;

use bunch_checkpoint::{Checkpoint, StateDict, sha256_bytes, sha256_of_state_dict};
use bunch_llama::{Llama, LlamaConfig, LlamaModel, LoraAdapter};

use crate::adamw::AdamW;
use crate::data_order::Order;
use crate::gradient::Gradient;
use crate::loss::{learned_tokens, loss_share};
use crate::state::{self, Position};
use crate::{Example, Observer, SftConfig, TuningError};

/// What the caller's check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Go on training.
    Continue,
    /// Stop here and keep the weights as they are.
    Stop,
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
    /// Loss of each step, in nats per answer token.
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
        let Self { examples, sft, .. } = *self;
        sft.check()?;
        let config = self.config()?;
        for (index, example) in examples.iter().enumerate() {
            example.check(index, &config)?;
        }
        if examples.is_empty() && sft.schedule.steps > 0 {
            return Err(TuningError::Example { index: 0, what: "there are no examples".into() });
        }
        let mut position = Position { run: self.identity(&config)?, losses: Vec::new() };
        let mut optimizer = AdamW::new(sft.betas, sft.weight_decay);
        let mut model = match self.state.filter(|path| path.exists()) {
            Some(path) => {
                let saved = state::load(path, &position.run)?;
                optimizer.resume(saved.position.losses.len(), saved.moments);
                position = saved.position;
                self.model(Some(saved.weights))?
            }
            None => self.model(None)?,
        };
        let mut order = Order::new(examples.len(), sft.seed);
        order.skip(position.losses.len() * sft.batch_size);
        for step in position.losses.len()..sft.schedule.steps {
            let batch: Vec<&Example> = (0..sft.batch_size).map(|_| &examples[order.next()]).collect();
            let (loss, gradient) = gradient(&model, &batch, sft.part_size());
            let norm = gradient.norm();
            if !loss.is_finite() || !norm.is_finite() {
                return Err(TuningError::Diverged { step, loss });
            }
            // The epsilon of torch.nn.utils.clip_grad_norm_.
            let scale = (sft.max_grad_norm / (norm + 1e-6)).min(1.0);
            model = optimizer.step(model, gradient, scale as f32, sft.schedule.at(step));
            position.losses.push(loss);
            let done = step + 1;
            observer.step(done, sft.schedule.steps, loss);
            if sft.check_every > 0
                && done.is_multiple_of(sft.check_every)
                && check(done, &LlamaModel::from_llama(model.clone()))? == Decision::Stop
            {
                break;
            }
            if done == sft.schedule.steps {
                break;
            }
            let is_stopping = observer.is_stopping();
            let is_due = sft.save_every > 0 && done.is_multiple_of(sft.save_every);
            if let Some(path) = self.state.filter(|_| is_due || is_stopping) {
                state::save(path, self.tensors(&model), &optimizer, &position)?;
            }
            if is_stopping {
                return Err(TuningError::Interrupted { step: done, saved: self.state.is_some() });
            }
        }
        let trained = match &sft.lora {
            None => Trained::Weights(model.to_state_dict()),
            Some(lora) => Trained::Adapter(LoraAdapter { config: lora.clone(), factors: model.adapter_factors() }),
        };
        Ok(Outcome { trained, losses: position.losses })
    }

    fn config(&self) -> Result<LlamaConfig, TuningError> {
        match self.start {
            Start::Weights(config, _) => Ok(config.clone()),
            Start::Checkpoint(checkpoint) => Ok(LlamaConfig::from_json(checkpoint.config())?),
        }
    }

    /// The model to be trained, with the tensors of a saved state if there are any.
    fn model(&self, saved: Option<StateDict>) -> Result<Llama, TuningError> {
        let device = self.device.clone().autodiff();
        if let Some(lora) = &self.sft.lora {
            let adapter = match saved {
                Some(factors) => LoraAdapter { config: lora.clone(), factors },
                None => LoraAdapter::initial(lora, &self.config()?, self.sft.seed)?,
            };
            return Ok(self.start_model(&device)?.with_adapter(&adapter)?);
        }
        let model = match saved {
            Some(weights) => Llama::from_state_dict(self.config()?, &weights, &device)?,
            None => self.start_model(&device)?,
        };
        Ok(model.freeze(&self.sft.freeze)?)
    }

    fn start_model(&self, device: &Device) -> Result<Llama, TuningError> {
        Ok(match self.start {
            Start::Weights(config, weights) => Llama::from_state_dict(config.clone(), weights, device)?,
            Start::Checkpoint(checkpoint) => Llama::from_checkpoint(checkpoint, device)?,
        })
    }

    /// What a run changes.
    fn tensors(&self, model: &Llama) -> StateDict {
        if self.sft.lora.is_some() { model.adapter_factors() } else { model.to_state_dict() }
    }

    /// Hash of everything the result depends on.
    fn identity(&self, config: &LlamaConfig) -> Result<String, TuningError> {
        // How often something is saved or looked at changes nothing.
        let sft = SftConfig { save_every: 0, ..self.sft.clone() };
        let mut text = serde_json::to_string(&(config, sft)).expect("plain data");
        text += &match self.start {
            Start::Weights(_, weights) => sha256_of_state_dict(weights),
            Start::Checkpoint(checkpoint) => checkpoint.sha256()?,
        };
        let mut bytes = text.into_bytes();
        let mut number = |number: usize| bytes.extend((number as u64).to_le_bytes());
        for example in self.examples {
            number(example.learned.len());
            example.learned.iter().for_each(|range| [range.start, range.end].into_iter().for_each(&mut number));
            number(example.tokens.len());
            example.tokens.iter().for_each(|&id| number(id as usize));
        }
        Ok(sha256_bytes(&bytes))
    }
}

/// Loss and gradient of a batch, `part_size` examples at a time.
fn gradient(model: &Llama, batch: &[&Example], part_size: usize) -> (f64, Gradient) {
    let learned = learned_tokens(batch);
    let (mut sum, mut gradient) = (0.0, Gradient::default());
    for part in batch.chunks(part_size) {
        let loss = loss_share(model, part, learned);
        gradient.add(model, loss.backward());
        sum += f64::from(loss.into_scalar::<f32>());
    }
    (sum, gradient)
}
