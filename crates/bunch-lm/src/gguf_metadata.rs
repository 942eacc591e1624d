//! Metadata of a GGUF file, asked for by key and type.

use serde_json::{Map, Value};

use crate::{LmError, TokenId};

/// The key-value pairs of a GGUF file. A key that is missing is none, a value of another type an error.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GgufMetadata<'a>(pub(crate) &'a Map<String, Value>);

impl<'a> GgufMetadata<'a> {
    pub(crate) fn find_text(self, key: &str) -> Result<Option<&'a str>, LmError> {
        self.find(key, "a text", Value::as_str)
    }

    pub(crate) fn find_flag(self, key: &str) -> Result<Option<bool>, LmError> {
        self.find(key, "true or false", Value::as_bool)
    }

    pub(crate) fn find_unsigned(self, key: &str) -> Result<Option<u64>, LmError> {
        self.find(key, "a number >= 0", Value::as_u64)
    }

    /// The id of one of `count` tokens.
    pub(crate) fn find_token(self, key: &str, count: usize) -> Result<Option<TokenId>, LmError> {
        let Some(id) = self.find_unsigned(key)? else { return Ok(None) };
        let known = TokenId::try_from(id).ok().filter(|id| (*id as usize) < count);
        known.map(Some).ok_or_else(|| wrong(key, format!("expected the id of one of {count} tokens, got {id}")))
    }

    pub(crate) fn find_texts(self, key: &str) -> Result<Option<Vec<&'a str>>, LmError> {
        self.find_list(key, "texts", Value::as_str)
    }

    pub(crate) fn find_integers(self, key: &str) -> Result<Option<Vec<i64>>, LmError> {
        self.find_list(key, "integers", Value::as_i64)
    }

    /// Numbers that are finite.
    pub(crate) fn find_numbers(self, key: &str) -> Result<Option<Vec<f64>>, LmError> {
        self.find_list(key, "finite numbers", Value::as_f64)
    }

    fn find<T>(
        self,
        key: &str,
        expected: &str,
        convert: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, LmError> {
        let Some(value) = self.0.get(key) else { return Ok(None) };
        convert(value).map(Some).ok_or_else(|| wrong(key, format!("expected {expected}, got {}", kind(value))))
    }

    fn find_list<T>(
        self,
        key: &str,
        expected: &str,
        convert: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<Vec<T>>, LmError> {
        let Some(items) = self.find(key, &format!("a list of {expected}"), Value::as_array)? else { return Ok(None) };
        let convert = |(index, item)| {
            convert(item).ok_or_else(|| wrong(key, format!("element {index}: expected {expected}, got {}", kind(item))))
        };
        items.iter().enumerate().map(convert).collect::<Result<_, _>>().map(Some)
    }
}

/// What is wrong with the value of `key`.
pub(crate) fn wrong(key: &str, what: impl Into<String>) -> LmError {
    LmError::Gguf { key: key.to_owned(), what: what.into() }
}

/// A value as a message shows it; a list may have thousands of elements.
fn kind(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(_) => "an object".to_owned(),
        Value::Null => "no finite number".to_owned(),
        value => value.to_string(),
    }
}
