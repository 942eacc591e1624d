//! A model's own tokenizer, read from its tokenizer.json.

use std::path::Path;

use crate::{LmError, TokenId};

/// Turns text into token ids and back, as `tokenizer.json` of a Hugging Face model directory says.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
}

impl Tokenizer {
    /// Reads `tokenizer.json`.
    ///
    /// # Errors
    /// A file that cannot be read or is no tokenizer; the message names it.
    pub fn load(path: &Path) -> Result<Self, LmError> {
        let inner = tokenizers::Tokenizer::from_file(path);
        inner.map(|inner| Self { inner }).map_err(|error| LmError::Text(format!("{}: {error}", path.display())))
    }

    /// The ids of `text`, without tokens that the text does not spell out.
    ///
    /// # Errors
    /// Text that the vocabulary cannot express.
    pub fn encode(&self, text: &str) -> Result<Vec<TokenId>, LmError> {
        let encoding = self.inner.encode(text, false);
        encoding
            .map(|encoding| encoding.get_ids().to_vec())
            .map_err(|error| LmError::Text(format!("{text:?}: {error}")))
    }

    /// The text of `ids`, special tokens included.
    ///
    /// # Errors
    /// An id outside the vocabulary.
    pub fn decode(&self, ids: &[TokenId]) -> Result<String, LmError> {
        self.inner.decode(ids, false).map_err(|error| LmError::Text(format!("{ids:?}: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::Tokenizer;

    #[test]
    fn words_become_ids_and_unknown_ones_errors() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("tokenizer.json");
        let json = r#"{"version": "1.0", "added_tokens": [], "pre_tokenizer": {"type": "WhitespaceSplit"},
            "model": {"type": "WordLevel", "vocab": {"sure": 0, "sorry": 1}, "unk_token": "<unk>"}}"#;
        std::fs::write(&path, json).expect("written");
        let tokenizer = Tokenizer::load(&path).expect("a tokenizer");
        assert_eq!(tokenizer.encode("sorry sure").expect("known words"), [1, 0]);
        assert_eq!(tokenizer.decode(&[1, 0]).expect("known ids"), "sorry sure");
        assert!(tokenizer.encode("maybe").unwrap_err().to_string().starts_with("\"maybe\": "));
        let missing = Tokenizer::load(&folder.path().join("none.json")).unwrap_err().to_string();
        assert!(missing.contains("none.json"), "{missing}");
    }
}
