//! Trains the models of a curriculum once, keeps them under their content addresses, and hands them out.
//!
//! A [`Curriculum`] says which models there are, what each starts from and what it is taught; [`Zoo`] trains one when it is
//! first asked for, continues a training that was stopped, and writes a Hugging Face directory. There are three curricula:
//! [`miniature`] trains small models from scratch on a synthetic language, [`small`] fine-tunes a pretrained model.

mod curriculum;
mod error;
mod given;
pub mod miniature;
mod pin;
mod pinned;
mod recipe;
pub mod small;
mod zoo;

pub use curriculum::{Curriculum, DevQuestion, ExampleSource, FixedExamples, MemberPlan, ModelFiles, StagePlan};
pub use error::ZooError;
pub use given::GivenModels;
pub use pin::{Look, Pin, Steer, Until};
pub use recipe::{MemberRecipe, MemberRecipes, Optimizer, StageRecipe};
pub use zoo::{TrainedModel, Zoo, write_files};
