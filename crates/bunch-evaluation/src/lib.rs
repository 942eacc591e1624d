//! Judges, tasks and metrics.
//!
//! A model is anything that implements [`bunch_lm::LanguageModel`]; how text becomes tokens is the caller's [`bunch_lm::ChatFormat`].
//! Every evaluation returns its per-prompt outcome, so that two models that met the same prompts can be compared pair by pair.

mod error;
#[cfg(test)]
mod fake;
mod judge;
mod refusal;
mod safety;

pub use error::EvaluationError;
pub use judge::{Exchange, GuardFormat, GuardJudge, Judge, LikelihoodJudge, RuleJudge, Verdict};
pub use refusal::{RefusalOutcome, RefusalRule, evaluate_over_refusal};
pub use safety::{SafetyOutcome, evaluate_safety};
