//! The small synthetic world in which everything runs without a download: its language, and models trained on it.

mod error;
mod format;
mod member;
mod pool_files;
mod recipe;
pub mod world;
mod zoo;

pub use error::ZooError;
pub use format::Format;
pub use member::Member;
pub use pool_files::pool_files;
pub use recipe::{Pin, Recipe, Stage, config};
pub use zoo::{MAX_ANSWER_TOKENS, TRAINING_CODE, Zoo, ZooModel};
