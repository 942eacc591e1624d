//! Safety of real checkpoints: judges, refusal lists, prompt sets and the papers' alignment score.
//!
//! A run has four pieces, each of which works in windows so that a caller can keep what is done: prompts are read from a
//! publisher's file ([`PromptSet`]), a model replies ([`respond`]), judges and refusal lists look at the replies ([`Judge`],
//! [`RefusalList`]), and a [`SafetyReport`] counts. Judges and lists are data (`data/judges`, `data/prompts`): a template, a
//! rule for the verdict and the source of both.

#![forbid(unsafe_code)]

mod builtin;
mod definition;
mod error;
mod exchange;
#[cfg(test)]
mod fake;
mod judge;
mod judge_agreement;
mod judge_prompt;
mod judgement;
mod prompt_set;
mod python_text;
mod record;
mod refusal_list;
mod response;
mod safety_prompt;
mod safety_report;
mod tally;
mod verdict;

pub use error::SafetyError;
pub use exchange::{Exchange, request};
pub use judge::{Judge, JudgeOptions};
pub use judge_agreement::JudgeAgreement;
pub use judgement::Judgement;
pub use prompt_set::{PromptFile, PromptSet};
pub use record::{ExchangeRecord, read_exchanges, read_prompts};
pub use refusal_list::{Match, RefusalList};
pub use response::{RespondOptions, Response, render_prompt, respond};
pub use safety_prompt::SafetyPrompt;
pub use safety_report::{JudgeReport, Judged, RefusalReport, SafetyReport};
pub use tally::Tally;
pub use verdict::{Otherwise, Reading, Verdict, VerdictRule};
