//! A helper of the pool that judges.

use bunch_judging::{Exchange, Judge, JudgeFile};
use bunch_lm::{LanguageModel, Tokenizer};

use crate::AlignmentError;

/// A helper that judges: its file, and its model's tokenizer if it asks one.
pub struct PoolJudge {
    /// How it is asked and read.
    pub file: JudgeFile,
    /// None for a rule of words.
    pub tokenizer: Option<Tokenizer>,
}

impl PoolJudge {
    /// The judge, asking `model` if it asks one.
    pub fn asking<'a>(&'a self, model: &'a dyn LanguageModel) -> Result<Box<dyn Judge + 'a>, AlignmentError> {
        match (self.file.rule(), &self.tokenizer) {
            (None, Some(tokenizer)) => Ok(Box::new(self.file.with_model(model, tokenizer, false)?)),
            (Some(rule), _) => Ok(Box::new(|exchange: &Exchange| rule.verdict(exchange))),
            (None, None) => unreachable!("a judge that asks a model is opened with its tokenizer"),
        }
    }
}
