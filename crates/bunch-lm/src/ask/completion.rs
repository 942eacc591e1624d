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

#[cfg(test)]
mod tests {
    use super::{Completion, complete};
    use crate::ask::fake::{Bytes, Fake};
    use crate::{LmError, Sampling};

    fn ask(model: &Fake, prompts: &[&str], max_new_tokens: usize) -> Result<Vec<Completion>, LmError> {
        let prompts: Vec<String> = prompts.iter().map(|&prompt| prompt.to_owned()).collect();
        complete(model, &Bytes, &prompts, max_new_tokens, Sampling::Greedy)
    }

    #[test]
    fn answers_keep_the_order_of_the_prompts_and_know_whether_they_were_cut() {
        let model = Fake::answering(|prompt| format!("{prompt}!"));
        let got = ask(&model, &["a", "abc"], 3).unwrap();
        let expected =
            [("a!", true), ("abc", false)].map(|(text, finished)| Completion { text: text.into(), finished });
        assert_eq!(got, expected);
    }

    #[test]
    fn no_prompts_have_no_answers() {
        assert_eq!(ask(&Fake::answering(str::to_owned), &[], 3).unwrap(), []);
    }

    #[test]
    fn a_model_that_loses_an_answer_is_an_error() {
        let model = Fake { lost: 1, ..Fake::answering(str::to_owned) };
        let error = ask(&model, &["a", "b"], 9).unwrap_err();
        assert_eq!(error.to_string(), "answers of the model: expected 2, got 1");
    }

    #[test]
    fn text_that_cannot_be_encoded_is_an_error() {
        let error = ask(&Fake::answering(str::to_owned), &["\u{0}"], 9).unwrap_err();
        assert_eq!(error.to_string(), "NUL has no token");
    }
}
