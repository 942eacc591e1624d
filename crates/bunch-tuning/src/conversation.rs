//! Training data as text: one conversation a line.

use std::path::{Path, PathBuf};

use bunch_lm::Message;
use serde_json::{Map, Value};

use crate::TuningError;

/// A conversation that ends with what is learned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// Its line in the file, from 1.
    pub line: usize,
    /// The turns; the last is the assistant's.
    pub messages: Vec<Message>,
}

/// The conversations of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationFile {
    /// Where they come from.
    pub path: PathBuf,
    /// In the order of the lines.
    pub conversations: Vec<Conversation>,
}

impl ConversationFile {
    /// Reads JSON lines: `{"prompt": .., "response": ..}`, with a `system` text if wanted, or `{"messages": [{"role": ..,
    /// "content": ..}, ..]}` with the assistant's turn at the end. Other fields, such as an `id`, are left alone; empty lines
    /// are skipped.
    ///
    /// # Errors
    /// A file that cannot be read or has no conversation; a line that is none, with the line and the field.
    pub fn read(path: &Path) -> Result<Self, TuningError> {
        let text = std::fs::read_to_string(path).map_err(|source| TuningError::Io { path: path.into(), source })?;
        Self::parse(path, &text)
    }

    /// [`read`](Self::read) for lines in memory, as if they stood in `path`.
    ///
    /// # Errors
    /// As `read`.
    pub fn parse(path: &Path, text: &str) -> Result<Self, TuningError> {
        let mut conversations = Vec::new();
        for (index, text) in text.lines().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
            let line = index + 1;
            let messages = messages(text).map_err(|what| TuningError::Line { path: path.into(), line, what })?;
            conversations.push(Conversation { line, messages });
        }
        if conversations.is_empty() {
            return Err(TuningError::Line { path: path.into(), line: 1, what: "the file has no conversation".into() });
        }
        Ok(Self { path: path.into(), conversations })
    }
}

fn messages(text: &str) -> Result<Vec<Message>, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| format!("is no JSON: {error}"))?;
    let Value::Object(fields) = value else { return Err("expected a JSON object".into()) };
    let messages = match fields.get("messages") {
        Some(messages) => {
            if let Some(name) = ["prompt", "response", "system"].iter().find(|name| fields.contains_key(**name)) {
                return Err(format!("has both `messages` and `{name}`, expected one form"));
            }
            turns(messages)?
        }
        None if fields.contains_key("prompt") || fields.contains_key("response") => {
            let system = fields.contains_key("system").then(|| field(&fields, "system")).transpose()?;
            let (prompt, response) = (field(&fields, "prompt")?, field(&fields, "response")?);
            system
                .map(Message::system)
                .into_iter()
                .chain([Message::user(prompt), Message::assistant(response)])
                .collect()
        }
        None => return Err("has neither `messages` nor `prompt` and `response`".into()),
    };
    if let Some(index) = messages.iter().position(|message| message.role == "assistant" && message.content.is_empty()) {
        let name =
            if fields.contains_key("messages") { format!("messages[{index}].content") } else { "response".into() };
        return Err(format!("`{name}` is empty, so that nothing but the end would be learned"));
    }
    Ok(messages)
}

fn field(fields: &Map<String, Value>, name: &str) -> Result<String, String> {
    match fields.get(name) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(other) => Err(format!("`{name}` is {}, expected a text", kind(other))),
        None => Err(format!("`{name}` is missing")),
    }
}

fn turns(value: &Value) -> Result<Vec<Message>, String> {
    let Value::Array(items) = value else { return Err(format!("`messages` is {}, expected a list", kind(value))) };
    let mut messages = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        // `Message` refuses fields it does not know: a template would render them.
        let message = serde_json::from_value(item.clone()).map_err(|error| format!("`messages[{index}]`: {error}"))?;
        messages.push(message);
    }
    match messages.last().map(|message: &Message| message.role.as_str()) {
        Some("assistant") => Ok(messages),
        Some(role) => {
            Err(format!("`messages` ends with the role `{role}`, expected `assistant`: nothing would be learned"))
        }
        None => Err("`messages` is empty".into()),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
