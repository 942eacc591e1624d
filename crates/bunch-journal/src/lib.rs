//! JSON lines that are kept as soon as they are written, and continued by the next run of the same command.

#![forbid(unsafe_code)]

mod answer_lines;
mod error;
mod journal;
mod lines;

pub use answer_lines::{AnsweredLines, LineRun, answer_lines, windows};
pub use error::JournalError;
pub use journal::{Journal, manifest_path};
pub use lines::{Line, read_lines};
