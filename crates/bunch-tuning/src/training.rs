//! The training loop: seeded order, AdamW, clipping by global norm, checks on the way, checkpoint and resume.

use std::path::Path;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Bytes, Device, Tensor};
use serde::{Deserialize, Serialize};

use bunch_checkpoint::{Checkpoint, ModelDirectory, StateDict, sha256_bytes, sha256_of_state_dict};
use bunch_llama::{Llama, LlamaConfig, LlamaModel};

use crate::data_order::Order;
use crate::{Example, Observer, Schedule, TuningError, answer_loss};

/// How a model is fine-tuned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SftConfig {
    /// Learning rate over the steps; also says how many steps.
    pub schedule: Schedule,
    /// Examples per step.
    pub batch_size: usize,
    /// AdamW's decay rates of the gradient's mean and square.
    pub betas: [f32; 2],
    /// Decoupled weight decay, on every parameter.
    pub weight_decay: f32,
    /// The gradient of all parameters together is scaled down to this norm.
    pub max_grad_norm: f64,
    /// Steps between the caller's checks; 0 for none.
    pub check_every: usize,
    /// Steps between saved states; 0 for none.
    pub save_every: usize,
    /// Seed of the data order.
    pub seed: u64,
}

/// What the caller's check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Go on training.
    Continue,
    /// Stop here and keep the weights as they are.
    Stop,
}

/// A finished training run.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The trained weights.
    pub weights: StateDict,
    /// Loss of each step, in nats per answer token.
    pub losses: Vec<f64>,
}

/// What a saved training state holds beside weights and optimizer.
#[derive(Debug, Serialize, Deserialize)]
struct Position {
    /// Identity of the run: start weights, data and configuration.
    run: String,
    losses: Vec<f64>,
}

const POSITION: &str = "training_position.json";
const OPTIMIZER: &str = "optimizer.bpk";

impl SftConfig {
    fn check(&self) -> Result<(), TuningError> {
        let refuse = |field, got: String, expected| Err(TuningError::Config { field, got, expected });
        if self.batch_size == 0 {
            return refuse("batch_size", "0".into(), "at least 1");
        }
        if self.schedule.warmup > self.schedule.steps {
            return refuse("schedule.warmup", self.schedule.warmup.to_string(), "at most schedule.steps");
        }
        if self.max_grad_norm.is_nan() || self.max_grad_norm <= 0.0 {
            return refuse("max_grad_norm", self.max_grad_norm.to_string(), "above 0");
        }
        Ok(())
    }
}

/// Fine-tunes `start` on `examples` with answer-only loss.
///
/// Examples are drawn in seeded order, each once before any comes again. The result depends on the arguments alone, not
/// on the number of threads. With `state`, the run is saved there every `save_every` steps, continues from there when it is
/// called again, and the directory is left to the caller to remove. `check` sees the model every `check_every` steps.
///
/// # Errors
/// Settings or examples out of range, weights that do not fit `config`, a loss that is not finite, a saved state of another run, failing I/O.
#[allow(clippy::too_many_arguments)]
pub fn train_sft(
    config: &LlamaConfig,
    start: &StateDict,
    examples: &[Example],
    sft: &SftConfig,
    device: &Device,
    observer: &mut dyn Observer,
    state: Option<&Path>,
    check: &mut dyn FnMut(usize, &LlamaModel) -> Result<Decision, TuningError>,
) -> Result<Outcome, TuningError> {
    sft.check()?;
    for (index, example) in examples.iter().enumerate() {
        example.check(index)?;
    }
    if examples.is_empty() && sft.schedule.steps > 0 {
        return Err(TuningError::Example { index: 0, what: "there are no examples".into() });
    }
    let run = run_identity(config, start, examples, sft);
    let training = device.clone().autodiff();
    let mut optimizer = AdamWConfig::new()
        .with_beta_1(sft.betas[0])
        .with_beta_2(sft.betas[1])
        .with_epsilon(1e-8)
        .with_weight_decay(sft.weight_decay)
        .init();
    let mut losses = Vec::new();
    let mut model = match state.filter(|path| path.exists()) {
        Some(path) => {
            let (weights, bytes, position) = load_state(path, &run)?;
            losses = position.losses;
            optimizer = optimizer.from_bytes(Bytes::from_bytes_vec(bytes)).map_err(|error| resume(path, error))?;
            Llama::from_state_dict(config.clone(), &weights, &training)?
        }
        None => Llama::from_state_dict(config.clone(), start, &training)?,
    };
    let mut order = Order::new(examples.len(), sft.seed);
    order.skip(losses.len() * sft.batch_size);
    for step in losses.len()..sft.schedule.steps {
        let batch: Vec<&Example> = (0..sft.batch_size).map(|_| &examples[order.next()]).collect();
        let loss = answer_loss(&model, &batch);
        let grads = GradientsParams::from_grads(loss.backward(), &model);
        let grads = clip(&model, grads, sft.max_grad_norm);
        model = optimizer.step(sft.schedule.at(step), model, grads);
        let loss = f64::from(loss.into_scalar::<f32>());
        if !loss.is_finite() {
            return Err(TuningError::Diverged { step, loss });
        }
        losses.push(loss);
        let done = step + 1;
        observer.step(done, sft.schedule.steps, loss);
        if sft.check_every > 0 && done.is_multiple_of(sft.check_every) {
            let frozen = LlamaModel::new(config.clone(), &model.to_state_dict(), device)?;
            if check(done, &frozen)? == Decision::Stop {
                break;
            }
        }
        if let Some(path) = state
            && sft.save_every > 0
            && done.is_multiple_of(sft.save_every)
            && done < sft.schedule.steps
        {
            let position = Position { run: run.clone(), losses: losses.clone() };
            save_state(path, config, &model, &optimizer, &position)?;
        }
    }
    Ok(Outcome { weights: model.to_state_dict(), losses })
}

