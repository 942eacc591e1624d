//! JSON lines that are kept as soon as they are written, and continued by the next run of the same command.

#![forbid(unsafe_code)]

mod error;
mod journal;
mod lines;

pub use error::JournalError;
pub use journal::{Journal, manifest_path};
pub use lines::{Line, read_lines};
