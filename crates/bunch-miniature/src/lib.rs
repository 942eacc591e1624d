//! The language of the miniature, a small synthetic world in which everything runs without a download: what is said and
//! answered in it, and the rows of text that models learn.

mod format;
pub mod world;

pub use format::Format;
