//! One training sequence.

use bunch_lm::TokenId;

use crate::TuningError;

/// A sequence and the part of it that is learned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// All tokens, prompt and answer.
    pub tokens: Vec<TokenId>,
    /// Index of the first token that counts in the loss; everything before it is prompt. At least 1: the first token is never predicted.
    pub loss_from: usize,
}

impl Example {
    /// Refuses an example without prompt or without answer.
    pub(crate) fn check(&self, index: usize) -> Result<(), TuningError> {
        if self.loss_from >= 1 && self.loss_from < self.tokens.len() {
            return Ok(());
        }
        let what = format!("the loss starts at token {} of {}", self.loss_from, self.tokens.len());
        Err(TuningError::Example { index, what })
    }
}
