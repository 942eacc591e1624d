//! Rows of JSON, JSON lines, CSV, parquet and text files.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::split::DataFile;
use crate::BenchmarkError;
use crate::doc::Doc;

/// A file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// An array of rows, or one row per line.
    Json,
    /// Comma-separated values.
    Csv,
    /// Apache Parquet.
    Parquet,
    /// The whole file is the one document's `page`.
    Text,
}

impl Format {
    pub(crate) fn of(path: &Path) -> Result<Self, BenchmarkError> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("json" | "jsonl") => Ok(Self::Json),
            Some("csv") => Ok(Self::Csv),
            Some("parquet") => Ok(Self::Parquet),
            Some("txt") => Ok(Self::Text),
            _ => Err(BenchmarkError::format(path, "data files end in .json, .jsonl, .csv, .parquet or .txt")),
        }
    }
}

/// The files that a path means whose last component may hold one `*`, sorted.
pub(super) fn glob(path: &Path) -> Result<Vec<PathBuf>, BenchmarkError> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let Some((start, end)) = name.split_once('*') else {
        return Ok(if path.is_file() { vec![path.to_path_buf()] } else { Vec::new() });
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| BenchmarkError::read(folder, error))? {
        let path = entry.map_err(|error| BenchmarkError::read(folder, error))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end) && path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The file's name and hash.
pub(super) fn record(path: &Path) -> Result<DataFile, BenchmarkError> {
    let mut file = File::open(path).map_err(|error| BenchmarkError::read(path, error))?;
    let mut hash = Sha256::new();
    let mut block = vec![0; 1 << 16];
    loop {
        match file.read(&mut block).map_err(|error| BenchmarkError::read(path, error))? {
            0 => break,
            read => hash.update(block.get(..read).unwrap_or_default()),
        }
    }
    let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(DataFile { path: path.to_path_buf(), sha256 })
}

fn read(path: &Path) -> Result<String, BenchmarkError> {
    let text = std::fs::read_to_string(path).map_err(|error| BenchmarkError::read(path, error))?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_string).unwrap_or(text))
}

/// All rows of a file.
pub(super) fn rows(path: &Path, format: Format) -> Result<Vec<Doc>, BenchmarkError> {
    let rows = match format {
        Format::Json => json(path)?,
        Format::Csv => csv_rows(path)?,
        Format::Parquet => parquet_rows(path)?,
        Format::Text => vec![Doc::from_iter([("page".to_string(), Value::String(read(path)?))])],
    };
    if rows.is_empty() {
        return Err(BenchmarkError::format(path, "there are no rows"));
    }
    Ok(rows)
}

fn json(path: &Path) -> Result<Vec<Doc>, BenchmarkError> {
    let text = read(path)?;
    if text.trim_start().starts_with('[') {
        return serde_json::from_str(&text).map_err(|error| BenchmarkError::format(path, error));
    }
    let mut rows = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let row: Result<Doc, _> = serde_json::from_str(line);
        rows.push(row.map_err(|error| BenchmarkError::format(path, format!("line {}: {error}", at + 1)))?);
    }
    Ok(rows)
}

/// The rows of a JSON object of rows; each gets its key as the column `key`.
pub(super) fn keyed_json(path: &Path, key: &str) -> Result<Vec<Doc>, BenchmarkError> {
    let rows: serde_json::Map<String, Value> =
        serde_json::from_str(&read(path)?).map_err(|error| BenchmarkError::format(path, error))?;
    let row = |(name, row): (String, Value)| match row {
        Value::Object(mut row) => {
            row.insert(key.to_string(), Value::String(name));
            Ok(row)
        }
        _ => Err(BenchmarkError::format(path, format!("{name:?} is no row of named columns"))),
    };
    rows.into_iter().map(row).collect()
}

