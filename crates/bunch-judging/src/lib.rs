//! Judging: who says whether an exchange is safe, of which prompts, and what follows for a model.
//!
//! A [`Judge`] gives each [`Exchange`] a [`Verdict`]. Judges are data ([`JudgeFile`], `data/judges`): a template and a rule that
//! reads a guard's reply, two words whose probabilities are compared, or a rule of words that needs no model. A [`RefusalList`]
//! recognises answers that decline.
//!
//! Of real checkpoints a run has four pieces, each of which works in windows so that a caller can keep what is done: prompts
//! are read from a publisher's file ([`PromptSet`]), a model replies ([`respond`]), judges and refusal lists look at the
//! replies, and a [`SafetyReport`] counts. Models in memory are measured by [`evaluate_safety`] and [`evaluate_over_refusal`].

#![forbid(unsafe_code)]

mod alignment;
mod builtin;
mod cached_judge;
mod definition;
mod error;
mod exchange;
#[cfg(test)]
mod fake;
mod judge;
mod judge_agreement;
mod judge_file;
mod judge_prompt;
mod judgement;
mod model_judge;
mod phrase;
mod prompt_set;
mod python_text;
mod record;
mod refusal_list;
mod response;
mod safety_prompt;
mod safety_report;
mod tally;
mod text_rule;
mod verdict;
mod word_rule;

pub use alignment::{SafetyOutcome, evaluate_over_refusal, evaluate_safety, greedy_answers};
pub use cached_judge::{CachedJudge, VerdictCache};
pub use error::JudgingError;
pub use exchange::Exchange;
pub use judge::Judge;
pub use judge_agreement::JudgeAgreement;
pub use judge_file::JudgeFile;
pub use judgement::Judgement;
pub use model_judge::ModelJudge;
pub use prompt_set::{PromptFile, PromptSet};
pub use record::{ExchangeRecord, read_exchanges, read_prompts};
pub use refusal_list::{Match, RefusalList};
pub use response::{RespondOptions, Response, respond};
pub use safety_prompt::SafetyPrompt;
pub use safety_report::{JudgeReport, Judged, RefusalReport, SafetyReport};
pub use tally::Tally;
pub use text_rule::TextRule;
pub use verdict::Verdict;
pub use word_rule::WordRule;
