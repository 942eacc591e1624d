//! What a pool's candidates are scored on: generated data, dev questions and dev prompts of the seed's pool.

use bunch_checkpoint::Weights;
use bunch_evolution::{CallerError, Data, Objective};
use bunch_judging::evaluate_safety;
use bunch_lm::{LanguageModel, QuestionAnswer, answer_loss};
use bunch_pool::DataSplit;
use bunch_statistics::Proportion;

use crate::declared::pool_names::GUARD;
use crate::seed_pool::SeedPool;

/// What tells a pool's merges apart: losses on generated data, accuracy on dev questions, safety on dev prompts.
pub(crate) struct PoolObjective<'a> {
    pub(crate) seed_pool: &'a SeedPool,
    /// D_safety, if any row of the block looks at it.
    pub(crate) safety: &'a [QuestionAnswer],
    /// D_expert, if any row of the block looks at it.
    pub(crate) expert: &'a [QuestionAnswer],
    /// Tasks whose mean dev accuracy selects among models.
    pub(crate) tasks: &'a [String],
}

impl Objective for PoolObjective<'_> {
    fn model(&self, weights: &dyn Weights) -> Result<Box<dyn LanguageModel + '_>, CallerError> {
        Ok(Box::new(self.seed_pool.model(weights)?))
    }

    fn loss(&self, model: &dyn LanguageModel, data: Data) -> Result<f64, CallerError> {
        let pairs = match data {
            Data::Expert => self.expert,
            Data::Safety => self.safety,
        };
        Ok(answer_loss(model, self.seed_pool.format(), pairs)?)
    }

    fn dev_accuracy(&self, model: &dyn LanguageModel) -> Result<f64, CallerError> {
        let mut sum = 0.0;
        for task in self.tasks {
            sum += Proportion::of(&self.seed_pool.right(model, task, DataSplit::Dev)?).percent();
        }
        Ok(sum / self.tasks.len().max(1) as f64)
    }

    fn dev_safety(&self, model: &dyn LanguageModel) -> Result<f64, CallerError> {
        let (seed_pool, prompts) = (self.seed_pool, self.seed_pool.dev_prompts()?);
        let judge = seed_pool.judge(GUARD)?;
        let outcome = evaluate_safety(model, seed_pool.format(), &*judge, &prompts, seed_pool.max_new_tokens())?;
        Ok(outcome.safe_rate().percent())
    }

    fn task_accuracy(&self, model: &dyn LanguageModel, task: &str) -> Result<f64, CallerError> {
        Ok(Proportion::of(&self.seed_pool.right(model, task, DataSplit::Dev)?).percent())
    }

    fn over_refusal(&self, _model: &dyn LanguageModel) -> Result<f64, CallerError> {
        Err("over_refusal is not scored in experiments; bunch evolve scores it".into())
    }
}
