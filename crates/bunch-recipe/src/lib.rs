//! Base, experts and a method: merges whole checkpoints.
//!
//! [`Pool`] merges models that are in memory, many times with different coefficients, as a search does.

mod error;
mod pool;

pub use error::{Member, RecipeError};
pub use pool::Pool;
