//! Measures a model in every column of a table.

use std::collections::BTreeMap;

use bunch_judging::{Exchange, Verdict, greedy_answers};
use bunch_pool::DataSplit;
use bunch_transformer::LlamaModel;

use crate::ExperimentError;
use crate::declared::block::Block;
use crate::declared::column::{Column, Metric};
use crate::declared::pool_names::{BENIGN, GUARD, HARMFUL};
use crate::recording::measurement::{Sample, Score};
use crate::seed_pool::SeedPool;

/// Exchanges that are kept for a reader.
const SAMPLES: usize = 8;

/// A model that is measured.
pub(crate) struct Evaluation<'a> {
    seed_pool: &'a SeedPool,
    model: &'a LlamaModel,
    /// What it answered, by set of prompts: many columns look at the same.
    answers: BTreeMap<String, Vec<String>>,
    /// What the judges said of that, by set of prompts and judge.
    verdicts: BTreeMap<(String, String), Vec<Verdict>>,
}

impl<'a> Evaluation<'a> {
    pub(crate) fn new(seed_pool: &'a SeedPool, model: &'a LlamaModel) -> Self {
        Self { seed_pool, model, answers: BTreeMap::new(), verdicts: BTreeMap::new() }
    }

    /// The model.
    pub(crate) fn model(&self) -> &'a LlamaModel {
        self.model
    }

    /// The score in a column that looks at what the model says. Mean, likeness and detail are not among them.
    ///
    /// `None` without an item: under a limit, a category may have no prompt.
    pub(crate) fn score(&mut self, block: &Block, column: &Column) -> Result<Option<Score>, ExperimentError> {
        let seed_pool = self.seed_pool;
        let mut unparsed = 0;
        let items = match column.metric {
            Metric::SafeRate | Metric::TrueSafeRate | Metric::GuardAgreement => {
                let prompts = seed_pool.prompts(&column.prompts)?;
                self.judge(column)?;
                if column.metric != Metric::SafeRate && seed_pool.truth().is_none() {
                    return Ok(None);
                }
                let verdicts = &self.verdicts[&(column.prompts.clone(), column.judge.clone())];
                let exchanges = exchanges(&prompts.texts, &self.answers[&column.prompts]);
                let counts = |category: &Option<String>| column.category.is_none() || *category == column.category;
                let judged = exchanges.zip(verdicts).zip(&prompts.categories);
                let judged: Vec<Judged> =
                    judged.filter(|(_, category)| counts(category)).map(|(judged, _)| judged).collect();
                if column.metric != Metric::TrueSafeRate {
                    unparsed = judged.iter().filter(|(_, verdict)| **verdict == Verdict::Unparsed).count() as u64;
                }
                let truth =
                    |exchange: &Exchange| seed_pool.truth().map_or(Verdict::Unparsed, |rule| rule.verdict(exchange));
                judged.iter().map(|one| counts_for(column.metric, one, &truth)).collect()
            }
            Metric::RefusalRate => {
                self.ask(BENIGN)?;
                self.answers[BENIGN].iter().map(|answer| seed_pool.refusals().is_refusal(answer)).collect()
            }
            Metric::BabbleRate => {
                let Some(rule) = seed_pool.truth() else { return Ok(None) };
                self.ask(&column.prompts)?;
                let babbles = |answer: &String| rule.is_babble(answer, seed_pool.refusals());
                let items: Option<Vec<bool>> = self.answers[&column.prompts].iter().map(babbles).collect();
                let Some(items) = items else { return Ok(None) };
                items
            }
            Metric::Acc => seed_pool.right(self.model, &block.tasks[&column.name], DataSplit::Test)?,
            _ => return Ok(None),
        };
        Ok((!items.is_empty()).then(|| Score { unparsed, ..Score::of(&items) }))
    }

    /// Some of what the model said to harmful prompts.
    pub(crate) fn samples(&self) -> Vec<Sample> {
        let Some(verdicts) = self.verdicts.get(&(HARMFUL.into(), GUARD.into())) else { return Vec::new() };
        let Ok(prompts) = self.seed_pool.prompts(HARMFUL) else { return Vec::new() };
        let exchanges = prompts.texts.iter().zip(&self.answers[HARMFUL]).zip(verdicts).take(SAMPLES);
        let sample = |((prompt, response), verdict): ((&String, &String), &Verdict)| Sample {
            prompt: prompt.clone(),
            response: response.clone(),
            verdict: *verdict,
        };
        exchanges.map(sample).collect()
    }

    /// Lets the model answer a set of prompts, unless it has.
    fn ask(&mut self, set: &str) -> Result<(), ExperimentError> {
        if !self.answers.contains_key(set) {
            let prompts = &self.seed_pool.prompts(set)?.texts;
            let (format, limit) = (self.seed_pool.format(), self.seed_pool.max_new_tokens());
            let answers = greedy_answers(self.model, format, prompts, limit)?;
            self.answers.insert(set.into(), answers);
        }
        Ok(())
    }

    /// Lets a judge hear the answers to a set of prompts, unless it has.
    fn judge(&mut self, column: &Column) -> Result<(), ExperimentError> {
        let key = (column.prompts.clone(), column.judge.clone());
        if !self.verdicts.contains_key(&key) {
            self.ask(&column.prompts)?;
            let prompts = &self.seed_pool.prompts(&column.prompts)?.texts;
            let exchanges: Vec<Exchange> = exchanges(prompts, &self.answers[&column.prompts]).collect();
            let verdicts = self.seed_pool.judge(&column.judge)?.judge(&exchanges)?;
            self.verdicts.insert(key, verdicts);
        }
        Ok(())
    }
}

fn exchanges<'a>(prompts: &'a [String], answers: &'a [String]) -> impl Iterator<Item = Exchange> + 'a {
    prompts.iter().zip(answers).map(|(prompt, answer)| Exchange::new(prompt, answer))
}

/// An exchange and what the judge said of it.
type Judged<'a> = (Exchange, &'a Verdict);

/// Whether an exchange counts in a metric; an unparsed verdict is not safe, and agrees with no truth.
fn counts_for(metric: Metric, (exchange, verdict): &Judged<'_>, truth: &dyn Fn(&Exchange) -> Verdict) -> bool {
    match metric {
        Metric::TrueSafeRate => truth(exchange).is_safe(),
        Metric::GuardAgreement => truth(exchange) == **verdict,
        _ => verdict.is_safe(),
    }
}

#[cfg(test)]
mod tests;
