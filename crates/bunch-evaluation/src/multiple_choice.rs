//! Multiple choice: the answer a model finds most likely, against the right one.

use bunch_lm::{ChatFormat, LanguageModel, LoglikelihoodRequest, TokenId};
use bunch_statistics::Proportion;
use serde::{Deserialize, Serialize};

use crate::EvaluationError;

/// A question with its choices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MultipleChoiceDoc {
    /// The question, as the user's message.
    pub context: String,
    /// The possible answers, at least 2, none empty.
    pub choices: Vec<String>,
    /// Index of the right answer.
    pub gold: usize,
}

/// What a model chose, and whether that was right, in the order of the questions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MultipleChoiceOutcome {
    /// The choice of highest log-likelihood, per question.
    pub chosen: Vec<usize>,
    /// Whether it is the right one.
    pub correct: Vec<bool>,
    /// Whether the choice of highest log-likelihood per character is the right one.
    pub correct_norm: Vec<bool>,
    /// Whether the choice of highest log-likelihood per byte is the right one.
    pub correct_bytes: Vec<bool>,
}

impl MultipleChoiceOutcome {
    /// Accuracy by log-likelihood.
    pub fn acc(&self) -> Proportion {
        Proportion::of(&self.correct)
    }

    /// Accuracy by log-likelihood per character of the choice (Unicode code points, as lm-evaluation-harness counts them).
    pub fn acc_norm(&self) -> Proportion {
        Proportion::of(&self.correct_norm)
    }

    /// Accuracy by log-likelihood per UTF-8 byte of the choice; equal to [`Self::acc_norm`] on ASCII.
    pub fn acc_bytes(&self) -> Proportion {
        Proportion::of(&self.correct_bytes)
    }
}

/// Scores each choice as the assistant's answer to the question and takes the likeliest, the first among equals.
///
/// As in lm-evaluation-harness only the choice's own tokens are scored: the token that ends the turn, and what the template
/// puts behind it, is cut off.
///
/// # Errors
/// No docs, fewer than 2 choices, `gold` out of range, an empty choice, a model that fails or scores NaN.
pub fn evaluate_multiple_choice(
    model: &dyn LanguageModel,
    format: &dyn ChatFormat,
    docs: &[MultipleChoiceDoc],
) -> Result<MultipleChoiceOutcome, EvaluationError> {
    if docs.is_empty() {
        return Err(EvaluationError::Empty { what: "docs" });
    }
    let mut requests = Vec::new();
    for (doc_index, doc) in docs.iter().enumerate() {
        requests.extend(requests_of(doc_index, doc, format)?);
    }
    let scores = model.loglikelihood(&requests)?;
    EvaluationError::check_count("scores of the model", requests.len(), scores.len())?;
    if let Some((index, score)) = scores.iter().enumerate().find(|(_, score)| score.sum.is_nan()) {
        return Err(EvaluationError::NotANumber { what: "log-likelihood of request", index, value: score.sum });
    }

    let mut outcome =
        MultipleChoiceOutcome { chosen: vec![], correct: vec![], correct_norm: vec![], correct_bytes: vec![] };
    let mut rest = scores.as_slice();
    for doc in docs {
        let (own, others) = rest.split_at(doc.choices.len());
        rest = others;
        let likeliest = |length: fn(&str) -> usize| {
            first_max(own.iter().zip(&doc.choices).map(|(score, choice)| score.sum / length(choice) as f64))
        };
        let chosen = likeliest(|_| 1);
        outcome.chosen.push(chosen);
        outcome.correct.push(chosen == doc.gold);
        outcome.correct_norm.push(likeliest(|choice| choice.chars().count()) == doc.gold);
        outcome.correct_bytes.push(likeliest(str::len) == doc.gold);
    }
    Ok(outcome)
}

/// One request per choice.
fn requests_of(
    doc_index: usize,
    doc: &MultipleChoiceDoc,
    format: &dyn ChatFormat,
) -> Result<Vec<LoglikelihoodRequest>, EvaluationError> {
    let choices = doc.choices.len();
    if choices < 2 {
        return Err(EvaluationError::Choices { doc: doc_index, choices });
    }
    if doc.gold >= choices {
        return Err(EvaluationError::Gold { doc: doc_index, gold: doc.gold, choices });
    }
    let context = format.prompt(&doc.context)?;
    let mut requests = Vec::with_capacity(choices);
    for (choice_index, choice) in doc.choices.iter().enumerate() {
        let mut continuation = format.answer(choice)?;
        continuation.truncate(turn_length(&continuation, format.stop()));
        if choice.is_empty() || continuation.is_empty() {
            return Err(EvaluationError::EmptyChoice { doc: doc_index, choice: choice_index });
        }
        requests.push(LoglikelihoodRequest { context: context.clone(), continuation });
    }
    Ok(requests)
}

/// How many tokens precede the one that ends the turn; all, where none does.
fn turn_length(answer: &[TokenId], stop: &[TokenId]) -> usize {
    answer.iter().rposition(|id| stop.contains(id)).unwrap_or(answer.len())
}

/// Index of the largest value, the first among equals; 0 if there is none.
fn first_max(values: impl Iterator<Item = f64>) -> usize {
    let mut best = (0, f64::NEG_INFINITY);
    for (index, value) in values.enumerate() {
        if value > best.1 {
            best = (index, value);
        }
    }
    best.0
}

#[cfg(test)]
mod tests;
