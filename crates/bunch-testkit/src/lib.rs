//! A scripted language model over bytes, with its chat format, for the tests of crates that ask models.

use bunch_lm::{
    ChatFormat, GenerateConfig, LanguageModel, LmError, Loglikelihood, LoglikelihoodRequest, Sampling, TokenId,
};

/// Begins a user's message.
const USER: TokenId = 256;
/// Begins an assistant's answer.
const ASSISTANT: TokenId = 257;
/// Ends an assistant's answer.
pub const END: TokenId = 258;

/// One token per byte; a message is `USER bytes ASSISTANT`, an answer `bytes END`.
pub struct Bytes;

fn text(ids: &[TokenId]) -> String {
    String::from_utf8(ids.iter().filter_map(|&id| u8::try_from(id).ok()).collect()).expect("UTF-8")
}

impl ChatFormat for Bytes {
    fn prompt(&self, user: &str) -> Result<Vec<TokenId>, LmError> {
        if user.contains('\0') {
            return Err(LmError::Text("NUL has no token".into()));
        }
        Ok([USER].into_iter().chain(user.bytes().map(TokenId::from)).chain([ASSISTANT]).collect())
    }

    fn answer(&self, text: &str) -> Result<Vec<TokenId>, LmError> {
        Ok(text.bytes().map(TokenId::from).chain([END]).collect())
    }

    fn decode(&self, ids: &[TokenId]) -> String {
        text(ids)
    }

    fn stop(&self) -> &[TokenId] {
        &[END]
    }
}

/// The user's message in a prompt that is made as [`Bytes`] makes it.
fn message(prompt: &[TokenId]) -> String {
    assert_eq!((prompt.first(), prompt.last()), (Some(&USER), Some(&ASSISTANT)));
    text(prompt)
}

type Answer = Box<dyn Fn(&str) -> String>;
type Sample = Box<dyn Fn(&str, usize, Sampling) -> String>;
type Score = Box<dyn Fn(&str, &[TokenId]) -> f64>;

/// A model whose answers and scores are functions of the text.
pub struct ScriptedModel {
    /// The user's message to the answer, if decoding is greedy.
    pub answer: Answer,
    /// The text of any prompt, its place in the call and how it is sampled to what is sampled.
    pub sample: Sample,
    /// The user's message and the tokens scored to the sum of their log-probabilities.
    pub score: Score,
    /// How many answers or scores are missing at the end of each call.
    pub lost: usize,
}

impl ScriptedModel {
    /// One that answers greedily, and must neither be sampled from nor asked for scores.
    pub fn answering(answer: impl Fn(&str) -> String + 'static) -> Self {
        Self {
            answer: Box::new(answer),
            sample: Box::new(|prompt, _, _| panic!("sampled from, with `{prompt}`")),
            score: Box::new(|message, _| panic!("asked for scores after `{message}`")),
            lost: 0,
        }
    }

    /// One that scores, and must not be asked for text.
    pub fn scoring(score: impl Fn(&str, &[TokenId]) -> f64 + 'static) -> Self {
        let answer = |message: &str| panic!("asked for text, with `{message}`");
        Self { score: Box::new(score), ..Self::answering(answer) }
    }
}

impl LanguageModel for ScriptedModel {
    fn context_window(&self) -> usize {
        usize::MAX
    }

    fn loglikelihood(&self, requests: &[LoglikelihoodRequest]) -> Result<Vec<Loglikelihood>, LmError> {
        let score = |request: &LoglikelihoodRequest| {
            let sum = (self.score)(&message(&request.context), &request.continuation);
            Loglikelihood { sum, is_greedy: false }
        };
        Ok(requests[..requests.len() - self.lost].iter().map(score).collect())
    }

    fn generate(&self, prompts: &[Vec<TokenId>], config: &GenerateConfig) -> Result<Vec<Vec<TokenId>>, LmError> {
        assert!(!prompts.is_empty());
        assert_eq!(config.stop, [END]);
        let answer = |(index, prompt): (usize, &Vec<TokenId>)| {
            let answer = match config.sampling {
                Sampling::Greedy => (self.answer)(&message(prompt)),
                sampling => (self.sample)(&text(prompt), index, sampling),
            };
            answer.bytes().map(TokenId::from).take(config.max_new_tokens).collect()
        };
        Ok(prompts[..prompts.len() - self.lost].iter().enumerate().map(answer).collect())
    }
}
