//! The training loop: seeded order, AdamW, clipping by global norm, checks on the way, checkpoint and resume.

use std::collections::BTreeSet;
use std::path::Path;

use burn::tensor::Device;

use bunch_checkpoint::{StateDict, sha256_bytes, sha256_of_state_dict};
use bunch_transformer::{Llama, LlamaConfig, LlamaModel, LoraAdapter};

use crate::adamw::AdamW;
use crate::average::Average;
use crate::data_order::Order;
use crate::gradient::Gradient;
use crate::objective::Objective;
use crate::state::{self, Position};
use crate::{Decision, Observer, Outcome, SftConfig, Start, Trained, TuningError};

/// A run of the loop, whatever it lowers.
pub(crate) struct TrainingLoop<'a> {
    pub(crate) start: Start<'a>,
    pub(crate) sft: &'a SftConfig,
    pub(crate) device: &'a Device,
    pub(crate) state: Option<&'a Path>,
}

impl TrainingLoop<'_> {
    /// Trains, from the beginning or from the saved state.
    pub(crate) fn run(
        &self,
        objective: &mut dyn Objective,
        observer: &mut dyn Observer,
    ) -> Result<Outcome, TuningError> {
        let sft = self.sft;
        sft.check()?;
        let config = self.config()?;
        objective.check(&config)?;
        if objective.count() == 0 && sft.schedule.steps > 0 {
            return Err(TuningError::Example { index: 0, what: "there are no examples".into() });
        }
        let drawn = self.drawn(objective.count());
        objective.prepare(&|| self.start_model(self.device), &drawn, sft.part_size())?;
        let run = self.identity(&config, objective)?;
        let mut position = Position { run, losses: Vec::new(), objective: serde_json::Value::Null };
        let mut optimizer = AdamW::new(sft.betas, sft.weight_decay);
        let (mut model, mut average) = match self.state.filter(|path| path.exists()) {
            Some(path) => {
                let saved = state::load(path, &position.run)?;
                optimizer.resume(saved.position.losses.len(), saved.moments);
                position = saved.position;
                objective.resume(&position.objective)?;
                let average = sft.average.map(|decay| Average::resumed(decay, saved.averages));
                (self.model(Some(saved.weights))?, average)
            }
            None => {
                let model = self.model(None)?;
                let average = sft.average.map(|decay| Average::new(decay, model.to_state_dict()));
                (model, average)
            }
        };
        let mut order = Order::new(objective.count(), sft.seed);
        order.skip(position.losses.len() * sft.batch_size);
        for step in position.losses.len()..sft.schedule.steps {
            let batch: Vec<usize> = (0..sft.batch_size).map(|_| order.next()).collect();
            let (loss, gradient) = gradient(&model, objective, &batch, sft.part_size());
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
            if let Some(average) = &mut average {
                average.add(&model.to_state_dict());
            }
            if sft.check_every > 0 && done.is_multiple_of(sft.check_every) {
                let looked_at = match &average {
                    None => LlamaModel::from_llama(model.clone()),
                    Some(average) => LlamaModel::new(config.clone(), average.weights(), self.device)?,
                };
                let decision = objective.look(done, &looked_at)?;
                if let Some(average) = &mut average {
                    average.looked_at(decision);
                }
                if decision != Decision::Continue {
                    break;
                }
            }
            if done == sft.schedule.steps {
                break;
            }
            let is_stopping = observer.is_stopping();
            let is_due = sft.save_every > 0 && done.is_multiple_of(sft.save_every);
            if let Some(path) = self.state.filter(|_| is_due || is_stopping) {
                position.objective = objective.state();
                state::save(path, self.tensors(&model), &optimizer, average.as_ref(), &position)?;
            }
            if is_stopping {
                return Err(TuningError::Interrupted { step: done, saved: self.state.is_some() });
            }
        }
        let trained = match (&sft.lora, average) {
            (None, None) => Trained::Weights(model.to_state_dict()),
            (None, Some(average)) => Trained::Weights(average.into_weights()),
            (Some(lora), _) => Trained::Adapter(LoraAdapter { config: lora.clone(), factors: model.adapter_factors() }),
        };
        Ok(Outcome { trained, losses: position.losses })
    }

    /// The numbers of the examples that the run draws, of `count`, in ascending order.
    fn drawn(&self, count: usize) -> Vec<usize> {
        let mut order = Order::new(count, self.sft.seed);
        let draws = self.sft.schedule.steps * self.sft.batch_size;
        let drawn: BTreeSet<usize> = (0..draws).map(|_| order.next()).collect();
        drawn.into_iter().collect()
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
    fn identity(&self, config: &LlamaConfig, objective: &dyn Objective) -> Result<String, TuningError> {
        // How often something is saved or looked at changes nothing.
        let sft = SftConfig { save_every: 0, ..self.sft.clone() };
        let mut text = serde_json::to_string(&(config, sft)).expect("plain data");
        text += &match self.start {
            Start::Weights(_, weights) => sha256_of_state_dict(weights),
            Start::Checkpoint(checkpoint) => checkpoint.sha256()?,
        };
        let mut bytes = text.into_bytes();
        objective.identify(&mut bytes);
        Ok(sha256_bytes(&bytes))
    }
}

/// Loss and gradient of a batch, `part_size` examples at a time.
fn gradient(model: &Llama, objective: &dyn Objective, batch: &[usize], part_size: usize) -> (f64, Gradient) {
    let (mut sum, mut gradient) = (0.0, Gradient::default());
    for part in batch.chunks(part_size) {
        let loss = objective.share(model, part, batch);
        gradient.add(model, loss.backward());
        sum += f64::from(loss.into_scalar::<f32>());
    }
    (sum, gradient)
}
