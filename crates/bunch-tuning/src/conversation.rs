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
    /// "content": ..}, ..]}` with the assistant's turn at the end, or TRL's `{"prompt": .., "completion": ..}`, both texts
    /// or both lists of turns, or `{"question": .., "answer": ..}` as `bunch synthesize` writes. Other fields, such as an `id`, are left alone; empty lines
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
    let fields = completed(asked(object(text)?))?;
    let messages = match fields.get("messages") {
        Some(messages) => {
            if let Some(name) = ["prompt", "response", "system"].iter().find(|name| fields.contains_key(**name)) {
                return Err(format!("has both `messages` and `{name}`, expected one form"));
            }
            turns("messages", messages)?
        }
        None if fields.contains_key("prompt") || fields.contains_key("response") => {
            let (system, prompt, response) = (system(&fields)?, field(&fields, "prompt")?, field(&fields, "response")?);
            system.into_iter().chain([Message::user(prompt), Message::assistant(response)]).collect()
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

/// The fields as a prompt and a response, where they are a question and an answer and nothing else that is learned.
fn asked(mut fields: Map<String, Value>) -> Map<String, Value> {
    let is_asked = ["question", "answer"].iter().all(|name| fields.contains_key(*name));
    if is_asked && !["messages", "prompt", "response", "completion"].iter().any(|name| fields.contains_key(*name)) {
        for (from, to) in [("question", "prompt"), ("answer", "response")] {
            let value = fields.shift_remove(from).unwrap_or_default();
            fields.insert(to.into(), value);
        }
    }
    fields
}

/// The fields in the words of this project, where they are in TRL's: `completion` is what is called `response` here, and
/// both may be lists of turns, which are one conversation.
fn completed(mut fields: Map<String, Value>) -> Result<Map<String, Value>, String> {
    let Some(completion) = fields.shift_remove("completion") else { return Ok(fields) };
    if let Some(name) = ["response", "messages"].iter().find(|name| fields.contains_key(**name)) {
        return Err(format!("has both `completion` and `{name}`, expected one form"));
    }
    match (fields.get("prompt"), completion) {
        (Some(Value::Array(prompt)), Value::Array(completion)) => {
            let turns = prompt.iter().cloned().chain(completion).collect();
            fields.shift_remove("prompt");
            fields.insert("messages".into(), Value::Array(turns));
        }
        (_, completion) => _ = fields.insert("response".into(), completion),
    }
    Ok(fields)
}

/// The fields of a line.
pub(crate) fn object(line: &str) -> Result<Map<String, Value>, String> {
    let value: Value = serde_json::from_str(line).map_err(|error| format!("is no JSON: {error}"))?;
    let Value::Object(fields) = value else { return Err("expected a JSON object".into()) };
    Ok(fields)
}

/// The turn that the field `system` is, where there is one.
pub(crate) fn system(fields: &Map<String, Value>) -> Result<Option<Message>, String> {
    Ok(fields.contains_key("system").then(|| field(fields, "system")).transpose()?.map(Message::system))
}

/// The text of the field `name`.
pub(crate) fn field(fields: &Map<String, Value>, name: &str) -> Result<String, String> {
    match fields.get(name) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(other) => Err(format!("`{name}` is {}, expected a text", kind(other))),
        None => Err(format!("`{name}` is missing")),
    }
}

/// The turns of the list in the field `name`, of which the last is the assistant's.
pub(crate) fn turns(name: &str, value: &Value) -> Result<Vec<Message>, String> {
    let messages = some_turns(name, value)?;
    match messages.last().map(|message: &Message| message.role.as_str()) {
        Some("assistant") => Ok(messages),
        Some(role) => {
            Err(format!("`{name}` ends with the role `{role}`, expected `assistant`: nothing would be learned"))
        }
        None => Err(format!("`{name}` is empty")),
    }
}

/// The turns of the list in the field `name`.
pub(crate) fn some_turns(name: &str, value: &Value) -> Result<Vec<Message>, String> {
    let Value::Array(items) = value else { return Err(format!("`{name}` is {}, expected a list", kind(value))) };
    let mut messages = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        // `Message` refuses fields it does not know: a template would render them.
        let message = serde_json::from_value(item.clone()).map_err(|error| format!("`{name}[{index}]`: {error}"))?;
        messages.push(message);
    }
    Ok(messages)
}

/// What a value is, in words.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
