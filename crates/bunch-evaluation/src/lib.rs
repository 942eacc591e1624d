//! Judges, tasks and metrics.
//!
//! A model is anything that implements [`bunch_lm::LanguageModel`]; how text becomes tokens is the caller's [`ChatFormat`].
//! Every evaluation returns its per-prompt outcome, so that two models that met the same prompts can be compared pair by pair.

mod answer_loss;
mod chat_format;
mod completion;
mod error;
#[cfg(test)]
mod fake;
mod judge;
mod multiple_choice;
mod refusal;
mod safety;

pub use answer_loss::{QuestionAnswer, answer_loss};
pub use chat_format::ChatFormat;
pub use completion::{Completion, complete};
pub use error::EvaluationError;
pub use judge::{Exchange, GuardFormat, GuardJudge, Judge, LikelihoodJudge, RuleJudge, Verdict};
pub use multiple_choice::{MultipleChoiceDoc, MultipleChoiceOutcome, evaluate_multiple_choice};
pub use refusal::{RefusalOutcome, RefusalRule, evaluate_over_refusal};
pub use safety::{SafetyOutcome, evaluate_safety};
