//! What is measured of a model: its answers, what judges said of them, and which questions it has right.

use bunch_benchmark::{Evaluation, Selection};
use bunch_judging::{Judgement, RefusalList, SafetyPrompt};
use bunch_lm::Completion;
use serde::Serialize;
use serde_json::Value;

use crate::AlignmentError;

/// What all models are asked.
#[derive(Debug, Clone)]
pub struct AskedSets {
    /// The pool's title.
    pub title: String,
    /// Prompts that a model should not comply with; at least one.
    pub harmful: Vec<SafetyPrompt>,
    /// Who judges the answers to them, the judge that counts first; at least one.
    pub judges: Vec<String>,
    /// Prompts that a model should not refuse; empty where the pool has none.
    pub benign: Vec<SafetyPrompt>,
    /// Which answers to them are refusals; none where they are not asked.
    pub refusals: Option<RefusalList>,
    /// Names of the tasks.
    pub tasks: Vec<String>,
    /// Upper limit on the tokens of an answer.
    pub max_new_tokens: usize,
}

/// What a model is to the measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MeasuredRole {
    /// What is measured.
    Merge,
    /// The member of the pool that safety is compared with.
    Base,
    /// Another member of the pool.
    Member,
}

/// One model with all of its answers.
#[derive(Debug, Clone)]
pub struct AskedModel {
    /// Its name: the pool's, or that of the merge's folder.
    pub name: String,
    /// What it is to the measurement.
    pub role: MeasuredRole,
    /// Where it is, as the pool says it.
    pub source: String,
    /// What identifies its weights.
    pub fingerprint: String,
    /// Its answers to the harmful prompts.
    pub harmful: Vec<Completion>,
    /// What each judge said of them.
    pub judgements: Vec<Vec<Judgement>>,
    /// Its answers to the benign prompts.
    pub benign: Vec<Completion>,
    /// What came out of each task.
    pub tasks: Vec<TaskOutcome>,
}

/// What came out of a task.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskOutcome {
    /// The metric: the first one of the task.
    pub metric: String,
    /// Whether more of it is better.
    pub higher_is_better: bool,
    /// Whether each document is right, where the metric says right or wrong of each.
    pub right: Option<Vec<bool>>,
    /// The metric over all documents.
    pub score: f64,
    /// Its standard error, where there is one.
    pub stderr: Option<f64>,
}

impl TaskOutcome {
    /// What an evaluation of `selection`, made with its samples, says of the task or group `name`. The documents of a group's
    /// tasks are put one after the other.
    pub fn of(evaluation: &Evaluation, selection: &Selection, name: &str) -> Self {
        let mut right = Some(Vec::new());
        let mut key = (String::new(), String::new());
        for task in &selection.tasks {
            let samples = evaluation.samples.get(&task.task).map(Vec::as_slice).unwrap_or_default();
            let Some(first) = samples.first() else { continue };
            let (filter, metric) = (&first["filter"], first["metrics"][0].as_str().unwrap_or_default());
            for sample in samples.iter().filter(|sample| sample["filter"] == *filter) {
                match sample[metric].as_f64() {
                    Some(value) if value == 0.0 || value == 1.0 => {
                        right.iter_mut().for_each(|all| all.push(value == 1.0))
                    }
                    _ => right = None,
                }
            }
            key = (metric.to_owned(), filter.as_str().unwrap_or("none").to_owned());
        }
        let right = right.filter(|right| !right.is_empty());
        let (metric, filter) = key;
        // A group's score stands under its own name, a task's under the task's.
        let place = match (&selection.groups[..], &selection.tasks[..]) {
            ([group, ..], _) => group.group.as_str(),
            ([], [task]) => task.task.as_str(),
            _ => name,
        };
        let score = evaluation.score(place, &format!("{metric},{filter}"));
        let direction =
            &evaluation.results.get("higher_is_better").map_or(Value::Null, |all| all[place][&metric].clone());
        Self {
            score: score.unwrap_or(f64::NAN),
            stderr: evaluation.score(place, &format!("{metric}_stderr,{filter}")),
            higher_is_better: direction.as_bool().unwrap_or(true),
            right,
            metric,
        }
    }
}

impl AskedModel {
    /// Fails if the model was not asked everything, or a judge did not judge every answer.
    pub(crate) fn check(&self, sets: &AskedSets) -> Result<(), AlignmentError> {
        let count = |what: String, expected: usize, got: usize| match got == expected {
            true => Ok(()),
            false => Err(AlignmentError::Count { whose: self.name.clone(), what, expected, got }),
        };
        count("answers to harmful prompts".into(), sets.harmful.len(), self.harmful.len())?;
        count("answers to benign prompts".into(), sets.benign.len(), self.benign.len())?;
        count("judges".into(), sets.judges.len(), self.judgements.len())?;
        for (judge, judgements) in sets.judges.iter().zip(&self.judgements) {
            count(format!("judgements by {judge}"), sets.harmful.len(), judgements.len())?;
        }
        count("tasks".into(), sets.tasks.len(), self.tasks.len())
    }

    /// Whether the judge that counts says of each answer to a harmful prompt that it is safe; an unparsed verdict does not.
    pub(crate) fn safe(&self) -> Vec<bool> {
        let first = self.judgements.first().map(Vec::as_slice).unwrap_or_default();
        first.iter().map(|judgement| judgement.verdict.is_safe()).collect()
    }

    /// Whether each answer to a benign prompt is a refusal.
    pub(crate) fn refused(&self, refusals: &RefusalList) -> Vec<bool> {
        self.benign.iter().map(|answer| refusals.is_refusal(&answer.text)).collect()
    }
}
