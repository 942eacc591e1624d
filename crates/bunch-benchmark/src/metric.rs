//! Metrics: what is measured per document and how documents are summarised, as in lm-evaluation-harness.

mod entity;
mod exact_match;
mod f1;
mod number;

use serde::ser::SerializeSeq;
use serde::{Deserialize, Serialize, Serializer};

pub(crate) use entity::entity_f1;
pub(crate) use number::numbers_match;

use crate::output_type::OutputType;
use crate::python::Pattern;

/// A metric of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricConfig {
    /// Its name.
    pub metric: Metric,
    /// How documents are summarised; it must be the metric's own way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aggregation: Option<String>,
    /// Whether larger is better; the metric's own nature where missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub higher_is_better: Option<bool>,
    /// `exact_match` of generated text: compare in lower case.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ignore_case: bool,
    /// `exact_match` of generated text: without ASCII punctuation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ignore_punctuation: bool,
    /// `exact_match` of generated text: without ASCII digits.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ignore_numbers: bool,
    /// `exact_match` of generated text: what matches one of these expressions of Python's is removed, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub regexes_to_ignore: Vec<String>,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// The choice with the largest score is the right one.
    Acc,
    /// The same with the log-likelihood divided by the choice's Unicode code points.
    AccNorm,
    /// The same with the log-likelihood divided by the choice's UTF-8 bytes.
    AccBytes,
    /// The same with the log-likelihood minus that of the choice without a context.
    AccMutualInfo,
    /// Choices: greedy decoding gives the right one. Generated text: it equals the target.
    ExactMatch,
    /// Micro-averaged F1 over the choices; with one label a document it is the accuracy.
    F1Micro,
    /// F1 per choice, weighted by how often the choice is right (scikit-learn's `average="weighted"`).
    F1Weighted,
    /// `f1_weighted` within each value of the column `class_id`, and the plain mean of those.
    F1WeightedByClass,
    /// F1 of the named entities in generated text, averaged over documents.
    EntityF1,
    /// A number of the generated first line is within 0.01 of the target's first number.
    NumericMatch,
    /// exp(-sum of log-likelihoods / sum of words).
    WordPerplexity,
    /// exp(-sum of log-likelihoods / sum of UTF-8 bytes).
    BytePerplexity,
    /// -sum of log-likelihoods / sum of UTF-8 bytes / ln 2.
    BitsPerByte,
}

/// A metric's value for one document.
#[derive(Debug, Clone, PartialEq)]
pub enum MetricValue {
    /// A number to be averaged.
    Score(f64),
    /// The right and the predicted choice (-100: the target is none of the choices), and the document's class.
    Labels {
        /// The right one.
        gold: i64,
        /// The predicted one.
        pred: i64,
        /// Value of the column `class_id`; empty without one.
        class: String,
    },
    /// A log-likelihood in nats and the number of words or bytes it is spread over.
    Weighted(f64, usize),
}

impl Serialize for MetricValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Score(score) => serializer.serialize_f64(*score),
            Self::Labels { gold, pred, .. } => (gold, pred).serialize(serializer),
            Self::Weighted(loglikelihood, weight) => {
                let mut pair = serializer.serialize_seq(Some(2))?;
                pair.serialize_element(loglikelihood)?;
                pair.serialize_element(weight)?;
                pair.end()
            }
        }
    }
}

