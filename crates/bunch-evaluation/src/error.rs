//! What can go wrong in an evaluation.

use bunch_lm::LmError;

/// Why an evaluation or a statistic has no value.
#[derive(Debug, thiserror::Error)]
pub enum EvaluationError {
    /// The model, tokenizer or chat template failed.
    #[error(transparent)]
    Lm(#[from] LmError),
    /// Nothing to evaluate: a share or mean of nothing is undefined.
    #[error("no {what}: at least one is needed")]
    Empty {
        /// What is missing, in the plural.
        what: &'static str,
    },
    /// Two things that belong together differ in number.
    #[error("{what}: expected {expected}, got {got}")]
    Count {
        /// What was counted.
        what: &'static str,
        /// How many there should be.
        expected: usize,
        /// How many there are.
        got: usize,
    },
    /// A number that must be finite, or at least comparable, is not.
    #[error("{what} {index}: got {value}")]
    NotANumber {
        /// What the number is.
        what: &'static str,
        /// Its position.
        index: usize,
        /// The value.
        value: f64,
    },
    /// A refusal rule that would match nothing or everything.
    #[error("refusal rule: {what}")]
    RefusalRule {
        /// What is wrong with it.
        what: &'static str,
    },
}

impl EvaluationError {
    /// Refuses two counts of `what` that should be equal, such as a judge's verdicts and the exchanges it was given.
    ///
    /// # Errors
    /// [`Self::Count`] if they differ.
    pub fn check_count(what: &'static str, expected: usize, got: usize) -> Result<(), Self> {
        if expected == got { Ok(()) } else { Err(Self::Count { what, expected, got }) }
    }
}
