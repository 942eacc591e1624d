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

#[cfg(test)]
mod tests {
    use super::{QuestionAnswer, answer_loss};
    use crate::ask::fake::{Bytes, END, Fake};

    fn pairs(texts: &[(&str, &str)]) -> Vec<QuestionAnswer> {
        texts.iter().map(|&(q, a)| QuestionAnswer { question: q.into(), answer: a.into() }).collect()
    }

    #[test]
    fn every_pair_weighs_the_same_and_the_end_of_the_turn_counts() {
        let model = Fake::scoring(|question, answer| {
            assert_eq!(answer.last(), Some(&END));
            match question {
                "short" => -3.0, // "a" and the end: 1.5 a token
                "long" => -2.0,  // "aaa" and the end: 0.5 a token
                other => panic!("{other}"),
            }
        });
        let loss = answer_loss(&model, &Bytes, &pairs(&[("short", "a"), ("long", "aaa")])).unwrap();
        assert_eq!(loss, 1.0);
    }

    #[test]
    fn an_empty_answer_is_scored_by_its_end_alone() {
        let model = Fake::scoring(|_, answer| {
            assert_eq!(answer, [END]);
            -0.25
        });
        assert_eq!(answer_loss(&model, &Bytes, &pairs(&[("q", "")])).unwrap(), 0.25);
    }

    #[test]
    fn an_impossible_answer_has_an_infinite_loss_and_nan_is_an_error() {
        let loss = |sum: f64| answer_loss(&Fake::scoring(move |_, _| sum), &Bytes, &pairs(&[("q", "a")]));
        assert_eq!(loss(f64::NEG_INFINITY).unwrap(), f64::INFINITY);
        assert!(loss(f64::NAN).unwrap_err().to_string().starts_with("loss of pair 0"));
    }

    #[test]
    fn no_pairs_and_missing_scores_are_errors() {
        let model = Fake { lost: 1, ..Fake::scoring(|_, _| -1.0) };
        let error = answer_loss(&model, &Bytes, &pairs(&[("q", "a")])).unwrap_err();
        assert_eq!(error.to_string(), "scores of the model: expected 1, got 0");
        let error = answer_loss(&model, &Bytes, &[]).unwrap_err();
        assert_eq!(error.to_string(), "no pairs of question and answer: at least one is needed");
    }
}