impl Metric {
    /// Its name in results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Acc => "acc",
            Self::AccNorm => "acc_norm",
            Self::AccBytes => "acc_bytes",
            Self::AccMutualInfo => "acc_mutual_info",
            Self::ExactMatch => "exact_match",
            Self::F1Micro => "f1_micro",
            Self::F1Weighted => "f1_weighted",
            Self::F1WeightedByClass => "f1_weighted_by_class",
            Self::EntityF1 => "entity_f1",
            Self::NumericMatch => "numeric_match",
            Self::WordPerplexity => "word_perplexity",
            Self::BytePerplexity => "byte_perplexity",
            Self::BitsPerByte => "bits_per_byte",
        }
    }

    /// Whether it says of each document that it is right or wrong.
    pub(crate) const fn is_right_or_wrong(self) -> bool {
        matches!(
            self,
            Self::Acc | Self::AccNorm | Self::AccBytes | Self::AccMutualInfo | Self::ExactMatch | Self::NumericMatch
        )
    }

    const fn aggregation(self) -> &'static str {
        match self {
            Self::F1Micro => "f1_micro",
            Self::F1Weighted => "f1_weighted",
            Self::F1WeightedByClass => "f1_weighted_by_class",
            Self::WordPerplexity | Self::BytePerplexity => "weighted_perplexity",
            Self::BitsPerByte => "bits_per_byte",
            _ => "mean",
        }
    }

    const fn measures(self, output: OutputType) -> bool {
        match output {
            OutputType::MultipleChoice => matches!(
                self,
                Self::Acc
                    | Self::AccNorm
                    | Self::AccBytes
                    | Self::AccMutualInfo
                    | Self::ExactMatch
                    | Self::F1Micro
                    | Self::F1Weighted
                    | Self::F1WeightedByClass
            ),
            OutputType::GenerateUntil => matches!(self, Self::ExactMatch | Self::EntityF1 | Self::NumericMatch),
            OutputType::LoglikelihoodRolling => {
                matches!(self, Self::WordPerplexity | Self::BytePerplexity | Self::BitsPerByte)
            }
        }
    }

    /// The summary of all documents; not a number where there are none.
    #[must_use]
    pub(crate) fn aggregate(self, values: &[MetricValue]) -> f64 {
        match self {
            Self::F1Weighted => f1::weighted(&labels(values)),
            Self::F1WeightedByClass => f1::weighted_by_class(values),
            Self::WordPerplexity | Self::BytePerplexity => (-weighted_mean(values)).exp(),
            Self::BitsPerByte => -weighted_mean(values) / std::f64::consts::LN_2,
            _ => mean(&scores(values)),
        }
    }

    /// The summary's standard error; `None` ("N/A") where lm-eval has no formula, or for a single document.
    #[must_use]
    pub fn stderr(self, values: &[MetricValue]) -> Option<f64> {
        let averaged = self.aggregation() == "mean" || self == Self::F1Micro;
        (averaged && values.len() > 1).then(|| mean_stderr(&scores(values)))
    }
}

impl MetricConfig {
    /// Whether larger is better.
    #[must_use]
    pub(crate) fn higher_is_better(&self) -> bool {
        let loss = matches!(self.metric, Metric::WordPerplexity | Metric::BytePerplexity | Metric::BitsPerByte);
        self.higher_is_better.unwrap_or(!loss)
    }

    /// What is wrong with the entry, in words.
    pub(crate) fn check(&self, output: OutputType) -> Result<(), String> {
        let name = self.metric.name();
        if !self.metric.measures(output) {
            return Err(format!("{name} does not measure this output_type"));
        }
        if let Some(aggregation) = self.aggregation.as_deref().filter(|own| *own != self.metric.aggregation()) {
            return Err(format!("{name} is summarised by {}, not {aggregation}", self.metric.aggregation()));
        }
        let comparing =
            self.ignore_case || self.ignore_punctuation || self.ignore_numbers || !self.regexes_to_ignore.is_empty();
        if comparing && (self.metric != Metric::ExactMatch || output != OutputType::GenerateUntil) {
            return Err(format!("{name} compares no text, so nothing can be ignored in it"));
        }
        self.regexes_to_ignore.iter().try_for_each(|pattern| Pattern::new(pattern).map(|_| ()))
    }
}

/// Each document's score; for labels whether they agree.
fn scores(values: &[MetricValue]) -> Vec<f64> {
    let score = |value: &MetricValue| match value {
        MetricValue::Score(score) => *score,
        MetricValue::Labels { gold, pred, .. } => f64::from(u8::from(gold == pred)),
        MetricValue::Weighted(loglikelihood, _) => *loglikelihood,
    };
    values.iter().map(score).collect()
}

fn labels(values: &[MetricValue]) -> Vec<(i64, i64)> {
    let pair = |value: &MetricValue| match value {
        MetricValue::Labels { gold, pred, .. } => Some((*gold, *pred)),
        _ => None,
    };
    values.iter().filter_map(pair).collect()
}

/// Sum over count.
#[must_use]
pub fn mean(scores: &[f64]) -> f64 {
    scores.iter().sum::<f64>() / scores.len() as f64
}

/// Sample standard deviation over the root of the count; needs two scores.
fn mean_stderr(scores: &[f64]) -> f64 {
    let mean = mean(scores);
    let squares: f64 = scores.iter().map(|score| (score - mean) * (score - mean)).sum();
    (squares / (scores.len() as f64 - 1.0)).sqrt() / (scores.len() as f64).sqrt()
}

fn weighted_mean(values: &[MetricValue]) -> f64 {
    let (mut loglikelihood, mut weight) = (0.0, 0);
    for value in values {
        if let MetricValue::Weighted(sum, count) = value {
            loglikelihood += sum;
            weight += count;
        }
    }
    loglikelihood / weight as f64
}

#[cfg(test)]
mod tests;
