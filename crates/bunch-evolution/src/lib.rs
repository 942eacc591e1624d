//! Finds merges: the members of a pool, genes by parameter name, objectives, and one file per strategy.
//!
//! [`Members`] merges the models of a pool many times with different coefficients, each merge a [`Candidate`]. [`AnyStrategy`] is a way to find
//! a model among the merges, as in the TOML line `strategy.grid = { merge = "slerp", values = { t = [0.2, 0.8] } }`; the
//! list is in `strategies.rs`. What candidates are scored on, who trains, and where scores are kept, are the caller's:
//! [`Objective`], [`Trainer`] and [`Evaluations`].

mod candidate;
mod error;
mod evaluations;
mod generated_data;
mod genes;
mod goal;
mod member_weights;
mod members;
mod objective;
#[cfg(test)]
mod scripted;
mod strategies;
mod strategy;

pub use candidate::Candidate;
pub use error::{EvolutionError, MemberRole};
pub use evaluations::{Evaluations, Numbers, Unkept};
pub use generated_data::{Data, DataNeed, Source};
pub use goal::{Goal, GoalConstraint, GoalQuantity};
pub use members::Members;
pub use objective::{CallerError, Objective, Trainer};
pub use strategies::AnyStrategy;
pub use strategies::fixed::BaseAs;
pub use strategies::front::Fronts;
pub use strategies::preference::{AdapterShape, PreferenceTuning, TuningLoss};
pub use strategy::{ByOptions, Cost, Environment, Found, FoundMerge, FoundModel, Sizes, Strategy};
