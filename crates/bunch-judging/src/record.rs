//! Records: the lines of a file of prompts or of prompts with responses.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use crate::{Exchange, JudgingError, SafetyPrompt};

/// An exchange as it stands in a file.
#[derive(Debug, Clone, PartialEq)]
pub struct ExchangeRecord {
    /// Its line, in a JSON array its position, from 1 on; messages name it.
    pub line: usize,
    /// What is to be judged.
    pub exchange: Exchange,
    /// All fields of the line, in the order of the file, for those who write them out again.
    pub fields: Map<String, Value>,
}

/// Reads exchanges from JSON lines, or from a JSON array as BeaverTails' and MergeAlign's publishers write them: objects
/// with the texts `prompt` and `response` (where that is missing, `text`, as `bunch generate` calls it), and possibly
/// `context`. Other fields are kept.
///
/// # Errors
/// A file that cannot be read, or a line (in an array, an entry) that is no such object, by number.
pub fn read_exchanges(path: &Path) -> Result<Vec<ExchangeRecord>, JudgingError> {
    let entries = read_entries(path)?;
    entries
        .into_iter()
        .map(|Entry { number, fields }| {
            let exchange = exchange(&fields).map_err(|reason| fault(path, number, reason))?;
            Ok(ExchangeRecord { line: number, exchange, fields })
        })
        .collect()
}

/// Reads prompts from JSON lines or a JSON array: objects with the text `prompt`, and possibly the texts `context`,
/// `category` and `id`, and `is_unsafe`, true or false. Other fields are ignored.
///
/// # Errors
/// A file that cannot be read, or a line (in an array, an entry) that is no such object, by number.
pub fn read_prompts(path: &Path) -> Result<Vec<SafetyPrompt>, JudgingError> {
    let entries = read_entries(path)?;
    entries
        .iter()
        .map(|Entry { number, fields }| prompt(*number, fields).map_err(|reason| fault(path, *number, reason)))
        .collect()
}

/// A JSON object of a file.
pub(crate) struct Entry {
    /// The line, or the position in an array; from 1 on.
    pub(crate) number: usize,
    /// Its fields, in the order of the file.
    pub(crate) fields: Map<String, Value>,
}

/// The objects of JSON lines or of a JSON array; a text in an array counts as an object with a `prompt`.
pub(crate) fn read_entries(path: &Path) -> Result<Vec<Entry>, JudgingError> {
    let text = fs::read_to_string(path).map_err(JudgingError::io(path))?;
    if !text.trim_start().starts_with('[') {
        let lines = bunch_journal::read_lines(path)?.into_iter();
        return Ok(lines.map(|line| Entry { number: line.number, fields: line.fields }).collect());
    }
    let entries: Vec<Value> = serde_json::from_str(&text)
        .map_err(|error| fault(path, error.line(), format!("expected a JSON array: {error}")))?;
    let object = |(index, entry)| match entry {
        Value::Object(fields) => Ok(Entry { number: index + 1, fields }),
        Value::String(text) => {
            Ok(Entry { number: index + 1, fields: Map::from_iter([("prompt".to_owned(), Value::String(text))]) })
        }
        other => Err(fault(path, index + 1, format!("expected an object in the array, got {other}"))),
    };
    entries.into_iter().enumerate().map(object).collect()
}

fn fault(path: &Path, line: usize, reason: String) -> JudgingError {
    JudgingError::Record { path: path.to_owned(), line, reason }
}

fn exchange(fields: &Map<String, Value>) -> Result<Exchange, String> {
    let is_generated = !fields.contains_key("response") && fields.contains_key("text");
    let (prompt, response) = (text(fields, "prompt")?, text(fields, if is_generated { "text" } else { "response" })?);
    Ok(Exchange { prompt, response, context: optional_text(fields, "context")? })
}

fn prompt(line: usize, fields: &Map<String, Value>) -> Result<SafetyPrompt, String> {
    let is_unsafe = match fields.get("is_unsafe") {
        None | Some(Value::Null) => None,
        Some(Value::Bool(is_unsafe)) => Some(*is_unsafe),
        Some(other) => return Err(format!("`is_unsafe`: expected true or false, got {other}")),
    };
    Ok(SafetyPrompt {
        line,
        prompt: text(fields, "prompt")?,
        id: optional_text(fields, "id")?,
        context: optional_text(fields, "context")?,
        category: optional_text(fields, "category")?,
        subset: None,
        is_unsafe,
    })
}

