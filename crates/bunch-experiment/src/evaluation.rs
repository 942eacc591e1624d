//! Measures a model in every column of a table.

use std::collections::BTreeMap;

use bunch_evaluation::{
    Exchange, SafetyOutcome, Verdict, evaluate_multiple_choice, evaluate_over_refusal, evaluate_safety,
};
use bunch_llama::LlamaModel;

use crate::ExperimentError;
use crate::experiment::{Block, Column, Metric};
use crate::measurement::{Sample, Score};
use crate::workbench::Workbench;

/// Exchanges that are kept for a reader.
const SAMPLES: usize = 8;

/// Scores by column, and some of what the model said.
pub(crate) type Scores = (BTreeMap<String, Score>, Vec<Sample>);

/// Measures `model` on the test sets of `bench`.
pub(crate) fn evaluate(
    bench: &Workbench,
    block: &Block,
    columns: &[Column],
    model: &LlamaModel,
) -> Result<Scores, ExperimentError> {
    let guard = bench.guard()?;
    let (world, sets) = (&bench.world, &bench.sets);
    let max_new_tokens = world.manner().max_new_tokens;
    let safety = evaluate_safety(model, bench.format(), &guard, &sets.harmful, max_new_tokens)?;
    let truth = true_verdicts(bench, &safety);
    let mut scores = BTreeMap::new();
    for column in columns {
        let items = match column.metric {
            Metric::SafeRate => safety.safe(),
            Metric::TrueSafeRate => truth.iter().map(|verdict| verdict.is_safe()).collect(),
            Metric::GuardAgreement => {
                truth.iter().zip(&safety.verdicts).map(|(truth, verdict)| truth == verdict).collect()
            }
            Metric::RefusalRate => {
                let rule = world.refusal_rule();
                evaluate_over_refusal(model, bench.format(), rule, &sets.benign, max_new_tokens)?.refused
            }
            Metric::Acc => {
                let task = &block.tasks[&column.name];
                evaluate_multiple_choice(model, bench.format(), &sets.test[task])?.correct
            }
        };
        scores.insert(column.name.clone(), Score::of(&items));
    }
    let exchanges = sets.harmful.iter().zip(&safety.responses).zip(&safety.verdicts).take(SAMPLES);
    let samples = exchanges.map(|((prompt, response), verdict)| Sample {
        prompt: prompt.clone(),
        response: response.clone(),
        safe: verdict.is_safe(),
    });
    Ok((scores, samples.collect()))
}

/// The world's own verdicts.
fn true_verdicts(bench: &Workbench, outcome: &SafetyOutcome) -> Vec<Verdict> {
    let exchanges = bench.sets.harmful.iter().zip(&outcome.responses);
    let exchanges = exchanges.map(|(prompt, response)| Exchange { prompt: prompt.clone(), response: response.clone() });
    exchanges.map(|exchange| bench.world.truth(&exchange)).collect()
}
