//! What can be wrong with the input of a report.

use std::path::PathBuf;

/// Why a report cannot be read, evaluated or rendered.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A file of cells that is not the CSV it should be.
    #[error("{file}: {source}")]
    Csv {
        /// Name of the file.
        file: String,
        /// The reader's error, with line and field.
        source: csv::Error,
    },
    /// A column that a file of cells needs is absent, or one is there that it does not know.
    #[error("{file}: columns are {got}, expected {expected} and then `detail.<name>` columns")]
    CsvHeader {
        /// Name of the file.
        file: String,
        /// The expected leading columns.
        expected: String,
        /// The columns found.
        got: String,
    },
    /// A number in a file of cells cannot be read.
    #[error("{file}, line {line}, column `{column}`: `{got}` is not {expected}")]
    Number {
        /// Name of the file.
        file: String,
        /// Line, from 1 (the header).
        line: u64,
        /// Column.
        column: String,
        /// What is expected.
        expected: &'static str,
        /// The text found.
        got: String,
    },
    /// A number that is NaN or infinite.
    #[error("{place}: `{field}` is {got}, expected a finite number")]
    NotFinite {
        /// Cell or claim the number belongs to.
        place: String,
        /// The field.
        field: String,
        /// The value found.
        got: f64,
    },
    /// A number below zero that must not be.
    #[error("{place}: `{field}` is {got}, expected at least 0")]
    Negative {
        /// Cell or claim the number belongs to.
        place: String,
        /// The field.
        field: String,
        /// The value found.
        got: f64,
    },
    /// The same thing declared or measured twice.
    #[error("{what} appears twice: {name}")]
    Duplicate {
        /// Kind of thing.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// A name that the table does not declare.
    #[error("{place}: unknown {what} `{got}`, expected one of: {expected}")]
    Unknown {
        /// Who uses the name.
        place: String,
        /// Kind of thing named.
        what: &'static str,
        /// The name found.
        got: String,
        /// The declared names.
        expected: String,
    },
    /// A list that must not be empty is.
    #[error("{place}: `{field}` is empty")]
    Empty {
        /// Claim or table.
        place: String,
        /// The field.
        field: &'static str,
    },
    /// A published value without its number, or a number for one that was not found.
    #[error(
        "published {place}: `how` is `{how}` and a value is {state}; a value is absent exactly if it was not found"
    )]
    PublishedValue {
        /// Block, row and column.
        place: String,
        /// How the value is known.
        how: &'static str,
        /// `given` or `absent`.
        state: &'static str,
    },
    /// The drawing library failed.
    #[error("figure `{title}`: {message}")]
    Drawing {
        /// Title of the figure.
        title: String,
        /// The library's message.
        message: String,
    },
    /// A manifest that is not valid JSON of the expected fields.
    #[error("{file}: {source}")]
    ManifestJson {
        /// Name of the file.
        file: String,
        /// The reader's error, with line and column.
        source: serde_json::Error,
    },
    /// A manifest of another schema version.
    #[error("{file}: manifest schema version {got}, expected {expected}")]
    ManifestVersion {
        /// Name of the file.
        file: String,
        /// Version this code writes.
        expected: u32,
        /// Version found.
        got: u32,
    },
    /// A file that cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
}
