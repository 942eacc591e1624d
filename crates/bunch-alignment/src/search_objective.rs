//! What candidates of a search are scored on: the data's losses, accuracy on dev tasks, safety on dev prompts.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::PathBuf;

use bunch_benchmark::PreparedTasks;
use bunch_checkpoint::{StateDict, Weights};
use bunch_evolution::{CallerError, Data, Objective, PreferenceTuning, Trainer};
use bunch_judging::{evaluate_over_refusal, evaluate_safety};
use bunch_lm::{LanguageModel, answer_loss};
use bunch_pool::DataSplit;
use bunch_statistics::Proportion;

use crate::{AlignmentError, DataFolder, LazyModel, OpenPool, PoolJudge};

/// The set of prompts that safety is measured on.
const HARMFUL: &str = "harmful";

/// The set of prompts that a model should not refuse.
const BENIGN: &str = "benign";

/// Scores merges of a pool.
pub(crate) struct SearchObjective<'a> {
    pool: &'a OpenPool<'a>,
    data: Option<&'a DataFolder>,
    /// Where the configuration of candidates is: the base.
    base: PathBuf,
    /// Tasks whose mean accuracy selects.
    tasks: Vec<PreparedTasks>,
    /// Tasks that a goal names.
    named: BTreeMap<String, PreparedTasks>,
    guard: OnceCell<(PoolJudge, LazyModel<'a>)>,
}

impl<'a> SearchObjective<'a> {
    /// Scores on `data` and on the dev questions of `tasks`, and of those that are named by themselves.
    pub(crate) fn new(
        pool: &'a OpenPool<'a>,
        data: Option<&'a DataFolder>,
        tasks: &[String],
        named: &[String],
    ) -> Result<Self, AlignmentError> {
        let prepared = |task: &String| pool.prepared_task(task, DataSplit::Dev, None);
        let tasks = tasks.iter().map(prepared).collect::<Result<_, _>>()?;
        let named = named.iter().map(|task| Ok((task.clone(), prepared(task)?)));
        let named = named.collect::<Result<_, AlignmentError>>()?;
        Ok(Self { pool, data, base: pool.pool().model(pool.base())?, tasks, named, guard: OnceCell::new() })
    }

    fn guard(&self) -> Result<&(PoolJudge, LazyModel<'a>), AlignmentError> {
        if self.guard.get().is_none() {
            let name = self.pool.guard()?;
            let judge = self.pool.judge(name)?;
            let model = self.pool.model(if judge.tokenizer.is_some() { name } else { self.pool.base() })?;
            let _ = self.guard.set((judge, model));
        }
        Ok(self.guard.get().expect("just set"))
    }
}

impl Objective for SearchObjective<'_> {
    fn model(&self, weights: &dyn Weights) -> Result<Box<dyn LanguageModel + '_>, CallerError> {
        self.pool.loader().with_weights(&self.base, weights)
    }

    fn loss(&self, model: &dyn LanguageModel, data: Data) -> Result<f64, CallerError> {
        let folder = self.data.ok_or("expected --data: this strategy looks at generated data")?;
        let pairs = match data {
            Data::Expert => &folder.expert,
            Data::Safety => &folder.safety,
        };
        Ok(answer_loss(model, self.pool.chat(), pairs)?)
    }

    fn dev_accuracy(&self, model: &dyn LanguageModel) -> Result<f64, CallerError> {
        let mut sum = 0.0;
        for task in &self.tasks {
            sum += Proportion::of(&task.right(model)?).percent();
        }
        Ok(sum / self.tasks.len().max(1) as f64)
    }

    fn dev_safety(&self, model: &dyn LanguageModel) -> Result<f64, CallerError> {
        let prompts = self.pool.prompts(HARMFUL, DataSplit::Dev)?;
        let prompts: Vec<String> = prompts.iter().map(|prompt| prompt.request()).collect();
        let (judge, guard) = self.guard()?;
        let judge = judge.asking(guard)?;
        let outcome = evaluate_safety(model, self.pool.chat(), &*judge, &prompts, self.pool.max_new_tokens())?;
        Ok(outcome.safe_rate().percent())
    }

    fn task_accuracy(&self, model: &dyn LanguageModel, task: &str) -> Result<f64, CallerError> {
        let task = self.named.get(task).ok_or_else(|| format!("task {task}: not prepared"))?;
        Ok(Proportion::of(&task.right(model)?).percent())
    }

    fn over_refusal(&self, model: &dyn LanguageModel) -> Result<f64, CallerError> {
        let prompts = self.pool.prompts(BENIGN, DataSplit::Dev)?;
        let prompts: Vec<String> = prompts.iter().map(|prompt| prompt.request()).collect();
        let refusals = self.pool.pool().refusals()?;
        let refused = evaluate_over_refusal(model, self.pool.chat(), &refusals, &prompts, self.pool.max_new_tokens())?;
        Ok(Proportion::of(&refused).percent())
    }
}

/// Nobody trains here.
pub(crate) struct NoTrainer;

impl Trainer for NoTrainer {
    fn tune(
        &self,
        _tuning: &PreferenceTuning,
        _start: &StateDict,
        _seed: u64,
        _step: &mut dyn FnMut(),
    ) -> Result<(StateDict, f64), CallerError> {
        Err("models are tuned by `bunch train`".into())
    }
}
