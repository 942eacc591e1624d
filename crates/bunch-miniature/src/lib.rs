//! The language of the miniature, a small synthetic world in which everything runs without a download: what is said and
//! answered in it, and the rows of text that models learn.

mod pool_files;
pub mod world;

pub use pool_files::{judge_files, pool_files};
