//! Responses: what a model replies to safety prompts.

use bunch_lm::{AddBos, GenerateConfig, LanguageModel, LmError, Message, Sampling, TokenId, Tokenizer};
use serde::{Deserialize, Serialize};

use crate::{JudgingError, SafetyPrompt};

/// The end of a turn in Llama 3's format, at which Hammoud et al. stop whatever the model's files name.
const END_OF_TURN: &str = "<|eot_id|>";

/// A model's reply to a prompt. It can be read back from a line that holds more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// The reply, without special tokens.
    pub text: String,
    /// Its tokens, without the one that ended it.
    pub ids: Vec<TokenId>,
    /// Whether the model ended it; otherwise it was cut off.
    pub finished: bool,
}

/// How a model is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RespondOptions {
    /// Prompts that go to the model in one call, and so the most that are lost when a run is stopped; at least 1 (0 is
    /// taken for 1).
    pub window: usize,
    /// Upper limit on the tokens of a reply, at least 1.
    pub max_new_tokens: usize,
    /// Whether a model without a chat template is given the bare prompt, with the special tokens of its tokenizer.
    /// Otherwise it is an error.
    pub plain_without_template: bool,
}

impl Default for RespondOptions {
    /// 16 prompts in a window, 512 tokens as in Hammoud et al. 2024, no bare prompts.
    fn default() -> Self {
        Self { window: 16, max_new_tokens: 512, plain_without_template: false }
    }
}

/// Lets a model reply to each prompt, in their order, as Hammoud et al. 2024 do (`generate_answers.py`): the user's turn
/// only, by the model's chat template with the generation prompt, no further special tokens, greedy, up to a stop token
/// (the model's, its tokenizer's EOS, or `<|eot_id|>`). After each window `keep` is given its replies, so that what is
/// done stays done whatever comes later.
///
/// A prompt that cannot be asked ends the run, behind those before it.
///
/// # Errors
/// A model without a usable chat template; a prompt that the template refuses or that does not fit, by line; a model that
/// fails; whatever `keep` says.
pub fn respond<E: From<JudgingError>>(
    prompts: &[SafetyPrompt],
    model: &dyn LanguageModel,
    tokenizer: &Tokenizer,
    options: RespondOptions,
    mut keep: impl FnMut(&[Response]) -> Result<(), E>,
) -> Result<(), E> {
    let config = GenerateConfig {
        max_new_tokens: options.max_new_tokens,
        stop: stop_tokens(tokenizer),
        sampling: Sampling::Greedy,
    };
    for window in prompts.chunks(options.window.max(1)) {
        let mut asked = Vec::with_capacity(window.len());
        let mut fault = None;
        for prompt in window {
            match tokens(prompt, model, tokenizer, options) {
                Ok(tokens) => asked.push(tokens),
                Err(error) => {
                    fault = Some(error);
                    break;
                }
            }
        }
        if !asked.is_empty() {
            keep(&replies(window, &asked, model, tokenizer, &config)?)?;
        }
        if let Some(fault) = fault {
            return Err(fault.into());
        }
    }
    Ok(())
}

/// The text that a model is asked a prompt by: see [`respond`].
///
/// # Errors
/// A model without a usable chat template, or a template that refuses the prompt.
pub(crate) fn render_prompt(prompt: &SafetyPrompt, tokenizer: &Tokenizer, plain: bool) -> Result<String, JudgingError> {
    if plain && tokenizer.chat_template().is_none() {
        return Ok(prompt.request());
    }
    let rendered = tokenizer.render_chat(&[Message::user(prompt.request())], true);
    rendered.map_err(|error| match error {
        LmError::NoChatTemplate { .. } => error.into(), // of the model, not of this line
        error => JudgingError::of_exchange(prompt.line, error),
    })
}

/// The tokens that end a reply.
fn stop_tokens(tokenizer: &Tokenizer) -> Vec<TokenId> {
    let mut stop = tokenizer.stop_tokens().to_vec();
    for id in tokenizer.eos().into_iter().chain(tokenizer.token_id(END_OF_TURN)) {
        if !stop.contains(&id) {
            stop.push(id);
        }
    }
    stop
}

fn tokens(
    prompt: &SafetyPrompt,
    model: &dyn LanguageModel,
    tokenizer: &Tokenizer,
    options: RespondOptions,
) -> Result<Vec<TokenId>, JudgingError> {
    let text = render_prompt(prompt, tokenizer, options.plain_without_template)?;
    let add_bos = if tokenizer.chat_template().is_some() { AddBos::Never } else { AddBos::Auto };
    let tokens = tokenizer.encode(&text, add_bos).map_err(|error| JudgingError::of_exchange(prompt.line, error))?;
    let (new_tokens, window) = (options.max_new_tokens, model.context_window());
    if tokens.len().saturating_add(new_tokens) > window {
        return Err(JudgingError::PromptTooLong { line: prompt.line, tokens: tokens.len(), new_tokens, window });
    }
    Ok(tokens)
}

fn replies(
    prompts: &[SafetyPrompt],
    asked: &[Vec<TokenId>],
    model: &dyn LanguageModel,
    tokenizer: &Tokenizer,
    config: &GenerateConfig,
) -> Result<Vec<Response>, JudgingError> {
    let line = |index: usize| prompts.get(index).map(|prompt| prompt.line);
    let replies = model.generate(asked, config).map_err(|error| JudgingError::of_request(error, line))?;
    JudgingError::check_count("answers of the model", asked.len(), replies.len())?;
    let response = |ids: Vec<TokenId>| {
        let text = tokenizer.decode(&ids, true)?;
        // The stop token counts as generated but is not returned, so a reply of full length never reached it.
        Ok(Response { text, finished: ids.len() < config.max_new_tokens, ids })
    };
    replies.into_iter().map(response).collect()
}

#[cfg(test)]
mod tests;
