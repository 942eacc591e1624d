//! Scripted models that write questions, for this crate's tests.

use std::cell::Cell;

use bunch_lm::{GenerateConfig, LanguageModel, LmError, Loglikelihood, LoglikelihoodRequest, Sampling, TokenId};
use bunch_testkit::ScriptedModel;
use rand::RngExt;

fn seed_of(sampling: Sampling) -> u64 {
    let Sampling::Temperature { temperature, top_p, seed } = sampling else { panic!("{sampling:?}") };
    assert_eq!((temperature, top_p), (0.8, 1.0));
    seed
}

fn sampling(sample: impl Fn(&str, usize, Sampling) -> String + 'static) -> ScriptedModel {
    ScriptedModel { sample: Box::new(sample), ..ScriptedModel::answering(|question| format!("re {question}")) }
}

/// Writes these questions, one after the other over all calls, then ever on from the first.
pub(crate) fn writing(questions: &[&str]) -> ScriptedModel {
    let questions: Vec<String> = questions.iter().map(|&question| question.to_owned()).collect();
    let next = Cell::new(0);
    sampling(move |_, _, sampling| {
        seed_of(sampling);
        questions[next.replace(next.get() + 1) % questions.len()].clone()
    })
}

/// Writes one of these questions behind the prompt, drawn from the stream of the call's seed and the prompt's place in it.
pub(crate) fn drawing(questions: impl Iterator<Item = String>) -> ScriptedModel {
    let questions: Vec<String> = questions.collect();
    sampling(move |prompt, index, sampling| {
        let mut stream = bunch_random::stream(seed_of(sampling), &["fake", &index.to_string()]);
        format!("{prompt}{}", questions[stream.random_range(0..questions.len())])
    })
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