fn text(fields: &Map<String, Value>, name: &str) -> Result<String, String> {
    match fields.get(name) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(other) => Err(format!("`{name}`: expected a text, got {other}")),
        None => {
            let names: Vec<&str> = fields.keys().map(String::as_str).collect();
            let got = if names.is_empty() { "no field".to_owned() } else { names.join(", ") };
            Err(format!("expected a field `{name}`, got {got}"))
        }
    }
}

/// A text that may be missing, null or empty, which are the same.
fn optional_text(fields: &Map<String, Value>, name: &str) -> Result<Option<String>, String> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
        Some(other) => Err(format!("`{name}`: expected a text, got {other}")),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;
    use tempfile::TempDir;

    use super::{read_exchanges, read_prompts};

    fn file(text: &str) -> (TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("in.jsonl");
        fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn lines_keep_their_numbers_and_their_fields() {
        let (_folder, path) = file(
            "{\"prompt\": \"a\", \"response\": \"b\", \"n\": 1}\n\n{\"response\": \"\", \"context\": \"c\", \"prompt\": \"d\"}\n",
        );
        let records = read_exchanges(&path).unwrap();
        assert_eq!(records.len(), 2);
        assert_eq!((records[0].line, records[1].line), (1, 3));
        assert_eq!(records[0].fields["n"], json!(1));
        assert_eq!(records[1].exchange.request(), "c\n\n---\n\nd");
        assert_eq!(records[1].exchange.response, "");
        let (_folder, path) = file("{\"prompt\": \"a\", \"ids\": [1], \"text\": \"b\"}\n");
        assert_eq!(read_exchanges(&path).unwrap()[0].exchange.response, "b");
    }

    #[test]
    fn the_publishers_array_is_read_too() {
        let (_folder, path) =
            file("[\n {\"prompt\": \"a\", \"response\": \"b\"},\n {\"prompt\": \"c\", \"response\": \"d\"}\n]");
        let records = read_exchanges(&path).unwrap();
        assert_eq!((records[1].line, records[1].exchange.prompt.as_str()), (2, "c"));
    }

    #[test]
    fn wrong_lines_are_named_by_number() {
        let message = |text: &str| {
            let (_folder, path) = file(text);
            let message = read_exchanges(&path).unwrap_err().to_string();
            message.split_once("in.jsonl").unwrap().1.to_owned()
        };
        let good = "{\"prompt\": \"a\", \"response\": \"b\"}\n";
        assert_eq!(
            message(&format!("{good}{{\"prompt\": \"a\", \"answer\": \"b\"}}")),
            ", line 2: expected a field `response`, got prompt, answer"
        );
        assert_eq!(
            message(&format!("{good}{{\"prompt\": 3, \"response\": \"b\"}}")),
            ", line 2: `prompt`: expected a text, got 3"
        );
        assert_eq!(message(&format!("{good}{{}}")), ", line 2: expected a field `prompt`, got no field");
        assert!(message(&format!("{good}{{\"prompt\": ")).starts_with(", line 2: expected a JSON object"));
        assert!(message("[{\"prompt\":\n").starts_with(", line 2: expected a JSON array: "));
        assert_eq!(message("[3]"), ", line 1: expected an object in the array, got 3");
    }

    #[test]
    fn prompts_need_no_response() {
        let (_folder, path) =
            file("{\"prompt\": \"a\", \"category\": \"x\", \"is_unsafe\": false}\n{\"prompt\": \"b\"}\n");
        let prompts = read_prompts(&path).unwrap();
        assert_eq!((prompts[0].category.as_deref(), prompts[0].is_unsafe), (Some("x"), Some(false)));
        assert_eq!((prompts[1].line, prompts[1].is_unsafe), (2, None));
        let (_folder, path) = file("{\"prompt\": \"a\", \"is_unsafe\": \"no\"}");
        let message = read_prompts(&path).unwrap_err().to_string();
        assert!(message.ends_with("line 1: `is_unsafe`: expected true or false, got \"no\""), "{message}");
    }
}
