//! A token that is matched in the text before the tokenizer's model sees it.

use serde::Deserialize;
use serde_json::{Value, json};

/// An added token with the settings that tokenizer.json keeps for it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "StoredToken")]
pub(crate) struct AddedToken {
    pub(crate) content: String,
    pub(crate) single_word: bool,
    pub(crate) lstrip: bool,
    pub(crate) rstrip: bool,
    pub(crate) normalized: bool,
    pub(crate) special: bool,
}

/// As files hold it: what is left out has a default, which for `normalized` depends on `special`.
#[derive(Deserialize)]
struct StoredToken {
    content: String,
    #[serde(default)]
    single_word: bool,
    #[serde(default)]
    lstrip: bool,
    #[serde(default)]
    rstrip: bool,
    normalized: Option<bool>,
    #[serde(default)]
    special: bool,
}

impl From<StoredToken> for AddedToken {
    fn from(stored: StoredToken) -> Self {
        let StoredToken { content, single_word, lstrip, rstrip, normalized, special } = stored;
        Self { content, single_word, lstrip, rstrip, normalized: normalized.unwrap_or(!special), special }
    }
}

impl AddedToken {
    /// A token with the settings that a bare string gets.
    pub(crate) fn plain(content: &str) -> Self {
        Self {
            content: content.to_owned(),
            single_word: false,
            lstrip: false,
            rstrip: false,
            normalized: true,
            special: false,
        }
    }

    /// A special token (left out when decoding without special tokens), otherwise with a bare string's settings.
    pub(crate) fn special(content: &str) -> Self {
        Self { normalized: false, special: true, ..Self::plain(content) }
    }

    /// Its entry in tokenizer_config.json's `added_tokens_decoder`.
    pub(crate) fn settings(&self) -> Value {
        json!({
            "content": self.content,
            "lstrip": self.lstrip,
            "normalized": self.normalized,
            "rstrip": self.rstrip,
            "single_word": self.single_word,
            "special": self.special,
        })
    }

    /// Its entry in tokenizer.json's `added_tokens`.
    pub(crate) fn entry(&self, id: u32) -> Value {
        json!({
            "id": id,
            "content": self.content,
            "single_word": self.single_word,
            "lstrip": self.lstrip,
            "rstrip": self.rstrip,
            "normalized": self.normalized,
            "special": self.special,
        })
    }
}
