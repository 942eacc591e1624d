//! The Jinja text that turns a conversation into a prompt.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::VocabularyError;
use crate::declared_tokens::{TOKENIZER_CONFIG, object};

/// The file whose text wins over tokenizer_config.json's `chat_template`.
const TEMPLATE_FILE: &str = "chat_template.jinja";
/// The file from which processors (not tokenizers) once read the template.
const PROCESSOR_FILE: &str = "chat_template.json";
const KEY: &str = "chat_template";

/// The built-in templates by name. Alpaca's and Mistral's formats have no place for a system message: it stands before
/// the first instruction.
const BUILT_IN: [(&str, &str); 5] = [
    ("alpaca", include_str!("chat_template/alpaca.jinja")),
    ("chatml", include_str!("chat_template/chatml.jinja")),
    ("exaone", include_str!("chat_template/exaone.jinja")),
    ("llama3", include_str!("chat_template/llama3.jinja")),
    ("mistral", include_str!("chat_template/mistral.jinja")),
];

/// A recipe's `chat_template`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChatTemplate {
    /// `auto`: the one that most models have.
    Auto,
    /// A template's text, given as such or by the name of a built-in one.
    Text(String),
}

impl ChatTemplate {
    /// Reads a recipe's setting: `auto`, the name of a built-in template (alpaca, chatml, exaone, llama3, mistral), or
    /// Jinja text.
    ///
    /// # Errors
    /// Anything else. Text counts as Jinja if it has a `{` and at least 20 characters.
    pub fn new(setting: &str) -> Result<Self, VocabularyError> {
        if setting == "auto" {
            return Ok(Self::Auto);
        }
        if let Some((_, text)) = BUILT_IN.iter().find(|(name, _)| *name == setting) {
            return Ok(Self::Text((*text).to_owned()));
        }
        if setting.contains('{') && setting.chars().count() >= 20 {
            return Ok(Self::Text(setting.to_owned()));
        }
        let known = BUILT_IN.iter().map(|(name, _)| *name).collect();
        Err(VocabularyError::UnknownChatTemplate { got: setting.to_owned(), known })
    }

    /// The template's text, given each model's own in the recipe's order. Own templates are compared and returned
    /// without white space at their ends; of equally frequent ones, that of the earliest model wins. `None` if it is to
    /// be chosen from the models and none has any.
    pub fn text(&self, templates: &[Option<String>]) -> Option<String> {
        let Self::Auto = self else {
            let Self::Text(text) = self else { return None };
            return Some(text.clone());
        };
        let own: Vec<&str> =
            templates.iter().flatten().map(|text| text.trim()).filter(|text| !text.is_empty()).collect();
        let count = |text: &str| own.iter().filter(|other| **other == text).count();
        let most = own.iter().map(|text| count(text)).max()?;
        own.iter().find(|text| count(text) == most).map(|text| (*text).to_owned())
    }
}

/// The template that a recipe's setting and the models' own templates make: [`ChatTemplate::new`], then
/// [`ChatTemplate::text`].
///
/// # Errors
/// A setting that is neither `auto` nor a built-in name nor Jinja text.
pub fn choose_chat_template(setting: &str, templates: &[Option<String>]) -> Result<Option<String>, VocabularyError> {
    Ok(ChatTemplate::new(setting)?.text(templates))
}

/// Makes `template` the chat template of a model directory's tokenizer files: in tokenizer_config.json, which all
/// readers know, and in the files that would win over it, where they are there.
///
/// # Errors
/// tokenizer_config.json or chat_template.json is not a JSON object.
pub fn set_chat_template(files: &mut BTreeMap<String, Vec<u8>>, template: &str) -> Result<(), VocabularyError> {
    let mut changed = BTreeMap::new();
    for file in [TOKENIZER_CONFIG, PROCESSOR_FILE] {
        if file == TOKENIZER_CONFIG || files.contains_key(file) {
            let mut json = object(files, file)?;
            json.insert(KEY.to_owned(), Value::String(template.to_owned()));
            let bytes = serde_json::to_vec_pretty(&json).map_err(|source| VocabularyError::Json { file, source })?;
            changed.insert(file.to_owned(), bytes);
        }
    }
    if files.contains_key(TEMPLATE_FILE) {
        changed.insert(TEMPLATE_FILE.to_owned(), template.as_bytes().to_vec());
    }
    files.extend(changed);
    Ok(())
}

/// The chat template that `transformers` finds in these tokenizer files: chat_template.jinja, else the one in
/// tokenizer_config.json, where of several the one named `default` counts.
pub fn chat_template_of(files: &BTreeMap<String, Vec<u8>>) -> Option<String> {
    if let Some(bytes) = files.get(TEMPLATE_FILE) {
        return String::from_utf8(bytes.clone()).ok();
    }
    match object(files, TOKENIZER_CONFIG).ok()?.get(KEY)? {
        Value::String(text) => Some(text.clone()),
        Value::Array(named) => {
            let default = named.iter().find(|entry| entry.get("name").and_then(Value::as_str) == Some("default"))?;
            default.get("template").and_then(Value::as_str).map(str::to_owned)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
