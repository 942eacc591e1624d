//! A split: its documents and the files they came from.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;

use crate::doc::Doc;

/// A file that was read, for the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DataFile {
    /// The file.
    pub path: PathBuf,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

/// A split's documents and the files they came from.
#[derive(Debug, Clone)]
pub(crate) struct Split {
    pub docs: Vec<Doc>,
    pub files: Vec<DataFile>,
}

/// Gives every document all columns, as a table has; what a row lacks is null.
pub(super) fn fill(docs: &mut [Doc]) {
    let mut columns: Vec<String> = Vec::new();
    for doc in docs.iter() {
        for column in doc.keys() {
            if !columns.contains(column) {
                columns.push(column.clone());
            }
        }
    }
    for doc in docs.iter_mut().filter(|doc| doc.len() < columns.len()) {
        for column in &columns {
            doc.entry(column.as_str()).or_insert(Value::Null);
        }
    }
}
