//! The answer loss: how surprised a model is by given answers.

use serde::{Deserialize, Serialize};

use crate::{ChatFormat, LanguageModel, LmError, LoglikelihoodRequest};

/// A question and the answer a model should give.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuestionAnswer {
    /// The user's message.
    pub question: String,
    /// The assistant's answer.
    pub answer: String,
}

/// The mean over `pairs` of the mean cross-entropy of the answer's tokens, in nats per token: L_safety or L_expert of
/// Hammoud et al. 2024 (Eq. 4 and 5), and minus the score of LM-Cocktail (Eq. 3).
///
/// The answer includes the token that ends the turn; the prompt is conditioned on but not scored. Every pair weighs the same,
/// however long its answer.
///
/// # Errors
/// No pairs, a model that fails or scores NaN.
pub fn answer_loss(
    model: &dyn LanguageModel,
    format: &dyn ChatFormat,
    pairs: &[QuestionAnswer],
) -> Result<f64, LmError> {
    if pairs.is_empty() {
        return Err(LmError::Empty { what: "pairs of question and answer" });
    }
    let mut requests = Vec::with_capacity(pairs.len());
    for pair in pairs {
        let (context, continuation) = (format.prompt(&pair.question)?, format.answer(&pair.answer)?);
        requests.push(LoglikelihoodRequest { context, continuation });
    }
    let scores = model.loglikelihood(&requests)?;
    LmError::check_count("scores of the model", requests.len(), scores.len())?;
    let mut total = 0.0;
    for (index, (score, request)) in scores.iter().zip(&requests).enumerate() {
        let loss = -score.sum / request.continuation.len() as f64;
        if loss.is_nan() {
            return Err(LmError::NotANumber { what: "loss of pair", index, value: loss });
        }
        total += loss;
    }
    Ok(total / pairs.len() as f64)
}
