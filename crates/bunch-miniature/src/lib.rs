//! The language of the miniature, a small synthetic world in which everything runs without a download: what is said and
//! answered in it, and the rows of text that models learn.

mod format;
mod pool_files;
pub mod world;

pub use format::Format;
pub use pool_files::{judge_files, pool_files};
