//! Scripted language models over bytes, and their chat format, for this crate's tests.

use bunch_lm::{
    ChatFormat, GenerateConfig, LanguageModel, LmError, Loglikelihood, LoglikelihoodRequest, Sampling, TokenId,
};
use rand::RngExt;
use std::cell::Cell;

const USER: TokenId = 256;
const ASSISTANT: TokenId = 257;
const END: TokenId = 258;

/// One token per byte.
pub(crate) struct Bytes;

fn text(ids: &[TokenId]) -> String {
    String::from_utf8(ids.iter().filter_map(|&id| u8::try_from(id).ok()).collect()).unwrap()
}

impl ChatFormat for Bytes {
    fn prompt(&self, user: &str) -> Result<Vec<TokenId>, LmError> {
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

/// What a fake model writes when it is sampled from.
pub(crate) enum Sampled {
    /// These, one after the other over all calls, then ever on from the first.
    Script(Vec<String>, Cell<usize>),
    /// One of these, drawn from the stream of the call's seed and the prompt's place in the call, behind the prompt.
    Drawn(Vec<String>),
    /// Nothing: the model must not be sampled from.
    Never,
}

/// A model that writes questions when sampled from, and answers as a function of the question when greedy.
pub(crate) struct Fake {
    pub(crate) sampled: Sampled,
    pub(crate) greedy: Box<dyn Fn(&str) -> String>,
}

impl Fake {
    pub(crate) fn script(questions: &[&str]) -> Self {
        let questions = questions.iter().map(|&question| question.to_owned()).collect();
        Self {
            sampled: Sampled::Script(questions, Cell::new(0)),
            greedy: Box::new(|question| format!("re {question}")),
        }
    }

    pub(crate) fn drawn(questions: impl Iterator<Item = String>) -> Self {
        Self { sampled: Sampled::Drawn(questions.collect()), greedy: Box::new(|question| format!("re {question}")) }
    }

    pub(crate) fn answering(greedy: impl Fn(&str) -> String + 'static) -> Self {
        Self { sampled: Sampled::Never, greedy: Box::new(greedy) }
    }

    pub(crate) fn and_answering(self, greedy: impl Fn(&str) -> String + 'static) -> Self {
        Self { greedy: Box::new(greedy), ..self }
    }

    fn sample(&self, prompt: &str, index: usize, seed: u64) -> String {
        match &self.sampled {
            Sampled::Script(questions, next) => {
                let place = next.replace(next.get() + 1);
                questions[place % questions.len()].clone()
            }
            Sampled::Drawn(questions) => {
                let mut stream = bunch_random::stream(seed, &["fake", &index.to_string()]);
                format!("{prompt}{}", questions[stream.random_range(0..questions.len())])
            }
            Sampled::Never => panic!("sampled from, with `{prompt}`"),
        }
    }
}

impl LanguageModel for Fake {
    fn context_window(&self) -> usize {
        usize::MAX
    }

    fn loglikelihood(&self, _: &[LoglikelihoodRequest]) -> Result<Vec<Loglikelihood>, LmError> {
        Err(LmError::Text("nothing is scored while data is generated".into()))
    }

    fn generate(&self, prompts: &[Vec<TokenId>], config: &GenerateConfig) -> Result<Vec<Vec<TokenId>>, LmError> {
        assert!(!prompts.is_empty());
        assert_eq!(config.stop, [END]);
        let answers = prompts.iter().enumerate().map(|(index, prompt)| {
            let prompt = text(prompt);
            let answer = match config.sampling {
                Sampling::Greedy => (self.greedy)(&prompt),
                Sampling::Temperature { temperature, top_p, seed } => {
                    assert_eq!((temperature, top_p), (0.8, 1.0));
                    self.sample(&prompt, index, seed)
                }
            };
            answer.bytes().map(TokenId::from).take(config.max_new_tokens).collect()
        });
        Ok(answers.collect())
    }
}

/// A model without a tokenizer.
pub(crate) struct Broken;

impl LanguageModel for Broken {
    fn context_window(&self) -> usize {
        usize::MAX
    }

    fn loglikelihood(&self, _: &[LoglikelihoodRequest]) -> Result<Vec<Loglikelihood>, LmError> {
        Err(LmError::Text("broken".into()))
    }

    fn generate(&self, _: &[Vec<TokenId>], _: &GenerateConfig) -> Result<Vec<Vec<TokenId>>, LmError> {
        Err(LmError::Text("broken".into()))
    }
}
