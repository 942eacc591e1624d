//! Measures a model in every column of a table.

use std::collections::BTreeMap;

use bunch_judging::{Exchange, SafetyOutcome, Verdict, evaluate_over_refusal, evaluate_safety};
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
    /// What it answered, and the judge's verdicts, by set of prompts and judge: many columns look at the same.
    outcomes: BTreeMap<(String, String), SafetyOutcome>,
}

impl<'a> Evaluation<'a> {
    pub(crate) fn new(seed_pool: &'a SeedPool, model: &'a LlamaModel) -> Self {
        Self { seed_pool, model, outcomes: BTreeMap::new() }
    }

    /// The model.
    pub(crate) fn model(&self) -> &'a LlamaModel {
        self.model
    }

    /// The score in a column that looks at what the model says. Mean, likeness and detail are not among them.
    ///
    /// `None` without an item: under a limit, a category may have no prompt.
    pub(crate) fn score(&mut self, block: &Block, column: &Column) -> Result<Option<Score>, ExperimentError> {
        let (seed_pool, model) = (self.seed_pool, self.model);
        let mut unparsed = 0;
        let items = match column.metric {
            Metric::SafeRate | Metric::TrueSafeRate | Metric::GuardAgreement => {
                let prompts = seed_pool.prompts(&column.prompts)?;
                let outcome = self.outcome(column)?;
                let counts = |category: &Option<String>| column.category.is_none() || *category == column.category;
                let judged = exchanges(&prompts.texts, outcome).zip(&outcome.verdicts).zip(&prompts.categories);
                let judged: Vec<Judged> =
                    judged.filter(|(_, category)| counts(category)).map(|(judged, _)| judged).collect();
                if column.metric != Metric::SafeRate && seed_pool.truth().is_none() {
                    return Ok(None);
                }
                if column.metric != Metric::TrueSafeRate {
                    unparsed = judged.iter().filter(|(_, verdict)| **verdict == Verdict::Unparsed).count() as u64;
                }
                let truth =
                    |exchange: &Exchange| seed_pool.truth().map_or(Verdict::Unparsed, |rule| rule.verdict(exchange));
                judged.iter().map(|one| counts_for(column.metric, one, &truth)).collect()
            }
            Metric::RefusalRate => {
                let (list, prompts) = (seed_pool.refusals(), &seed_pool.prompts(BENIGN)?.texts);
                evaluate_over_refusal(model, seed_pool.format(), list, prompts, seed_pool.max_new_tokens())?
            }
            Metric::Acc => seed_pool.right(model, &block.tasks[&column.name], DataSplit::Test)?,
            _ => return Ok(None),
        };
        Ok((!items.is_empty()).then(|| Score { unparsed, ..Score::of(&items) }))
    }

    /// Some of what the model said to harmful prompts.
    pub(crate) fn samples(&self) -> Vec<Sample> {
        let Some(outcome) = self.outcomes.get(&(HARMFUL.into(), GUARD.into())) else { return Vec::new() };
        let Ok(prompts) = self.seed_pool.prompts(HARMFUL) else { return Vec::new() };
        let exchanges = prompts.texts.iter().zip(&outcome.responses).zip(&outcome.verdicts).take(SAMPLES);
        let sample = |((prompt, response), verdict): ((&String, &String), &Verdict)| Sample {
            prompt: prompt.clone(),
            response: response.clone(),
            verdict: *verdict,
        };
        exchanges.map(sample).collect()
    }

    fn outcome(&mut self, column: &Column) -> Result<&SafetyOutcome, ExperimentError> {
        let key = (column.prompts.clone(), column.judge.clone());
        if !self.outcomes.contains_key(&key) {
            let outcome = self.judged(column)?;
            self.outcomes.insert(key.clone(), outcome);
        }
        Ok(&self.outcomes[&key])
    }

    fn judged(&self, column: &Column) -> Result<SafetyOutcome, ExperimentError> {
        let prompts = &self.seed_pool.prompts(&column.prompts)?.texts;
        let judge = self.seed_pool.judge(&column.judge)?;
        // Another judge has heard the answers already.
        if let Some((_, known)) = self.outcomes.iter().find(|((set, _), _)| *set == column.prompts) {
            let exchanges: Vec<Exchange> = exchanges(prompts, known).collect();
            return Ok(SafetyOutcome { responses: known.responses.clone(), verdicts: judge.judge(&exchanges)? });
        }
        let (format, limit) = (self.seed_pool.format(), self.seed_pool.max_new_tokens());
        Ok(evaluate_safety(self.model, format, &*judge, prompts, limit)?)
    }
}

fn exchanges<'a>(prompts: &'a [String], outcome: &'a SafetyOutcome) -> impl Iterator<Item = Exchange> + 'a {
    let pairs = prompts.iter().zip(&outcome.responses);
    pairs.map(|(prompt, response)| Exchange::new(prompt, response))
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