/// The keys of a JSON object.
pub(super) fn keys(path: &Path) -> Result<Vec<String>, BenchmarkError> {
    let object: serde_json::Map<String, Value> =
        serde_json::from_str(&read(path)?).map_err(|error| BenchmarkError::format(path, error))?;
    Ok(object.into_iter().map(|(key, _)| key).collect())
}

fn csv_rows(path: &Path) -> Result<Vec<Doc>, BenchmarkError> {
    let columns = csv_header(path)?;
    let text = read(path)?;
    csv_docs(path, &mut csv::Reader::from_reader(text.as_bytes()), &columns)
}

/// The first row of a CSV file.
pub(super) fn csv_header(path: &Path) -> Result<Vec<String>, BenchmarkError> {
    let text = read(path)?;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| BenchmarkError::format(path, error))?;
    Ok(header.iter().map(str::to_string).collect())
}

/// The rows of a CSV file without a header.
pub(super) fn headless_csv(path: &Path, columns: &[String]) -> Result<Vec<Doc>, BenchmarkError> {
    let text = read(path)?;
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    csv_docs(path, &mut reader, columns)
}

fn csv_docs(path: &Path, reader: &mut csv::Reader<&[u8]>, columns: &[String]) -> Result<Vec<Doc>, BenchmarkError> {
    let mut docs = Vec::new();
    for (at, record) in reader.records().enumerate() {
        let record = record.map_err(|error| BenchmarkError::format(path, error))?;
        if record.len() != columns.len() {
            let reason = format!("{} columns ({}), found {}", columns.len(), columns.join(", "), record.len());
            return Err(BenchmarkError::Row {
                path: path.to_path_buf(),
                row: at + 1,
                reason: format!("expected {reason}"),
            });
        }
        let values = record.iter().map(|value| Value::String(value.to_string()));
        docs.push(columns.iter().cloned().zip(values).collect());
    }
    Ok(docs)
}

fn parquet_rows(path: &Path) -> Result<Vec<Doc>, BenchmarkError> {
    let wrong = |error: parquet::errors::ParquetError| BenchmarkError::format(path, error);
    let file = File::open(path).map_err(|error| BenchmarkError::read(path, error))?;
    let reader = SerializedFileReader::new(file).map_err(wrong)?;
    let mut docs = Vec::new();
    for row in reader.get_row_iter(None).map_err(wrong)? {
        let columns = row.map_err(wrong)?.into_columns();
        let mut doc = Doc::new();
        for (name, field) in columns {
            let value = parquet_value(&field).map_err(|kind| BenchmarkError::Row {
                path: path.to_path_buf(),
                row: docs.len() + 1,
                reason: format!("column {name:?} holds {kind}"),
            })?;
            doc.insert(name, value);
        }
        docs.push(doc);
    }
    Ok(docs)
}

/// A value as JSON, or the kind that has none.
fn parquet_value(field: &Field) -> Result<Value, String> {
    Ok(match field {
        Field::Null => Value::Null,
        Field::Bool(value) => (*value).into(),
        Field::Byte(value) => (*value).into(),
        Field::Short(value) => (*value).into(),
        Field::Int(value) => (*value).into(),
        Field::Long(value) => (*value).into(),
        Field::UByte(value) => (*value).into(),
        Field::UShort(value) => (*value).into(),
        Field::UInt(value) => (*value).into(),
        Field::ULong(value) => (*value).into(),
        Field::Float(value) => f64::from(*value).into(),
        Field::Double(value) => (*value).into(),
        Field::Str(value) => value.as_str().into(),
        Field::Group(row) => {
            let fields = row.get_column_iter().map(|(name, field)| Ok((name.clone(), parquet_value(field)?)));
            Value::Object(fields.collect::<Result<_, String>>()?)
        }
        Field::ListInternal(list) => {
            Value::Array(list.elements().iter().map(parquet_value).collect::<Result<_, String>>()?)
        }
        other => return Err(format!("{other:?}, a kind that no benchmark uses")),
    })
}
