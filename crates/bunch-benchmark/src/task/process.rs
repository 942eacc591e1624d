//! Changes of documents that lm-evaluation-harness makes in code, by name.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Doc;
use crate::python::{self, Pattern};

/// A change of every document of a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessDocs {
    /// HellaSwag: `query` from `activity_label`, `ctx_a` and `ctx_b`; `choices` from `endings`; WikiHow's artefacts removed.
    Hellaswag,
}

impl ProcessDocs {
    /// Changes one document.
    ///
    /// # Errors
    /// A document without the columns that are needed, in words.
    pub(crate) fn apply(self, doc: &mut Doc) -> Result<(), String> {
        match self {
            Self::Hellaswag => hellaswag(doc),
        }
    }
}

fn hellaswag(doc: &mut Doc) -> Result<(), String> {
    let text = |name: &str| {
        doc.get(name).and_then(Value::as_str).ok_or_else(|| format!("process_docs: no text in column {name:?}"))
    };
    let brackets = Pattern::new(r"\[.*?\]")?;
    let context = format!("{}: {} {}", text("activity_label")?, text("ctx_a")?, python::capitalize(text("ctx_b")?));
    let query = clean(&context, &brackets)?;
    let endings = doc.get("endings").and_then(Value::as_array).ok_or("process_docs: no list in column \"endings\"")?;
    let choice = |ending: &Value| {
        let ending = ending.as_str().ok_or("process_docs: an ending that is no text")?;
        clean(ending, &brackets).map(Value::String)
    };
    let choices = endings.iter().map(choice).collect::<Result<_, String>>()?;
    doc.insert("query".to_string(), Value::String(query));
    doc.insert("choices".to_string(), Value::Array(choices));
    Ok(())
}

/// Removes what WikiHow's pages leave in the text: titles, bracketed notes and double spaces.
fn clean(text: &str, brackets: &Pattern) -> Result<String, String> {
    let titled = python::strip(text).replace(" [title]", ". ");
    Ok(brackets.remove(&titled)?.replace("  ", " "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::ProcessDocs;

    #[test]
    fn hellaswag_is_cleaned() {
        let doc = json!({"activity_label": " Baking", "ctx_a": "A [substeps] cook.", "ctx_b": "the Cook", "label": "1",
            "endings": ["stirs [title] twice.  ", "[a] b   c"]});
        let mut doc = doc.as_object().expect("fields").clone();
        ProcessDocs::Hellaswag.apply(&mut doc).expect("processed");
        assert_eq!(doc["query"], "Baking: A cook. The cook");
        assert_eq!(doc["choices"], json!(["stirs. twice.", " b  c"]));
        let mut wrong = json!({"activity_label": "a"}).as_object().expect("fields").clone();
        assert_eq!(ProcessDocs::Hellaswag.apply(&mut wrong).unwrap_err(), "process_docs: no text in column \"ctx_a\"");
    }
}
