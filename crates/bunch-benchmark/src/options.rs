//! How an evaluation is run.

use std::path::PathBuf;

use bunch_lm::AddBos;
use serde_json::{Map, Value};

use crate::BenchmarkError;

/// How an evaluation is run; the default is lm-evaluation-harness's default.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder with the data sets' files.
    pub data_dir: Option<PathBuf>,
    /// Number of few-shot examples, instead of each task's own; a task's own 0 stays.
    pub n_shot: Option<usize>,
    /// The first so many documents of each task, at least 1; none: all.
    pub limit: Option<usize>,
    /// Whether text gets BOS.
    pub add_bos: AddBos,
    /// Whether prompts are rendered by the model's chat template.
    pub apply_chat_template: bool,
    /// Whether few-shot examples are turns of the conversation; none: with a chat template they are. `false` puts them
    /// and the question into one turn of the user, as lm-eval's versions of the papers' time do by default.
    pub fewshot_as_multiturn: Option<bool>,
    /// Text before each task's description; with a chat template both are the system message.
    pub system_instruction: Option<String>,
    /// Seed of the choice of few-shot examples, and of generated text where a task draws tokens.
    pub fewshot_seed: u64,
    /// Whether [`Evaluation::samples`](crate::Evaluation::samples) are collected: every prompt and answer, in memory.
    pub log_samples: bool,
    /// Where answers are kept as they are computed, so that a run that was stopped goes on.
    pub journal: Option<PathBuf>,
    /// Whether a journal of another run is replaced.
    pub replace_journal: bool,
    /// Tokens that one call of the model reads, as near as documents allow; a run that is killed loses one call. At least
    /// 1. Results do not depend on it.
    pub window_tokens: usize,
    /// What model this is: name, hashes of weights and tokenizer, dtype, device. It is written to the results under
    /// `config`, and a journal is continued only where it is the same.
    pub model: Map<String, Value>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            data_dir: None,
            n_shot: None,
            limit: None,
            add_bos: AddBos::Auto,
            apply_chat_template: false,
            fewshot_as_multiturn: None,
            system_instruction: None,
            fewshot_seed: 1234,
            log_samples: false,
            journal: None,
            replace_journal: false,
            window_tokens: 4096,
            model: Map::new(),
        }
    }
}

impl Options {
    /// Whether few-shot examples are turns of their own.
    pub(crate) fn multiturn(&self) -> bool {
        self.fewshot_as_multiturn.unwrap_or(self.apply_chat_template)
    }

    /// Refuses what excludes each other.
    pub(crate) fn check(&self) -> Result<(), BenchmarkError> {
        let wrong = |reason: &str| Err(BenchmarkError::Options(reason.to_string()));
        if self.limit == Some(0) {
            return wrong("limit is 0: expected at least one document");
        }
        if self.window_tokens == 0 {
            return wrong("window_tokens is 0: expected at least 1");
        }
        if self.fewshot_as_multiturn == Some(true) && !self.apply_chat_template {
            return wrong("fewshot_as_multiturn needs apply_chat_template: without a template there are no turns");
        }
        Ok(())
    }

    /// What of the options changes the results, for results and journal.
    pub(crate) fn describe(&self) -> Map<String, Value> {
        let add_bos = match self.add_bos {
            AddBos::Auto => "auto",
            AddBos::Never => "never",
        };
        let entries = [
            ("limit", Value::from(self.limit)),
            ("num_fewshot", self.n_shot.into()),
            ("add_bos", add_bos.into()),
            ("apply_chat_template", self.apply_chat_template.into()),
            ("fewshot_as_multiturn", self.multiturn().into()),
            ("system_instruction", self.system_instruction.clone().into()),
            ("fewshot_seed", self.fewshot_seed.into()),
        ];
        entries.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
    }
}
