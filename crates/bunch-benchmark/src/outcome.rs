//! What a document's answers are worth: the value of each metric, for each filter.

use serde_json::Value;

use crate::answer::Answers;
use crate::filter::FilterPipeline;
use crate::metric::{Metric, MetricConfig, MetricValue, entity_f1, numbers_match};
use crate::prompt::Prompt;
use crate::python;
use crate::task::Protocol;
use crate::{Doc, Task};

/// The values of a document's metrics under one filter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outcome {
    /// The filter's name.
    pub filter: String,
    /// The answers after the filter, one for each request.
    pub filtered: Value,
    /// In the order of the task's metrics.
    pub values: Vec<MetricValue>,
}

/// A target that is none of the choices.
const NO_CHOICE: i64 = -100;

impl Task {
    /// The filters of the task; one that changes nothing where it names none.
    pub(crate) fn filters(&self) -> Vec<FilterPipeline> {
        if self.filter_list.is_empty() { vec![FilterPipeline::none()] } else { self.filter_list.clone() }
    }

    /// The values of a document's metrics, filter by filter. `lengths` are the tokens of each scored continuation.
    ///
    /// # Errors
    /// A document that the metrics cannot deal with, in words.
    pub(crate) fn outcomes(
        &self,
        doc: &Doc,
        prompt: &Prompt,
        answers: &Answers,
        lengths: &[usize],
    ) -> Result<Vec<Outcome>, String> {
        let unfiltered = |values| vec![Outcome { filter: "none".to_string(), filtered: answers.to_json(), values }];
        match answers {
            Answers::Scores(scores) => {
                let comparison = Comparison::new(self, prompt, scores, lengths);
                let values = self.metric_list.iter().map(|metric| comparison.value(metric.metric, doc));
                Ok(unfiltered(values.collect::<Result<_, _>>()?))
            }
            Answers::Rolling(sum) => {
                let text = prompt.target.as_str().unwrap_or_default();
                let weight = |metric: &MetricConfig| match metric.metric {
                    Metric::WordPerplexity => python::count_words(text),
                    _ => text.len(),
                };
                Ok(unfiltered(
                    self.metric_list.iter().map(|metric| MetricValue::Weighted(*sum, weight(metric))).collect(),
                ))
            }
            Answers::Text(text) => {
                let targets = targets(prompt)?;
                let outcome = |filter: FilterPipeline| {
                    let answer = filter.apply(text)?;
                    let value = |metric: &MetricConfig| generated(metric, &answer, &targets).map(MetricValue::Score);
                    let values = self.metric_list.iter().map(value).collect::<Result<_, String>>()?;
                    Ok(Outcome { filter: filter.name, filtered: Value::from(vec![answer.as_str()]), values })
                };
                self.filters().into_iter().map(outcome).collect()
            }
        }
    }
}

/// The texts that a generated answer is compared with: one, or several of which any will do.
fn targets(prompt: &Prompt) -> Result<Vec<String>, String> {
    if let Some(choices) = &prompt.choices {
        let index = prompt.target.as_i64().and_then(|index| usize::try_from(index).ok());
        let choice = index.and_then(|index| choices.get(index));
        let choice =
            choice.ok_or_else(|| format!("doc_to_target: expected a choice's index, got {}", prompt.target))?;
        return Ok(vec![choice.clone()]);
    }
    Ok(match &prompt.target {
        Value::Array(targets) => targets.iter().map(python::to_text).collect(),
        target => vec![python::to_text(target)],
    })
}

fn generated(metric: &MetricConfig, answer: &str, targets: &[String]) -> Result<f64, String> {
    let first = targets.first().map(String::as_str).unwrap_or_default();
    let agree = |agrees: bool| f64::from(u8::from(agrees));
    match metric.metric {
        Metric::EntityF1 => entity_f1(answer, first),
        Metric::NumericMatch => numbers_match(answer, first).map(agree),
        _ => {
            let mut matches = targets.iter().map(|target| metric.texts_match(answer, target));
            Ok(agree(matches.try_fold(false, |any, matches| Ok::<_, String>(any || matches?))?))
        }
    }
}

