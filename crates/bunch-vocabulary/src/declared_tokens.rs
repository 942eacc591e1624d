//! The tokens that a tokenizer's configuration adds to those of tokenizer.json.
//!
//! Loading a tokenizer in `transformers` is more than reading tokenizer.json: a special token that only
//! tokenizer_config.json names gets an id of its own. The order here is that library's (5.x).

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::VocabularyError;
use crate::added_token::AddedToken;
use crate::tokenizer_json::add_at;
use crate::vocabulary::Vocabulary;

/// The file's name.
pub(crate) const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
/// The file's name.
pub(crate) const SPECIAL_TOKENS_MAP: &str = "special_tokens_map.json";
/// The file's name.
pub(crate) const ADDED_TOKENS: &str = "added_tokens.json";

/// The special tokens that every tokenizer may have, in the order in which they are added.
const NAMED: [&str; 7] = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];
/// Lists of further special tokens; the second is the older name of the first.
const LISTS: [&str; 2] = ["extra_special_tokens", "additional_special_tokens"];

/// What tokenizer_config.json, special_tokens_map.json and added_tokens.json say about tokens.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeclaredTokens {
    /// Tokens with an id, each with the file that says so.
    with_id: BTreeMap<u32, (AddedToken, &'static str)>,
    /// Named special tokens (`bos_token`, ...) in the order in which they are added.
    named: Vec<AddedToken>,
    /// Special tokens without a name.
    extra: Vec<AddedToken>,
}

impl DeclaredTokens {
    /// Reads the configuration among `files`; `padding` is the token of tokenizer.json's `padding` section.
    pub(crate) fn read(files: &BTreeMap<String, Vec<u8>>, padding: Option<String>) -> Result<Self, VocabularyError> {
        let mut config: Map<String, Value> = object(files, TOKENIZER_CONFIG)?;
        let mut with_id = BTreeMap::new();
        if let Some(decoder) = config.get("added_tokens_decoder") {
            let decoder: BTreeMap<u32, AddedToken> = field(TOKENIZER_CONFIG, "added_tokens_decoder", decoder)?;
            with_id.extend(decoder.into_iter().map(|(id, token)| (id, (token, TOKENIZER_CONFIG))));
        } else {
            // The layout before `added_tokens_decoder`: the map file overrides the configuration.
            config.extend(object(files, SPECIAL_TOKENS_MAP)?);
        }
        if let Some(padding) = padding {
            config.entry("pad_token").or_insert(Value::String(padding));
        }
        let (named, extra) = special_tokens(&config)?;
        if !config.contains_key("added_tokens_decoder") {
            for (content, id) in object(files, ADDED_TOKENS)? {
                let special = named.iter().chain(&extra).any(|token| token.content == content);
                let token = if special { AddedToken::special(&content) } else { AddedToken::plain(&content) };
                with_id.insert(field(ADDED_TOKENS, &content, &id)?, (token, ADDED_TOKENS));
            }
        }
        Ok(Self { with_id, named, extra })
    }

    /// Adds what is declared to tokenizer.json's vocabulary, and returns whether that changed it.
    ///
    /// # Errors
    /// Fails if a token's declared id is not the one that it gets.
    pub(crate) fn add_all(&self, vocabulary: &mut Vocabulary) -> Result<bool, VocabularyError> {
        let mut changed = false;
        let in_file: BTreeMap<u32, AddedToken> = vocabulary.added().map(|(id, token)| (id, token.clone())).collect();
        for (id, (token, file)) in &self.with_id {
            // added_tokens.json has no settings: those of tokenizer.json apply.
            if in_file.get(id) == Some(token) || (*file == ADDED_TOKENS && in_file.contains_key(id)) {
                continue;
            }
            let mut token = token.clone();
            if self.named.iter().any(|named| named.content == token.content) {
                token.special = true;
            }
            add_at(vocabulary, *id, token, file)?;
            changed = true;
        }
        Ok(self.add_special(vocabulary) || changed)
    }

