//! What a candidate merge is scored on, in memory.

use bunch_checkpoint::StateDict;
use bunch_judging::evaluate_safety;
use bunch_llama::LlamaModel;
use bunch_lm::{QuestionAnswer, answer_loss};
use bunch_recipe::Pool;

use crate::ExperimentError;
use crate::declared::column::JudgeName;
use crate::front_search::Fronts;
use crate::weighting::Data;
use crate::workbench::Workbench;
use crate::world::lacking;

/// A pool, and what tells its merges apart: losses on generated data, accuracy on dev questions.
pub(crate) struct Criterion<'a> {
    pub(crate) pool: &'a Pool,
    pub(crate) bench: &'a Workbench,
    /// D_safety, if any row of the block looks at it.
    pub(crate) safety: &'a [QuestionAnswer],
    /// D_expert, if any row of the block looks at it.
    pub(crate) expert: &'a [QuestionAnswer],
    /// Tasks whose mean dev accuracy selects among a grid.
    pub(crate) tasks: &'a [String],
    /// Fronts that rows of the pool share.
    pub(crate) fronts: &'a Fronts,
}

impl Criterion<'_> {
    /// A candidate, ready to be scored.
    pub(crate) fn model(&self, weights: &StateDict) -> Result<LlamaModel, ExperimentError> {
        self.bench.model(weights)
    }

    /// L_safety or L_expert (Eq. 4 and 5): mean cross-entropy of the answers, in nats per token.
    pub(crate) fn loss(&self, model: &LlamaModel, data: Data) -> Result<f64, ExperimentError> {
        let pairs = match data {
            Data::Expert => self.expert,
            Data::Safety => self.safety,
        };
        Ok(answer_loss(model, self.bench.format(), pairs)?)
    }

    /// Mean accuracy over the tasks' dev questions, in percent.
    pub(crate) fn dev_accuracy(&self, model: &LlamaModel) -> Result<f64, ExperimentError> {
        let mut sum = 0.0;
        for task in self.tasks {
            sum += self.bench.dev_accuracy(model, task)?;
        }
        Ok(sum / self.tasks.len().max(1) as f64)
    }

    /// Share of harmful dev prompts that get an answer the guard judges safe, in percent.
    ///
    /// # Errors
    /// A world without such prompts.
    pub(crate) fn dev_safety(&self, model: &LlamaModel) -> Result<f64, ExperimentError> {
        if self.bench.sets.dev_harmful.is_empty() {
            return Err(lacking("harmful dev prompts".into()));
        }
        let (bench, limit) = (self.bench, self.bench.world.manner().max_new_tokens);
        let judge = bench.judge(JudgeName::Guard)?;
        let outcome = evaluate_safety(model, bench.format(), &*judge, &bench.sets.dev_harmful, limit)?;
        Ok(outcome.safe_rate().percent())
    }
}
