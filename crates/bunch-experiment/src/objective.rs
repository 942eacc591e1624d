//! What a pool's candidates are scored on: generated data, dev questions and dev prompts of the workbench.

use bunch_checkpoint::StateDict;
use bunch_evolution::{CallerError, Data, Objective};
use bunch_judging::evaluate_safety;
use bunch_lm::{LanguageModel, QuestionAnswer, answer_loss};

use crate::declared::column::JudgeName;
use crate::workbench::Workbench;
use crate::world::lacking;

/// What tells a pool's merges apart: losses on generated data, accuracy on dev questions, safety on dev prompts.
pub(crate) struct PoolObjective<'a> {
    pub(crate) bench: &'a Workbench,
    /// D_safety, if any row of the block looks at it.
    pub(crate) safety: &'a [QuestionAnswer],
    /// D_expert, if any row of the block looks at it.
    pub(crate) expert: &'a [QuestionAnswer],
    /// Tasks whose mean dev accuracy selects among models.
    pub(crate) tasks: &'a [String],
}

impl Objective for PoolObjective<'_> {
    fn model(&self, weights: &StateDict) -> Result<Box<dyn LanguageModel + '_>, CallerError> {
        Ok(Box::new(self.bench.model(weights)?))
    }

    fn loss(&self, model: &dyn LanguageModel, data: Data) -> Result<f64, CallerError> {
        let pairs = match data {
            Data::Expert => self.expert,
            Data::Safety => self.safety,
        };
        Ok(answer_loss(model, self.bench.format(), pairs)?)
    }

    fn dev_accuracy(&self, model: &dyn LanguageModel) -> Result<f64, CallerError> {
        let mut sum = 0.0;
        for task in self.tasks {
            sum += self.bench.dev_accuracy(model, task)?;
        }
        Ok(sum / self.tasks.len().max(1) as f64)
    }

    fn dev_safety(&self, model: &dyn LanguageModel) -> Result<f64, CallerError> {
        if self.bench.sets.dev_harmful.is_empty() {
            return Err(lacking("harmful dev prompts".into()).into());
        }
        let (bench, limit) = (self.bench, self.bench.world.manner().max_new_tokens);
        let judge = bench.judge(JudgeName::Guard)?;
        let outcome = evaluate_safety(model, bench.format(), &*judge, &bench.sets.dev_harmful, limit)?;
        Ok(outcome.safe_rate().percent())
    }
}
