//! Preference tuning of a model of the pool: DPO or ORPO, of all weights or of an adapter.

use bunch_checkpoint::StateDict;
use bunch_llama::LoraConfig;
use bunch_tuning::{Decision, Observer, PreferenceLoss, PreferenceRun, Schedule, SftConfig, Start, Trained};
use serde::{Deserialize, Serialize};

use crate::ExperimentError;
use crate::costs::ROWS_OF_A_MERGE;
use crate::world::World;

/// Preference tuning of a model of the pool (Thakkar et al. 2025, baselines).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preference {
    /// Which model of the pool is tuned: 0 is the base, 1 the first expert.
    pub member: usize,
    /// What is lowered.
    pub loss: PreferenceLoss,
    /// Trains an adapter, which is then added to the weights, instead of the weights themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lora: Option<LoraConfig>,
    /// Preferences of the world's training split.
    pub pairs: usize,
    /// How often each is seen.
    pub epochs: usize,
    /// Pairs a step.
    pub batch_size: usize,
    /// Share of the steps that warm up, from 0 to 1.
    pub warmup: f64,
    /// Learning rate after warm-up.
    pub learning_rate: f64,
}

impl Preference {
    fn steps(&self) -> usize {
        (self.pairs * self.epochs).div_ceil(self.batch_size.max(1))
    }

    /// Rough cost in merges that are scored.
    pub(crate) fn evaluations(&self) -> usize {
        2 * self.pairs * self.epochs / ROWS_OF_A_MERGE
    }

    /// Refuses what cannot be trained on.
    pub(crate) fn check(&self, members: usize) -> Result<(), String> {
        if self.member >= members {
            return Err(format!("member {} of a pool of {members}", self.member));
        }
        if self.pairs == 0 || self.epochs == 0 || self.batch_size == 0 {
            return Err("pairs, epochs and batch_size are at least 1".into());
        }
        if !(0.0..=1.0).contains(&self.warmup) {
            return Err(format!("warmup is {}, expected a share from 0 to 1", self.warmup));
        }
        Ok(())
    }

    /// Tunes `start`; the same preferences, in the same order, whatever the method.
    pub(crate) fn tune(
        &self,
        start: &StateDict,
        world: &dyn World,
        seed: u64,
        progress: &mut dyn FnMut(),
    ) -> Result<(StateDict, f64), ExperimentError> {
        let (config, device) = world.tuning()?;
        let examples = world.preferences(self.pairs)?;
        let steps = self.steps();
        let sft = SftConfig {
            schedule: Schedule {
                peak: self.learning_rate,
                warmup: (self.warmup * steps as f64).round() as usize,
                steps,
                floor: 0.0,
            },
            batch_size: self.batch_size,
            micro_batch_size: 0,
            // TRL's defaults, as the paper trained with it.
            betas: [0.9, 0.999],
            weight_decay: 0.0,
            max_grad_norm: 1.0,
            check_every: 0,
            save_every: 0,
            seed,
            lora: self.lora.clone(),
            freeze: Vec::new(),
        };
        let (start_at, examples) = (Start::Weights(&config, start), &examples);
        let run =
            PreferenceRun { start: start_at, examples, loss: &self.loss, sft: &sft, device: &device, state: None };
        let mut observer = Reporting { rows_of_a_step: 2 * self.batch_size, rows: 0, progress };
        let outcome = run.run(&mut observer, &mut |_, _| Ok(Decision::Continue))?;
        let last = outcome.losses.last().copied().unwrap_or(f64::NAN);
        let weights = match outcome.trained {
            Trained::Weights(weights) => weights,
            Trained::Adapter(adapter) => adapter.merge_into(start)?,
        };
        Ok((weights, last))
    }
}

/// Passes a training's progress on.
struct Reporting<'a> {
    rows_of_a_step: usize,
    rows: usize,
    progress: &'a mut dyn FnMut(),
}

impl Observer for Reporting<'_> {
    fn step(&mut self, _step: usize, _steps: usize, _loss: f64) {
        self.rows += self.rows_of_a_step;
        for _ in 0..self.rows / ROWS_OF_A_MERGE {
            (self.progress)();
        }
        self.rows %= ROWS_OF_A_MERGE;
    }
}
