//! What can go wrong when exchanges are judged.

use std::path::PathBuf;

use bunch_journal::JournalError;
use bunch_lm::LmError;
use bunch_statistics::StatisticsError;

/// Why exchanges were not judged.
#[derive(Debug, thiserror::Error)]
pub enum JudgingError {
    /// The model, its tokenizer or a template failed.
    #[error(transparent)]
    Lm(#[from] LmError),
    /// A statistic has no value.
    #[error(transparent)]
    Statistics(#[from] StatisticsError),
    /// A file of JSON lines cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// No builtin thing of this name.
    #[error("{kind}: expected one of {}, got {got:?}", known.join(", "))]
    Unknown {
        /// What was asked for: a judge, a refusal list or a prompt set.
        kind: &'static str,
        /// The name given.
        got: String,
        /// The names there are.
        known: Vec<&'static str>,
    },
    /// A judge, refusal list or prompt set that cannot be used.
    #[error("{file}: {reason}")]
    Definition {
        /// The file, or the name if it is builtin.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A prompt that a model cannot be asked, or an exchange that a judge cannot.
    #[error("line {line}: {reason}")]
    Exchange {
        /// Its number, from 1 on.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A prompt that does not fit into the model's context window.
    #[error(
        "line {line}: a prompt of {tokens} tokens and {new_tokens} more for the reply do not fit into the model's context \
         window of {window}, and are not cut"
    )]
    PromptTooLong {
        /// The prompt's number, from 1 on.
        line: usize,
        /// Tokens of the prompt.
        tokens: usize,
        /// Room for the reply.
        new_tokens: usize,
        /// The model's context window.
        window: usize,
    },
    /// An exchange that does not fit into the judge's context window.
    #[error(
        "line {line}: the judge's prompt of {tokens} tokens and {new_tokens} more for its reply do not fit into its context \
         window of {window}; {judge} does not truncate so far"
    )]
    TooLong {
        /// The exchange's number, from 1 on.
        line: usize,
        /// The judge.
        judge: String,
        /// Tokens of the prompt.
        tokens: usize,
        /// Room for the reply.
        new_tokens: usize,
        /// The judge's context window.
        window: usize,
    },
    /// Two things that belong together differ in number, such as requests and answers.
    #[error("{what}: expected {expected}, got {got}")]
    Count {
        /// What was counted.
        what: &'static str,
        /// How many there should be.
        expected: usize,
        /// How many there are.
        got: usize,
    },
    /// Nothing to judge or to report: a share of nothing is undefined.
    #[error("no {what}: at least one is needed")]
    Empty {
        /// What is missing, in the plural.
        what: &'static str,
    },
    /// A line of a file of exchanges that is none.
    #[error("{}, line {line}: {reason}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// The line, from 1 on; in a JSON array, the entry.
        line: usize,
        /// What was expected and what is there.
        reason: String,
    },
    /// A prompt set whose files are not there.
    #[error(
        "prompt set {name}: none of these files is there: {}; {get} ({licence}; see {homepage}) and put it into {}",
        looked_for.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", "), folder.display()
    )]
    MissingPrompts {
        /// The prompt set.
        name: String,
        /// The files, any of which would do.
        looked_for: Vec<PathBuf>,
        /// Where to get one.
        get: String,
        /// Under which terms.
        licence: String,
        /// Who publishes it.
        homepage: String,
        /// Where to put it.
        folder: PathBuf,
    },
    /// A file of prompts without a column.
    #[error("{}: expected a column {column:?}, got the columns {}", path.display(), found.join(", "))]
    Column {
        /// The file.
        path: PathBuf,
        /// The column that is missing.
        column: String,
        /// The columns there are.
        found: Vec<String>,
    },
    /// A cell that is no value of its column.
    #[error("{}, row {row}, column {column:?}: expected {expected}, got {got}", path.display())]
    Cell {
        /// The file.
        path: PathBuf,
        /// The row, from 1 on, not counting the header.
        row: usize,
        /// The column.
        column: String,
        /// What was expected.
        expected: String,
        /// What is there.
        got: String,
    },
    /// A file of prompts that is not the published one.
    #[error("{}: expected {expected} rows as published, got {got}", path.display())]
    Rows {
        /// The file.
        path: PathBuf,
        /// Rows of the published file.
        expected: usize,
        /// Rows there are.
        got: usize,
    },
}

impl JudgingError {
    /// Turns the operating system's refusal at `path` into an error.
    pub(crate) fn io(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }

    /// A request of `line` that fails.
    pub(crate) fn of_exchange(line: usize, error: LmError) -> Self {
        Self::Exchange { line, reason: error.to_string() }
    }

    /// What a model says of one request of a call, with the line that the request is of.
    pub(crate) fn of_request(error: LmError, line: impl Fn(usize) -> Option<usize>) -> Self {
        let (index, reason) = match &error {
            LmError::Request { index, what } => (*index, what.clone()),
            LmError::TooLong { index, tokens, window } => {
                (*index, format!("{tokens} tokens do not fit into the context window of {window}"))
            }
            _ => return Self::Lm(error),
        };
        match line(index) {
            Some(line) => Self::Exchange { line, reason },
            None => Self::Lm(error),
        }
    }

    /// Fails if there are not as many of something as there should be, such as a judge's verdicts and the exchanges.
    ///
    /// # Errors
    /// [`Self::Count`] if they differ.
    pub fn check_count(what: &'static str, expected: usize, got: usize) -> Result<(), Self> {
        if expected == got { Ok(()) } else { Err(Self::Count { what, expected, got }) }
    }

    /// A definition in `file` that cannot be used.
    pub(crate) fn definition(file: &str, reason: impl ToString) -> Self {
        Self::Definition { file: file.to_owned(), reason: reason.to_string() }
    }
}
