//! A scripted language model over bytes, and its chat format, for this crate's tests.

use crate::{Exchange, GuardFormat};
use bunch_lm::{ChatFormat, GenerateConfig, LanguageModel, LmError, Loglikelihood, LoglikelihoodRequest, TokenId};

/// Begins a user's message.
pub(crate) const USER: TokenId = 256;
/// Begins an assistant's answer.
pub(crate) const ASSISTANT: TokenId = 257;
/// Ends an assistant's answer.
pub(crate) const END: TokenId = 258;

/// One token per byte; a message is `USER bytes ASSISTANT`, an answer `bytes END` and what `after_end` adds.
#[derive(Default)]
pub(crate) struct Bytes {
    /// Tokens that the template puts behind the end of the turn, such as a line break.
    pub(crate) after_end: Vec<TokenId>,
}

pub(crate) fn text(ids: &[TokenId]) -> String {
    String::from_utf8(ids.iter().filter_map(|&id| u8::try_from(id).ok()).collect()).unwrap()
}

impl ChatFormat for Bytes {
    fn prompt(&self, user: &str) -> Result<Vec<TokenId>, LmError> {
        if user.contains('\0') {
            return Err(LmError::Text("NUL has no token".into()));
        }
        Ok([USER].into_iter().chain(user.bytes().map(TokenId::from)).chain([ASSISTANT]).collect())
    }

    fn answer(&self, text: &str) -> Result<Vec<TokenId>, LmError> {
        Ok(text.bytes().map(TokenId::from).chain([END]).chain(self.after_end.iter().copied()).collect())
    }

    fn decode(&self, ids: &[TokenId]) -> String {
        text(ids)
    }

    fn stop(&self) -> &[TokenId] {
        &[END]
    }
}

impl GuardFormat for Bytes {
    fn prompt(&self, exchange: &Exchange) -> Result<Vec<TokenId>, LmError> {
        ChatFormat::prompt(self, &format!("{}|{}", exchange.prompt, exchange.response))
    }

    fn decode(&self, ids: &[TokenId]) -> String {
        text(ids)
    }

    fn stop(&self) -> &[TokenId] {
        &[END]
    }
}

/// Scores tokens after a user's message.
type Score = Box<dyn Fn(&str, &[TokenId]) -> f64>;

/// A model whose answers and scores are functions of the text.
pub(crate) struct Fake {
    /// The user's message to the answer.
    pub(crate) answer: Box<dyn Fn(&str) -> String>,
    /// The user's message and the tokens scored to the sum of their log-probabilities.
    pub(crate) score: Score,
    /// How many answers or scores are missing at the end of each call.
    pub(crate) lost: usize,
}

impl Fake {
    pub(crate) fn answering(answer: impl Fn(&str) -> String + 'static) -> Self {
        Self { answer: Box::new(answer), score: Box::new(|_, _| 0.0), lost: 0 }
    }

    pub(crate) fn scoring(score: impl Fn(&str, &[TokenId]) -> f64 + 'static) -> Self {
        Self { answer: Box::new(|_| String::new()), score: Box::new(score), lost: 0 }
    }
}

/// The user's message in a prompt that is made as [`Bytes`] makes it.
fn message(prompt: &[TokenId]) -> String {
    assert_eq!((prompt.first(), prompt.last()), (Some(&USER), Some(&ASSISTANT)));
    text(prompt)
}

impl LanguageModel for Fake {
    fn context_window(&self) -> usize {
        usize::MAX
    }

    fn loglikelihood(&self, requests: &[LoglikelihoodRequest]) -> Result<Vec<Loglikelihood>, LmError> {
        Ok(requests[..requests.len() - self.lost]
            .iter()
            .map(|request| Loglikelihood {
                sum: (self.score)(&message(&request.context), &request.continuation),
                is_greedy: false,
            })
            .collect())
    }

    fn generate(&self, prompts: &[Vec<TokenId>], config: &GenerateConfig) -> Result<Vec<Vec<TokenId>>, LmError> {
        assert!(!prompts.is_empty());
        assert_eq!(config.stop, [END]);
        Ok(prompts[..prompts.len() - self.lost]
            .iter()
            .map(|prompt| {
                let answer = (self.answer)(&message(prompt));
                answer.bytes().map(TokenId::from).take(config.max_new_tokens).collect()
            })
            .collect())
    }
}
