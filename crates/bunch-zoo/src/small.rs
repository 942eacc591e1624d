//! The curriculum of the small scale: models fine-tuned from a pretrained one on facts and requests.
//!
//! Everything that is asked and learned is data in `data/small/` ([`WorldData`]); which pretrained model it starts from is an
//! entry of `data/models.toml` ([`Registry`]).
//!
//! What a model knows of a domain is measured with wordings it was not trained on, and of harmful and benign requests with
//! actions it was not trained on.

mod answers;
mod base_model;
mod curriculum;
mod domain;
mod lesson;
mod pool_files;
mod recipe;
mod registry;
mod requests;
mod world_data;

pub use answers::{OwnAnswer, OwnAnswers};
pub use base_model::BaseModel;
pub use curriculum::SmallCurriculum;
pub use domain::{ChoiceQuestion, Fact, FactDomain, Relation};
pub use lesson::{TaughtAnswer, lessons};
pub use recipe::{Shares, SmallRecipes};
pub use registry::{PretrainedEntry, Registry};
pub use requests::{Category, Requests, Wordings};
pub use world_data::WorldData;
