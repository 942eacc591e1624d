//! A world around a pretrained model: facts, requests, and the models fine-tuned from it.
//!
//! Everything that is asked and learned is data in `data/small/` ([`WorldData`]); which pretrained model it starts from is an
//! entry of `data/models.toml` ([`Registry`]). [`SmallZoo`] fine-tunes each model once and keeps it.
//!
//! What a model knows of a domain is measured with wordings it was not trained on, and of harmful and benign requests with
//! actions it was not trained on: [`Split`].

mod answers;
mod base_model;
mod domain;
mod error;
mod format;
mod lesson;
mod recipe;
mod registry;
mod requests;
mod split;
mod world_data;
mod zoo;

pub use answers::{OwnAnswer, OwnAnswers};
pub use base_model::BaseModel;
pub use domain::{Domain, FactQuestion, Relation};
pub use error::SmallError;
pub use format::SmallFormat;
pub use lesson::{Lesson, lessons};
pub use recipe::{MemberRecipe, Mixture, Pin, Recipes, StageRecipe};
pub use registry::{ModelEntry, Registry};
pub use requests::{Category, Requests, Wordings};
pub use split::Split;
pub use world_data::WorldData;
pub use zoo::{SmallZoo, TRAINING_CODE, ZooModel};
