//! The fields of a document as a task's templates read them: question, answer and choices.

use serde_json::Value;

use super::definition::{Choices, Task};
use crate::Doc;
use crate::python;
use crate::template::Templates;

/// What `doc_to_text` gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Question {
    /// The question.
    Text(String),
    /// The index of the right one of several contexts.
    Index(i64),
}

impl Task {
    /// The question.
    ///
    /// # Errors
    /// A template that fails, or a column that holds neither text nor a number; in words.
    pub(crate) fn question(&self, doc: &Doc, templates: &Templates) -> Result<Question, String> {
        let wrong = |what: String| format!("doc_to_text: {what}");
        if let Some(value) = doc.get(&self.doc_to_text) {
            return match (value, value.as_i64()) {
                (Value::String(text), _) => Ok(Question::Text(text.clone())),
                (_, Some(index)) => Ok(Question::Index(index)),
                _ => Err(wrong(format!("column {:?} holds no text: {value}", self.doc_to_text))),
            };
        }
        let text = templates.render(&self.doc_to_text, doc).map_err(wrong)?;
        Ok(match python::digits(&text).filter(|_| self.doc_to_choice.is_some()) {
            Some(index) => Question::Index(index),
            None => Question::Text(text),
        })
    }

    /// The answer: a text, the index of a choice, or a list of either.
    ///
    /// # Errors
    /// A template that fails, in words.
    pub(crate) fn target(&self, doc: &Doc, templates: &Templates) -> Result<Value, String> {
        if let Some(value) = doc.get(&self.doc_to_target) {
            return Ok(value.clone());
        }
        let text = templates.render(&self.doc_to_target, doc).map_err(|what| format!("doc_to_target: {what}"))?;
        if let Some(index) = python::digits(&text).filter(|_| self.doc_to_choice.is_some()) {
            return Ok(index.into());
        }
        let is_list = text.len() >= 2 && text.starts_with('[') && text.ends_with(']');
        Ok(is_list.then(|| python::parse_literal(&text)).flatten().unwrap_or(Value::String(text)))
    }

    /// The choices; none where the task has none.
    ///
    /// # Errors
    /// A template that fails, or gives no list of texts; in words.
    pub(crate) fn choices(&self, doc: &Doc, templates: &Templates) -> Result<Option<Vec<String>>, String> {
        let value = match &self.doc_to_choice {
            None => return Ok(None),
            Some(Choices::List(choices)) => return Ok(Some(choices.clone())),
            Some(Choices::Template(template)) => match doc.get(template) {
                Some(value) => value.clone(),
                None => templates.literal(template, doc).map_err(|what| format!("doc_to_choice: {what}"))?,
            },
        };
        let texts = value.as_array().and_then(|items| {
            items.iter().map(|item| item.as_str().map(str::to_string)).collect::<Option<Vec<String>>>()
        });
        let texts = texts.filter(|texts| !texts.is_empty());
        texts.map(Some).ok_or_else(|| format!("doc_to_choice: expected a list of texts, got {value}"))
    }
}
