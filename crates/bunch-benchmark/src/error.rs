//! What can go wrong when benchmarks are read and run.

use std::path::{Path, PathBuf};

use bunch_journal::JournalError;
use bunch_lm::LmError;

/// A benchmark that cannot be read, understood or scored.
#[derive(Debug, thiserror::Error)]
pub enum BenchmarkError {
    /// A name that is neither a task nor a group.
    #[error("no task or group is named {name:?}; {}", suggestion(near, groups))]
    UnknownTask {
        /// What was asked for.
        name: String,
        /// Names that are spelled alike, the likeliest first.
        near: Vec<String>,
        /// All groups and all tasks that are in no group.
        groups: Vec<String>,
    },
    /// A task, group or data set definition that cannot be read.
    #[error("{file}: {reason}")]
    Definition {
        /// The TOML file.
        file: String,
        /// What is wrong, with line and column where known.
        reason: String,
    },
    /// A task definition that makes no sense.
    #[error("task {task}: {reason}")]
    Task {
        /// The task's name.
        task: String,
        /// Field and reason.
        reason: String,
    },
    /// Data that is not where it is looked for.
    #[error(
        "task {task}: the {split} split of {dataset} was not found{}; expected one of the files {} (instead of {} the folder \
         may be {}). {title}, licence: {licence}, can be had from {download}",
        place(data_dir), files.join(", "), folders.first().map_or("", String::as_str), alternatives(folders)
    )]
    MissingData {
        /// The task that needs it.
        task: String,
        /// The data set's id.
        dataset: String,
        /// The split's name.
        split: String,
        /// The folder with all data sets' files, where one was given.
        data_dir: Option<PathBuf>,
        /// The files that would do, relative to it, in the order of the search.
        files: Vec<String>,
        /// The folders of the data set; the files are named in the first one.
        folders: Vec<String>,
        /// The data set's title.
        title: String,
        /// Its licence.
        licence: String,
        /// Where to get it.
        download: String,
    },
    /// A file that cannot be opened or read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A file that is not in the format it should be in.
    #[error("{}: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A row without a column that its layout has.
    #[error("{}: row {row}: no column {expected:?}; found {}", path.display(), found.join(", "))]
    Column {
        /// The file.
        path: PathBuf,
        /// Counted from 1, without the header.
        row: usize,
        /// The column looked for.
        expected: String,
        /// The row's columns.
        found: Vec<String>,
    },
    /// A row whose content cannot be right.
    #[error("{}: row {row}: {reason}", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// Counted from 1, without the header.
        row: usize,
        /// What is wrong.
        reason: String,
    },
    /// A document that the task's templates or metrics cannot deal with.
    #[error("task {task}, doc {doc}: {reason}")]
    Doc {
        /// The task's name.
        task: String,
        /// Position of the document in its split.
        doc: usize,
        /// What is wrong.
        reason: String,
    },
    /// A model that answered something that is no log-likelihood.
    #[error("task {task}, doc {doc}, request {request}: the model's log-likelihood is {value}")]
    NotALikelihood {
        /// The task's name.
        task: String,
        /// Position of the document in its split.
        doc: usize,
        /// Position of the request in the document.
        request: usize,
        /// The number.
        value: f64,
    },
    /// A tokenizer or chat template that refuses a prompt.
    #[error("task {task}, doc {doc}: {source}")]
    Text {
        /// The task's name.
        task: String,
        /// Position of the document in its split.
        doc: usize,
        /// The tokenizer's reason.
        source: LmError,
    },
    /// A model that failed.
    #[error("task {task}, docs {first} to {last}: {source}")]
    Model {
        /// The task's name.
        task: String,
        /// First document of the window.
        first: usize,
        /// Last document of the window.
        last: usize,
        /// The model's reason.
        source: LmError,
    },
    /// A model that did not answer every request.
    #[error("task {task}, docs {first} to {last}: the model gave {got} answers to {expected} requests")]
    AnswerCount {
        /// The task's name.
        task: String,
        /// First document of the window.
        first: usize,
        /// Last document of the window.
        last: usize,
        /// Number of requests.
        expected: usize,
        /// Number of answers.
        got: usize,
    },
    /// A journal of another run, or one that cannot be read or written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A line of a journal that does not belong to the document whose turn it is.
    #[error("{}, line {line}: expected the answers to doc {doc} of {task}, got {got}", path.display())]
    JournalLine {
        /// The journal's file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// The task whose turn it is.
        task: String,
        /// Position of the document in its split.
        doc: usize,
        /// The line.
        got: String,
    },
    /// Options that exclude each other.
    #[error("{0}")]
    Options(String),
}

impl BenchmarkError {
    pub(crate) fn read(path: &Path, source: std::io::Error) -> Self {
        Self::Read { path: path.to_path_buf(), source }
    }

    /// For `map_err`: what is wrong with the TOML file of that name.
    pub(crate) fn definition(file: &str) -> impl Fn(toml::de::Error) -> Self {
        move |error| Self::Definition { file: file.to_string(), reason: error.to_string() }
    }

    pub(crate) fn format(path: &Path, reason: impl ToString) -> Self {
        Self::Format { path: path.to_path_buf(), reason: reason.to_string() }
    }
}

fn place(data_dir: &Option<PathBuf>) -> String {
    match data_dir {
        Some(folder) => format!(" in {}", folder.display()),
        None => ": no folder with data was given (--data)".to_string(),
    }
}

fn alternatives(folders: &[String]) -> String {
    let rest = folders.get(1..).unwrap_or_default().iter().map(|folder| format!("{folder}, ")).collect::<String>();
    format!("{rest}or missing")
}

fn suggestion(near: &[String], groups: &[String]) -> String {
    match near {
        [] => format!("there are: {}", groups.join(", ")),
        _ => format!("did you mean {}?", near.join(" or ")),
    }
}
