//! Generates safety and domain data with the models of a pool.
//!
//! [`synthesize_safety`] makes D_safety and [`synthesize_domain`] D_expert of Hammoud et al. 2024: pairs of question and
//! answer that a merge is then weighted on. Both ask for questions in rounds, pass them through named stages, and record how
//! many each stage lost and why ([`Stages`]).
//!
//! A result depends on the request alone. Questions are sampled in rounds of fixed size, each with its own seed, and every
//! other draw has a stream of its own, named after the question's number. So the number of wanted pairs only decides where
//! the sequence ends: the pairs of a smaller `k` begin those of a larger one.

mod domain;
mod error;
#[cfg(test)]
mod fake;
mod question;
mod question_form;
mod safety;
mod stages;

pub use domain::{DomainData, DomainPair, DomainRequest, synthesize_domain};
pub use error::SynthesisError;
pub use question::ROUND;
pub use question_form::QuestionForm;
pub use safety::{SafetyCategory, SafetyData, SafetyPair, SafetyRequest, synthesize_safety};
pub use stages::{DropReason, Stage, StageName, Stages};
