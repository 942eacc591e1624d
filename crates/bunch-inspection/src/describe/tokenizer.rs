//! What the tokenizer's files of a model directory say.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use bunch_vocabulary::{Tokenizer, chat_template_of};

use super::problem::Problem;

/// The tokenizer's files that are JSON or a template; others (SentencePiece) are not looked into.
const FILES: [&str; 5] =
    [TOKENIZER_JSON, "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja"];

/// The file with the tokens.
const TOKENIZER_JSON: &str = "tokenizer.json";

/// What the tokenizer's files say.
#[derive(Debug)]
pub(crate) struct TokenizerSummary {
    /// Number of tokens, and the one with the highest id; None without tokenizer.json.
    pub(crate) tokens: Option<(u64, (u32, String))>,
    /// Whether there is a chat template.
    pub(crate) has_chat_template: bool,
}

impl TokenizerSummary {
    /// Reads the files in `dir`; what is wrong with them is added to `problems`.
    pub(crate) fn read(dir: &Path, problems: &mut Vec<Problem>) -> Self {
        let mut files = BTreeMap::new();
        for name in FILES {
            match std::fs::read(dir.join(name)) {
                Ok(bytes) => _ = files.insert(name.to_owned(), bytes),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(source) => problems.push(Problem::Read { file: name.to_owned(), source }),
            }
        }
        let has_chat_template = chat_template_of(&files).is_some();
        if !files.contains_key(TOKENIZER_JSON) {
            return Self { tokens: None, has_chat_template };
        }
        let tokenizer = Tokenizer::new(files).map_err(|error| problems.push(error.into())).ok();
        let tokens = tokenizer.and_then(|tokenizer| {
            let (highest, token) = tokenizer.tokens().pop()?;
            Some((tokenizer.len() as u64, (highest, token.to_owned())))
        });
        Self { tokens, has_chat_template }
    }
}