    /// Adds the special tokens that are not among the added tokens yet (what reloading a saved tokenizer does), and
    /// returns whether there were any.
    pub(crate) fn add_special(&self, vocabulary: &mut Vocabulary) -> bool {
        let mut changed = false;
        for token in self.named.iter().chain(&self.extra) {
            if !vocabulary.is_added(&token.content) {
                changed |= vocabulary.add(token.clone()).is_some();
            }
        }
        changed
    }
}

/// The named and the other special tokens of a configuration.
fn special_tokens(config: &Map<String, Value>) -> Result<(Vec<AddedToken>, Vec<AddedToken>), VocabularyError> {
    let mut named = Vec::new();
    for name in NAMED {
        if let Some(value) = config.get(name).filter(|value| !value.is_null()) {
            named.push(special_token(name, value)?);
        }
    }
    // Tokens with a model's own name, such as `image_token`. Switches like `add_bos_token` are not strings.
    let own = |(name, value): &(&String, &Value)| {
        name.ends_with("_token") && !NAMED.contains(&name.as_str()) && value.is_string()
    };
    for (name, value) in config.iter().filter(own) {
        named.push(special_token(name, value)?);
    }
    let mut extra = Vec::new();
    let list = LISTS.into_iter().find_map(|name| {
        let value = config.get(name)?;
        let is_empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        (!is_empty).then_some((name, value))
    });
    match list {
        Some((name, Value::Array(tokens))) => {
            for token in tokens {
                extra.push(special_token(name, token)?);
            }
        }
        Some((_, Value::Object(tokens))) => {
            for (name, token) in tokens {
                named.push(special_token(name, token)?);
            }
        }
        Some((name, other)) => return Err(wrong(TOKENIZER_CONFIG, name, "a list or an object of tokens", other)),
        None => {}
    }
    Ok((named, extra))
}

fn special_token(name: &str, value: &Value) -> Result<AddedToken, VocabularyError> {
    match value {
        Value::String(content) => Ok(AddedToken::special(content)),
        Value::Object(_) => Ok(AddedToken { special: true, ..field(TOKENIZER_CONFIG, name, value)? }),
        other => Err(wrong(TOKENIZER_CONFIG, name, "a token: a string or an object with its settings", other)),
    }
}

/// Removes the special tokens in `dropped` from a configuration, so that readers do not give them new ids.
pub(crate) fn undeclare(config: &mut Map<String, Value>, dropped: &BTreeSet<&str>) {
    let is_dropped = |token: &Value| {
        let content = token.get("content").unwrap_or(token);
        content.as_str().is_some_and(|content| dropped.contains(content))
    };
    config.retain(|name, value| !(name.ends_with("_token") && is_dropped(value)));
    for name in LISTS {
        match config.get_mut(name) {
            Some(Value::Array(tokens)) => tokens.retain(|token| !is_dropped(token)),
            Some(Value::Object(tokens)) => tokens.retain(|_, token| !is_dropped(token)),
            _ => {}
        }
    }
}

/// The object in a file; empty if there is no such file.
pub(crate) fn object(
    files: &BTreeMap<String, Vec<u8>>,
    file: &'static str,
) -> Result<Map<String, Value>, VocabularyError> {
    match files.get(file) {
        Some(bytes) => serde_json::from_slice(bytes).map_err(|source| VocabularyError::Json { file, source }),
        None => Ok(Map::new()),
    }
}

fn field<T: DeserializeOwned>(file: &'static str, name: &str, value: &Value) -> Result<T, VocabularyError> {
    serde::Deserialize::deserialize(value).map_err(|source| VocabularyError::JsonField {
        file,
        field: name.to_owned(),
        source,
    })
}

fn wrong(file: &'static str, field: &str, expected: &'static str, got: &Value) -> VocabularyError {
    VocabularyError::Field { file, field: field.to_owned(), expected, got: got.to_string() }
}

#[cfg(test)]
mod tests;
