//! Trains what preference tuning asks for: models of the pool, on the pool's preferences.

use bunch_checkpoint::StateDict;
use bunch_evolution::{CallerError, PreferenceTuning, Trainer, TuningLoss};
use bunch_lm::{ChatFormat, Message};
use bunch_transformer::LoraConfig;
use bunch_tuning::{
    Decision, Example, Observer, PreferenceExample, PreferenceFile, PreferenceLoss, PreferenceRun, Schedule, SftConfig,
    Start, Trained,
};

use crate::ExperimentError;
use crate::seed_pool::{SeedPool, lacking};

/// Trains on the preferences of a pool.
pub(crate) struct PoolTrainer<'a>(pub(crate) &'a SeedPool);

impl Trainer for PoolTrainer<'_> {
    /// The same preferences, in the same order, whatever the loss.
    fn tune(
        &self,
        tuning: &PreferenceTuning,
        start: &StateDict,
        seed: u64,
        step: &mut dyn FnMut(),
    ) -> Result<(StateDict, f64), CallerError> {
        let zoo = &self.0.zoo;
        let examples = &self.examples(tuning.pairs)?;
        let steps = tuning.steps();
        let loss = match tuning.loss {
            TuningLoss::Dpo { beta } => PreferenceLoss::Dpo { beta },
            TuningLoss::Orpo { beta } => PreferenceLoss::Orpo { beta },
        };
        let lora = tuning.lora.as_ref().map(|shape| LoraConfig {
            rank: shape.rank,
            alpha: shape.alpha,
            use_rslora: shape.use_rslora,
            target_modules: shape.target_modules.clone(),
        });
        let sft = SftConfig {
            schedule: Schedule {
                peak: tuning.learning_rate,
                warmup: (tuning.warmup * steps as f64).round() as usize,
                steps,
                floor: 0.0,
            },
            batch_size: tuning.batch_size,
            micro_batch_size: 0,
            // TRL's defaults, as the paper trained with it.
            betas: [0.9, 0.999],
            weight_decay: 0.0,
            max_grad_norm: 1.0,
            check_every: 0,
            save_every: 0,
            seed,
            lora,
            freeze: Vec::new(),
            average: None,
        };
        let start_at = Start::Weights(zoo.config(), start);
        let run =
            PreferenceRun { start: start_at, examples, loss: &loss, sft: &sft, device: zoo.device(), state: None };
        let outcome = run.run(&mut Reporting(step), &mut |_, _| Ok(Decision::Continue))?;
        let last = outcome.losses.last().copied().unwrap_or(f64::NAN);
        let weights = match outcome.trained {
            Trained::Weights(weights) => weights,
            Trained::Adapter(adapter) => adapter.merge_into(start)?,
        };
        Ok((weights, last))
    }
}

impl PoolTrainer<'_> {
    /// The first `count` of the pool's preferences, as their chat template writes them.
    pub(crate) fn examples(&self, count: usize) -> Result<Vec<PreferenceExample>, ExperimentError> {
        let (seed_pool, path) = (self.0, self.0.pool().preferences()?);
        let pairs = PreferenceFile::read(&path)?.pairs;
        if pairs.len() < count {
            return Err(lacking(seed_pool.pool(), format!("{count} preferences, it has {}", pairs.len())));
        }
        let text = |turns: &[Message], role: &str| {
            turns.iter().rfind(|turn| turn.role == role).map(|turn| turn.content.clone()).unwrap_or_default()
        };
        let example = |turns: &[Message]| -> Result<Example, ExperimentError> {
            let prompt = seed_pool.chat().prompt(&text(turns, "user"))?;
            let loss_from = prompt.len();
            Ok(Example::answer([prompt, seed_pool.chat().answer(&text(turns, "assistant"))?].concat(), loss_from))
        };
        let pairs = pairs[..count]
            .iter()
            .map(|pair| Ok(PreferenceExample { chosen: example(&pair.chosen)?, rejected: example(&pair.rejected)? }));
        pairs.collect()
    }
}

/// Passes a training's progress on.
struct Reporting<'a>(&'a mut dyn FnMut());

impl Observer for Reporting<'_> {
    fn step(&mut self, _step: usize, _steps: usize, _loss: f64) {
        (self.0)();
    }
}