/// The scores of a document's choices next to the right ones.
struct Comparison<'doc> {
    choices: &'doc [String],
    scores: &'doc [(f64, bool)],
    /// Without a context, for mutual information.
    unconditional: &'doc [(f64, bool)],
    /// What choices compare by: the sums, or with AdaptLLM's protocol the means.
    compared: Vec<f64>,
    gold: Vec<i64>,
}

impl<'doc> Comparison<'doc> {
    fn new(task: &Task, prompt: &'doc Prompt, scores: &'doc [(f64, bool)], lengths: &[usize]) -> Self {
        let choices = prompt.choices.as_deref().unwrap_or_default();
        let (scores, unconditional) = scores.split_at(choices.len().min(scores.len()));
        let compared = scores.iter().zip(lengths).map(|((sum, _), length)| match task.protocol {
            Protocol::LmEval => *sum,
            Protocol::Adaptllm => sum / *length as f64,
        });
        let gold = match (prompt.right_context, &prompt.target) {
            (Some(index), _) => vec![index],
            (None, Value::Array(targets)) => targets.iter().map(|target| gold(target, choices)).collect(),
            (None, target) => vec![gold(target, choices)],
        };
        let gold = gold.into_iter().map(|index| if index < choices.len() as i64 { index } else { NO_CHOICE }).collect();
        Self { choices, scores, unconditional, compared: compared.collect(), gold }
    }

    fn value(&self, metric: Metric, doc: &Doc) -> Result<MetricValue, String> {
        let right = |predicted: i64| MetricValue::Score(f64::from(u8::from(self.gold.contains(&predicted))));
        let per = |length: fn(&str) -> usize| {
            let lengths = self.choices.iter().map(|choice| length(choice) as f64);
            right(first_largest(self.compared.iter().zip(lengths).map(|(score, length)| score / length)))
        };
        let predicted = first_largest(self.compared.iter().copied());
        Ok(match metric {
            Metric::AccNorm => per(|choice| choice.chars().count()),
            Metric::AccBytes => per(str::len),
            Metric::AccMutualInfo => {
                let pairs = self.scores.iter().zip(self.unconditional);
                right(first_largest(pairs.map(|((conditional, _), (unconditional, _))| conditional - unconditional)))
            }
            Metric::ExactMatch => {
                let is_greedy = |index: &i64| {
                    let score = usize::try_from(*index).ok().and_then(|index| self.scores.get(index));
                    score.is_some_and(|(_, is_greedy)| *is_greedy)
                };
                MetricValue::Score(f64::from(u8::from(self.gold.iter().any(is_greedy))))
            }
            Metric::F1Micro | Metric::F1Weighted | Metric::F1WeightedByClass => {
                let [gold] = self.gold.as_slice() else {
                    return Err(format!("{} needs one right choice, got {}", metric.name(), self.gold.len()));
                };
                let class = match (metric, doc.get("class_id")) {
                    (Metric::F1WeightedByClass, None) => {
                        return Err(format!("{} needs a column class_id", metric.name()));
                    }
                    (Metric::F1WeightedByClass, Some(class)) => python::to_text(class),
                    _ => String::new(),
                };
                MetricValue::Labels { gold: *gold, pred: predicted, class }
            }
            _ => right(predicted),
        })
    }
}

fn gold(target: &Value, choices: &[String]) -> i64 {
    match target {
        Value::String(text) => {
            choices.iter().position(|choice| choice == text).map_or(NO_CHOICE, |position| position as i64)
        }
        other => other.as_i64().unwrap_or(NO_CHOICE),
    }
}

/// The position of the largest number, the first one among equals, as numpy's `argmax`.
pub(crate) fn first_largest(numbers: impl Iterator<Item = f64>) -> i64 {
    let mut best = (0, f64::NEG_INFINITY);
    for (at, number) in numbers.enumerate() {
        // numpy: what is not a number (0 / 0, an empty choice) comes before everything.
        if number.is_nan() {
            return at as i64;
        }
        if number > best.1 {
            best = (at as i64, number);
        }
    }
    best.0
}