/// Scales all gradients so that their joint Euclidean norm is at most `max_norm`.
fn clip(model: &Llama, mut grads: GradientsParams, max_norm: f64) -> GradientsParams {
    struct SquareSum<'a> {
        grads: &'a GradientsParams,
        sum: f64,
    }
    impl ModuleVisitor for SquareSum<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(grad) = self.grads.get::<D>(param.id) {
                self.sum += f64::from((grad.clone() * grad).sum().into_scalar::<f32>());
            }
        }
    }
    struct Scale<'a> {
        grads: &'a mut GradientsParams,
        factor: f64,
    }
    impl ModuleVisitor for Scale<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(grad) = self.grads.remove::<D>(param.id) {
                self.grads.register(param.id, grad.mul_scalar(self.factor));
            }
        }
    }
    let mut squares = SquareSum { grads: &grads, sum: 0.0 };
    model.visit(&mut squares);
    let factor = max_norm / (squares.sum.sqrt() + 1e-6); // the epsilon of torch.nn.utils.clip_grad_norm_
    if factor < 1.0 {
        model.visit(&mut Scale { grads: &mut grads, factor });
    }
    grads
}

/// Hash of everything a run's result depends on.
fn run_identity(config: &LlamaConfig, start: &StateDict, examples: &[Example], sft: &SftConfig) -> String {
    let mut text = serde_json::to_string(&(config, sft)).expect("plain data");
    text += &sha256_of_state_dict(start);
    let mut bytes = text.into_bytes();
    for example in examples {
        bytes.extend((example.loss_from as u64).to_le_bytes());
        bytes.extend((example.tokens.len() as u64).to_le_bytes());
        bytes.extend(example.tokens.iter().flat_map(|id| id.to_le_bytes()));
    }
    sha256_bytes(&bytes)
}

fn save_state(
    path: &Path,
    config: &LlamaConfig,
    model: &Llama,
    optimizer: &ModuleOptimizer,
    position: &Position,
) -> Result<(), TuningError> {
    let optimizer = optimizer.into_bytes().map_err(|error| resume(path, error))?;
    let position = serde_json::to_vec(position).expect("plain data");
    let files = [(POSITION.to_string(), position), (OPTIMIZER.to_string(), optimizer.to_vec())].into();
    let weights = model.to_state_dict();
    let mut directory = ModelDirectory::new(config.to_json(0, 0, 0), &weights);
    directory.files = files;
    directory.replace = true;
    Ok(directory.write(path)?)
}

fn load_state(path: &Path, run: &str) -> Result<(StateDict, Vec<u8>, Position), TuningError> {
    let weights = Checkpoint::open(path)?.state_dict()?;
    let position = std::fs::read(path.join(POSITION)).map_err(|error| resume(path, error))?;
    let position: Position = serde_json::from_slice(&position).map_err(|error| resume(path, error))?;
    if position.run != run {
        return Err(resume(path, "it belongs to a run with other weights, data or settings"));
    }
    let optimizer = std::fs::read(path.join(OPTIMIZER)).map_err(|error| resume(path, error))?;
    Ok((weights, optimizer, position))
}

fn resume(path: &Path, what: impl std::fmt::Display) -> TuningError {
    TuningError::Resume { path: path.into(), what: what.to_string() }
}
