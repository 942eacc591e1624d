//! Preference tuning of a model of the pool: DPO or ORPO, of all weights or of an adapter.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::member::check_member;
use crate::EvolutionError;
use crate::strategy::{ByOptions, Cost, Environment, Found, FoundModel, Sizes, Strategy};

/// Preference tuning of a model of the pool (Thakkar et al. 2025, baselines). The caller trains: this is what it is asked
/// for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreferenceTuning {
    /// Which model of the pool is tuned: 0 is the base, 1 the first expert.
    pub member: usize,
    /// What is lowered.
    pub loss: TuningLoss,
    /// Trains an adapter, which is then added to the weights, instead of the weights themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lora: Option<AdapterShape>,
    /// Preferences of the training split.
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

/// What preference tuning lowers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TuningLoss {
    /// Direct preference optimisation, with a reference.
    Dpo {
        /// How strongly the model is kept near the reference, above 0.
        beta: f64,
    },
    /// Odds ratio preference optimisation, without.
    Orpo {
        /// Weight of the odds ratio, at least 0.
        beta: f64,
    },
}

/// The shape of the low-rank adapter that is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdapterShape {
    /// Rank of the product.
    pub rank: usize,
    /// The product is scaled by `alpha / rank`.
    pub alpha: f64,
    /// Whether it is scaled by `alpha / sqrt(rank)` instead.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub use_rslora: bool,
    /// The projections that get an adapter, in every layer.
    pub target_modules: BTreeSet<String>,
}

/// Rows of a training step that cost as much as merging and scoring a candidate, roughly: for progress and estimates.
const ROWS_OF_A_CANDIDATE: usize = 48;

impl PreferenceTuning {
    pub(crate) const BY_OPTIONS: Option<ByOptions> = None;

    /// Steps of the training.
    pub fn steps(&self) -> usize {
        (self.pairs * self.epochs).div_ceil(self.batch_size.max(1))
    }

    /// How often a pair's two answers are read in a step: forward, twice that on the way back, and by the reference.
    fn passes(&self) -> usize {
        match self.loss {
            TuningLoss::Dpo { .. } => 4,
            TuningLoss::Orpo { .. } => 3,
        }
    }
}

impl Strategy for PreferenceTuning {
    fn cost(&self, _experts: usize) -> Cost {
        let answers = 2 * self.pairs * self.epochs;
        Cost { candidates: answers / ROWS_OF_A_CANDIDATE, tuning_reads: answers * self.passes(), ..Cost::default() }
    }

    fn check(&self, experts: usize) -> Result<(), EvolutionError> {
        check_member(self.member, experts)?;
        let sizes = [("pairs", self.pairs), ("epochs", self.epochs), ("batch_size", self.batch_size)];
        if let Some((field, got)) = sizes.into_iter().find(|(_, size)| *size == 0) {
            return Err(EvolutionError::setting(field, got, "at least 1"));
        }
        if !(0.0..=1.0).contains(&self.warmup) {
            return Err(EvolutionError::setting("warmup", self.warmup, "a share from 0 to 1"));
        }
        Ok(())
    }

    fn resize(&mut self, sizes: &Sizes) {
        self.pairs = sizes.preferences.unwrap_or(self.pairs).min(sizes.max_pairs.unwrap_or(usize::MAX));
    }

    fn trains(&self) -> bool {
        true
    }

    fn summary(&self) -> String {
        format!("Member {} tuned on {} preferences", self.member, self.pairs)
    }

    fn find(
        &self,
        environment: &Environment<'_>,
        _name: &str,
        progress: &mut dyn FnMut(),
    ) -> Result<FoundModel, EvolutionError> {
        let start = environment.members.state_dict(self.member)?;
        let mut rows = 0;
        let mut step = || {
            rows += 2 * self.batch_size;
            (0..rows / ROWS_OF_A_CANDIDATE).for_each(|_| progress());
            rows %= ROWS_OF_A_CANDIDATE;
        };
        let (weights, loss) = environment.trainer.tune(self, &start, environment.seed, &mut step)?;
        let found = Found::default().with([("learning_rate", self.learning_rate), ("final_loss", loss)]);
        Ok(FoundModel { weights, found, merge: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted::{Scripted, first, pool};

    fn tuning(text: &str) -> PreferenceTuning {
        let usual = "member = 1\npairs = 100\nepochs = 2\nbatch_size = 12\nwarmup = 0.1\nlearning_rate = 3e-4\n";
        toml::from_str(&format!("{usual}{text}")).unwrap()
    }

    #[test]
    fn the_trainer_gets_the_member_and_progress_is_told_in_candidates() {
        let scripted = Scripted::default();
        let found = scripted.find(&tuning("loss.dpo.beta = 0.1"), &pool(2)).unwrap();
        // The scripted trainer adds 10.
        assert_eq!(first(&found.weights), 11.0);
        assert_eq!(found.found.detail, [("final_loss".to_owned(), 0.5), ("learning_rate".to_owned(), 3e-4)].into());
        // 17 steps of 24 rows.
        assert_eq!((scripted.progress.get(), tuning("loss.dpo.beta = 0.1").steps()), (8, 17));
    }

    #[test]
    fn the_reference_of_dpo_reads_too() {
        let dpo = tuning("loss.dpo.beta = 0.1").cost(1);
        assert_eq!((dpo.candidates, dpo.tuning_reads, dpo.merges), (400 / 48, 1600, 0));
        assert_eq!(tuning("loss.orpo.beta = 0.1").cost(1).tuning_reads, 1200);
    }

    #[test]
    fn a_scale_sets_preferences_and_a_limit_never_adds_any() {
        let mut strategy = tuning("loss.dpo.beta = 0.1");
        strategy.resize(&Sizes { preferences: Some(40), ..Sizes::default() });
        assert_eq!(strategy.pairs, 40);
        strategy.resize(&Sizes { max_pairs: Some(60), ..Sizes::default() });
        assert_eq!(strategy.pairs, 40);
        strategy.resize(&Sizes { max_pairs: Some(6), ..Sizes::default() });
        assert_eq!(strategy.pairs, 6);
    }

    #[test]
    fn what_cannot_be_trained_on_is_rejected() {
        let dpo = || tuning("loss.dpo.beta = 0.1");
        assert!(dpo().check(1).is_ok());
        let error = |strategy: PreferenceTuning| strategy.check(1).unwrap_err().to_string();
        assert!(error(PreferenceTuning { member: 2, ..dpo() }).starts_with("member 2 of a pool of 2"));
        assert_eq!(error(PreferenceTuning { epochs: 0, ..dpo() }), "`epochs` is 0, expected at least 1");
        assert_eq!(error(PreferenceTuning { warmup: 1.5, ..dpo() }), "`warmup` is 1.5, expected a share from 0 to 1");
        let lora = "loss.dpo = { beta = 0.1, gamma = 1 }";
        assert!(toml::from_str::<PreferenceTuning>(lora).is_err());
    }
}
