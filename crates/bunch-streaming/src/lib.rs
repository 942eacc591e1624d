//! Merges checkpoints of any size: plans from headers, then reads, merges and writes tensor by tensor.
//!
//! [`InputModel::open_all`] opens the models of a recipe, [`MergePlan::new`] finds out from their headers alone what has to be
//! done and everything that is wrong with it, and [`MergePlan::run`] does it: every tensor is read piece by piece, merged
//! in 32 bits or more, rounded once and written at its place, several tensors at a time. The output is the same whatever
//! the number of threads, and appears under its name only when it is complete.

mod card;
mod config_meaning;
mod configuration;
mod error;
mod input_model;
mod model_checks;
mod name_prefix;
mod names_by_place;
mod notes;
mod options;
mod plan;
mod planned_tensor;
mod problem;
mod run;
mod space;
mod values;
mod vocabulary;

pub use error::StreamingError;
pub use input_model::InputModel;
pub use options::{Digests, MergeOptions};
pub use plan::MergePlan;
pub use planned_tensor::PlannedTensor;
pub use problem::Problem;
pub use run::Merged;
