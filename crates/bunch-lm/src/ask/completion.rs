//! A completion: what a model answered to a user's message.

use crate::{ChatFormat, GenerateConfig, LanguageModel, LmError, Sampling};

/// A model's answer to one prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// The decoded answer.
    pub text: String,
    /// Whether the model ended its turn; otherwise it was cut off at `max_new_tokens`.
    pub finished: bool,
}

/// Asks `model` each of `prompts`, in one call, and returns its answers in their order.
///
/// # Errors
/// A prompt that cannot be encoded or does not fit, or a model that returns another number of answers.
pub fn complete(
    model: &dyn LanguageModel,
    format: &dyn ChatFormat,
    prompts: &[String],
    max_new_tokens: usize,
    sampling: Sampling,
) -> Result<Vec<Completion>, LmError> {
    if prompts.is_empty() {
        return Ok(Vec::new()); // no model need cope with an empty batch
    }
    let tokens = prompts.iter().map(|prompt| format.prompt(prompt)).collect::<Result<Vec<_>, _>>()?;
    let config = GenerateConfig { max_new_tokens, stop: format.stop().to_vec(), sampling };
    let answers = model.generate(&tokens, &config)?;
    LmError::check_count("answers of the model", prompts.len(), answers.len())?;
    Ok(answers
        .iter()
        // The stop token counts as generated but is not returned, so an answer of full length never reached it.
        .map(|ids| Completion { text: format.decode(ids), finished: ids.len() < max_new_tokens })
        .collect())
}
