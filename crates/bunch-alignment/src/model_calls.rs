//! What models were asked and answered, kept as it comes, so that work that was stopped asks nothing twice.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use bunch_checkpoint::sha256_bytes;
use bunch_journal::{Journal, JournalError};
use bunch_lm::{GenerateConfig, LanguageModel, LmError, Loglikelihood, LoglikelihoodRequest, Sampling, TokenId};
use serde_json::{Map, Value, json};

/// A journal of calls of models: a line for each, with the hash of what was asked and the answers.
pub(crate) struct ModelCalls(RefCell<State>);

struct State {
    journal: Journal,
    answers: BTreeMap<String, Value>,
}

impl ModelCalls {
    /// Opens the journal at `path`, of models that `identity` names.
    pub(crate) fn open(path: &Path, identity: &Map<String, Value>, replace: bool) -> Result<Self, JournalError> {
        let journal = Journal::open(path, identity, replace)?;
        let answer = |line: &Value| Some((line["call"].as_str()?.to_owned(), line["answers"].clone()));
        let answers = journal.done().iter().filter_map(answer).collect();
        Ok(Self(RefCell::new(State { journal, answers })))
    }

    /// `model` with its answers kept here under its name.
    pub(crate) fn of<'a>(&'a self, name: &'a str, model: &'a dyn LanguageModel) -> RecordedModel<'a> {
        RecordedModel { calls: self, name, model }
    }

    /// The answers to a call: those kept, or else those that `ask` gives.
    fn answers(
        &self,
        name: &str,
        call: &Value,
        ask: impl FnOnce() -> Result<Value, LmError>,
    ) -> Result<Value, LmError> {
        let key = sha256_bytes(json!([name, call]).to_string().as_bytes());
        if let Some(answers) = self.0.borrow().answers.get(&key) {
            return Ok(answers.clone());
        }
        // Asked without the borrow: it takes long, and a judge may ask another model meanwhile.
        let answers = ask()?;
        let mut state = self.0.borrow_mut();
        let line = json!({ "model": name, "call": key, "answers": answers });
        state.journal.append([&line]).map_err(|error| LmError::Text(error.to_string()))?;
        state.answers.insert(key, answers.clone());
        Ok(answers)
    }
}

/// A model whose answers are kept.
pub(crate) struct RecordedModel<'a> {
    calls: &'a ModelCalls,
    name: &'a str,
    model: &'a dyn LanguageModel,
}

/// The answers of a line that this code wrote.
fn read<T: serde::de::DeserializeOwned>(answers: Value) -> Result<T, LmError> {
    serde_json::from_value(answers).map_err(|error| LmError::Text(format!("the journal of models' answers: {error}")))
}

impl LanguageModel for RecordedModel<'_> {
    fn context_window(&self) -> usize {
        self.model.context_window()
    }

    fn loglikelihood(&self, requests: &[LoglikelihoodRequest]) -> Result<Vec<Loglikelihood>, LmError> {
        let call: Vec<_> = requests.iter().map(|request| (&request.context, &request.continuation)).collect();
        let answers = self.calls.answers(self.name, &json!({ "loglikelihood": call }), || {
            let scores = self.model.loglikelihood(requests)?;
            // As bits: JSON has no infinity.
            Ok(scores.iter().map(|score| json!([score.sum.to_bits(), score.is_greedy])).collect())
        })?;
        let scores: Vec<(u64, bool)> = read(answers)?;
        let score = |(bits, is_greedy)| Loglikelihood { sum: f64::from_bits(bits), is_greedy };
        Ok(scores.into_iter().map(score).collect())
    }

    fn generate(&self, prompts: &[Vec<TokenId>], config: &GenerateConfig) -> Result<Vec<Vec<TokenId>>, LmError> {
        let sampling = match config.sampling {
            Sampling::Greedy => Value::Null,
            Sampling::Temperature { temperature, top_p, seed } => json!([temperature, top_p, seed]),
        };
        let call = json!({
            "generate": prompts, "max_new_tokens": config.max_new_tokens, "stop": config.stop, "sampling": sampling,
        });
        read(self.calls.answers(self.name, &call, || Ok(json!(self.model.generate(prompts, config)?)))?)
    }
}
