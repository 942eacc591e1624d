//! Multiple choice in memory: questions that no task file declares, asked by a chat format.

use serde::{Deserialize, Serialize};

use bunch_lm::{ChatFormat, LanguageModel, LmError, LoglikelihoodRequest, TokenId};

use crate::BenchmarkError;
use crate::outcome::first_largest;

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

/// Scores each choice as the assistant's answer to the question, takes the likeliest, the first among equals, and says
/// whether it is the right one.
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
) -> Result<Vec<bool>, BenchmarkError> {
    if docs.is_empty() {
        return Err(LmError::Empty { what: "docs" }.into());
    }
    let mut requests = Vec::new();
    for (index, doc) in docs.iter().enumerate() {
        requests.extend(requests_of(doc, format, |what| BenchmarkError::Question(format!("doc {index}{what}")))?);
    }
    let scores = model.loglikelihood(&requests)?;
    LmError::check_count("scores of the model", requests.len(), scores.len())?;
    if let Some((index, score)) = scores.iter().enumerate().find(|(_, score)| score.sum.is_nan()) {
        return Err(LmError::NotANumber { what: "log-likelihood of request", index, value: score.sum }.into());
    }
    let mut rest = scores.iter();
    let right = |doc: &MultipleChoiceDoc| {
        let own = rest.by_ref().take(doc.choices.len());
        first_largest(own.map(|score| score.sum)) == doc.gold as i64
    };
    Ok(docs.iter().map(right).collect())
}

/// One request per choice.
fn requests_of(
    doc: &MultipleChoiceDoc,
    format: &dyn ChatFormat,
    fault: impl Fn(String) -> BenchmarkError,
) -> Result<Vec<LoglikelihoodRequest>, BenchmarkError> {
    let choices = doc.choices.len();
    if choices < 2 {
        return Err(fault(format!(": expected at least 2 choices, got {choices}")));
    }
    if doc.gold >= choices {
        return Err(fault(format!(": gold is {}, expected less than the {choices} choices", doc.gold)));
    }
    let context = format.prompt(&doc.context)?;
    let mut requests = Vec::with_capacity(choices);
    for (index, choice) in doc.choices.iter().enumerate() {
        let mut continuation = format.answer(choice)?;
        continuation.truncate(turn_length(&continuation, format.stop()));
        if choice.is_empty() || continuation.is_empty() {
            return Err(fault(format!(", choice {index}: expected some text, got none")));
        }
        requests.push(LoglikelihoodRequest { context: context.clone(), continuation });
    }
    Ok(requests)
}

/// How many tokens precede the one that ends the turn; all, where none does.
fn turn_length(answer: &[TokenId], stop: &[TokenId]) -> usize {
    answer.iter().rposition(|id| stop.contains(id)).unwrap_or(answer.len())
}

#[cfg(test)]
mod tests;
