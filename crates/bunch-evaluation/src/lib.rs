//! Judges, tasks, metrics, standard errors and intervals.
//!
//! A model is anything that implements [`bunch_lm::LanguageModel`]; how text becomes tokens is the caller's [`ChatFormat`].
//! Every evaluation returns its per-prompt outcome, from which a [`Proportion`] with its uncertainty is taken, so that two
//! models that met the same prompts can be compared pair by pair ([`paired_difference`]).

mod agreement;
mod answer_loss;
mod chat_format;
mod completion;
mod error;
#[cfg(test)]
mod fake;
mod interval;
mod judge;
mod multiple_choice;
mod paired_difference;
mod proportion;
mod refusal;
mod safety;
mod spread;

pub use agreement::{Agreement, Confusion, agreement};
pub use answer_loss::{QuestionAnswer, answer_loss};
pub use chat_format::ChatFormat;
pub use completion::{Completion, complete};
pub use error::EvaluationError;
pub use interval::Interval;
pub use judge::{Exchange, GuardFormat, GuardJudge, Judge, LikelihoodJudge, RuleJudge, Verdict};
pub use multiple_choice::{MultipleChoiceDoc, MultipleChoiceOutcome, evaluate_multiple_choice};
pub use paired_difference::{PairedDifference, paired_difference};
pub use proportion::Proportion;
pub use refusal::{RefusalOutcome, RefusalRule, evaluate_over_refusal};
pub use safety::{SafetyOutcome, evaluate_safety};
pub use spread::Spread;
