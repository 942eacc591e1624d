//! What can go wrong with a file of JSON lines.

use std::path::PathBuf;

/// Why a file of JSON lines cannot be read, continued or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The operating system refuses.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Its reason.
        source: std::io::Error,
    },
    /// A line that is not what it should be.
    #[error("{}, line {line}: {reason}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1 on.
        line: usize,
        /// What was expected and what is there.
        reason: String,
    },
    /// The file holds more answers than there are lines.
    #[error("{}: holds {got} lines, more than the {expected} asked for (replace it with --overwrite)", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Number of lines asked for.
        expected: usize,
        /// Number of lines that the file holds.
        got: usize,
    },
    /// The file holds the answer to another line.
    #[error(
        "{}, line {line}: holds the answer to another line, `{name}` is {got} there and {expected} here (replace it with \
         --overwrite)",
        path.display()
    )]
    OtherLine {
        /// The file.
        path: PathBuf,
        /// The line, from 1 on.
        line: usize,
        /// The first field that differs.
        name: String,
        /// Its value in the input.
        expected: String,
        /// Its value in the file.
        got: String,
    },
    /// The file holds lines that nothing says the origin of.
    #[error(
        "{}: already exists, and {} does not say which run it is from (replace it with --overwrite)",
        path.display(), manifest.display()
    )]
    Unknown {
        /// The file.
        path: PathBuf,
        /// Where its origin would stand.
        manifest: PathBuf,
    },
    /// The file holds lines of another run.
    #[error(
        "{}: holds results of another run, {what} is {got} there and {expected} here (replace it with --overwrite)",
        path.display()
    )]
    OtherRun {
        /// The file.
        path: PathBuf,
        /// The first part of the identity that differs.
        what: String,
        /// Its value in this run.
        expected: String,
        /// Its value in the run that wrote the file.
        got: String,
    },
}

impl JournalError {
    /// Turns the operating system's refusal at `path` into an error.
    pub(crate) fn io(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}
