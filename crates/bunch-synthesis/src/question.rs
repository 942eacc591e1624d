//! A question that a model was asked to write, from sampling to being known as well-formed and new.

use crate::{DropReason, StageName, Stages, SynthesisError};
use bunch_lm::{ChatFormat, Completion, LanguageModel, Sampling, complete};
use rand::Rng;
use std::collections::BTreeSet;

/// Questions that are sampled in one call of the model. It is fixed because a sampled question depends on the seed of its
/// round and its place in it: another size would be other data. How the model batches a round does not matter.
pub const ROUND: usize = 64;

/// A well-formed question that was not asked before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Question {
    /// How many questions the same model was asked for before this one.
    pub(crate) number: usize,
    /// Its text, without surrounding white space.
    pub(crate) text: String,
}

/// A model that is asked for questions, round after round.
pub(crate) struct Asker<'a> {
    pub(crate) name: &'a str,
    pub(crate) model: &'a dyn LanguageModel,
    pub(crate) format: &'a dyn ChatFormat,
    pub(crate) parse_question: &'a dyn Fn(&str) -> Option<String>,
    pub(crate) exclude: &'a BTreeSet<String>,
    pub(crate) temperature: f32,
    pub(crate) max_new_tokens: usize,
    pub(crate) max_asked: usize,
    pub(crate) seed: u64,
    /// Names the streams of random numbers: `safety`, or `domain` and the expert.
    pub(crate) path: &'a [&'a str],
    /// Questions that are taken, in order, instead of the model's.
    pub(crate) given: Option<&'a [String]>,
    /// Questions asked for so far.
    pub(crate) asked: usize,
}

impl Asker<'_> {
    /// Refuses settings under which no question can be sampled, or too few for `k` pairs.
    pub(crate) fn check(&self, k: usize) -> Result<(), SynthesisError> {
        let temperature = self.temperature;
        SynthesisError::require(
            temperature.is_finite() && temperature > 0.0,
            "temperature",
            "a finite number above 0",
            temperature,
        )?;
        SynthesisError::require(self.max_new_tokens > 0, "max_new_tokens", "at least 1", 0)?;
        SynthesisError::require(self.max_asked >= k, "max_asked", "at least k", self.max_asked)
    }

    /// Samples the next round and returns its usable questions; `None` once `max_asked` are spent. `prompt` gives the user's
    /// message for each question's number.
    pub(crate) fn next_round(
        &mut self,
        prompt: impl Fn(usize) -> String,
        seen: &mut BTreeSet<String>,
        stages: &mut Stages,
    ) -> Result<Option<Vec<Question>>, SynthesisError> {
        let most = self.given.map_or(self.max_asked, |given| given.len().min(self.max_asked));
        let numbers = self.asked..most.min(self.asked + ROUND);
        if numbers.is_empty() {
            return Ok(None);
        }
        let round = (self.asked / ROUND).to_string();
        let path = [&["synthesis"], self.path, &["round", &round]].concat();
        let sampling = Sampling::Temperature {
            temperature: self.temperature,
            top_p: 1.0,
            seed: bunch_random::stream(self.seed, &path).next_u64(),
        };
        let completions = match self.given {
            Some(given) => {
                let taken = given[numbers.clone()].iter();
                taken.map(|text| Completion { text: text.clone(), finished: true }).collect()
            }
            None => {
                let prompts: Vec<String> = numbers.clone().map(prompt).collect();
                complete(self.model, self.format, &prompts, self.max_new_tokens, sampling)
                    .map_err(SynthesisError::of(self.name))?
            }
        };
        self.asked = numbers.end;

        let mut questions = Vec::new();
        for (number, completion) in numbers.zip(completions) {
            let Some(text) = stages.record(StageName::Question, self.read(&completion)) else { continue };
            let distinct = if self.exclude.contains(&text) {
                Err(DropReason::Excluded)
            } else if !seen.insert(text.clone()) {
                Err(DropReason::Duplicate)
            } else {
                Ok(text)
            };
            questions.extend(stages.record(StageName::Distinct, distinct).map(|text| Question { number, text }));
        }
        Ok(Some(questions))
    }

    /// The question in what the model wrote.
    fn read(&self, completion: &Completion) -> Result<String, DropReason> {
        if !completion.finished {
            return Err(DropReason::TruncatedQuestion);
        }
        if completion.text.trim().is_empty() {
            return Err(DropReason::EmptyQuestion);
        }
        let question = (self.parse_question)(&completion.text).ok_or(DropReason::MalformedQuestion)?;
        let question = question.trim();
        if question.is_empty() { Err(DropReason::MalformedQuestion) } else { Ok(question.to_owned()) }
    }
}
