//! The special tokens that a model directory names.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};
use tokenizers::AddedToken;

use crate::LmError;
use crate::json_file::ModelFolder;

/// The names that transformers gives to special tokens, in its order (`SPECIAL_TOKENS_ATTRIBUTES`).
const NAMES: [&str; 7] = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/// What a tokenizer class of transformers assumes where `tokenizer_config.json` does not say: class, then name and token.
const CLASS_DEFAULTS: [(&str, &[(&str, &str)]); 5] = [
    ("LlamaTokenizer", &[("bos_token", "<s>"), ("eos_token", "</s>"), ("unk_token", "<unk>")]),
    ("CodeLlamaTokenizer", &[("bos_token", "<s>"), ("eos_token", "</s>"), ("unk_token", "<unk>")]),
    (
        "GemmaTokenizer",
        &[("bos_token", "<bos>"), ("eos_token", "<eos>"), ("unk_token", "<unk>"), ("pad_token", "<pad>")],
    ),
    (
        "GPT2Tokenizer",
        &[("bos_token", "<|endoftext|>"), ("eos_token", "<|endoftext|>"), ("unk_token", "<|endoftext|>")],
    ),
    (
        "Qwen2Tokenizer",
        &[("eos_token", "<|endoftext|>"), ("unk_token", "<|endoftext|>"), ("pad_token", "<|endoftext|>")],
    ),
];

/// The special tokens of a model directory.
#[derive(Debug, Clone, Default)]
pub(crate) struct SpecialTokens {
    /// The texts of the named ones: `bos_token`, `eos_token`, ..
    pub(crate) named: BTreeMap<String, String>,
    /// `added_tokens_decoder` of `tokenizer_config.json` by id, which overrides what `tokenizer.json` says of a token.
    pub(crate) declared: Vec<AddedToken>,
    /// The other tokens that are to be recognised whole, unless they are added tokens already.
    pub(crate) wanted: Vec<AddedToken>,
}

impl SpecialTokens {
    /// Reads `tokenizer_config.json`, as given, and `special_tokens_map.json`, which counts where the former has no
    /// `added_tokens_decoder` and then overrides it.
    pub(crate) fn read(files: ModelFolder<'_>, config: Option<&Map<String, Value>>) -> Result<Self, LmError> {
        let empty = Map::new();
        let config = config.unwrap_or(&empty);
        let map_name = "special_tokens_map.json";
        let map = if config.contains_key("added_tokens_decoder") { None } else { files.object(map_name)? };
        let folder = files.folder();
        Self::new(&folder.join("tokenizer_config.json"), config, &folder.join(map_name), &map.unwrap_or_default())
    }

    /// The tokens that `config` names, the contents of `config_path`, and those of `map`, which has precedence.
    pub(crate) fn new(
        config_path: &Path,
        config: &Map<String, Value>,
        map_path: &Path,
        map: &Map<String, Value>,
    ) -> Result<Self, LmError> {
        let mut tokens = Self::default();
        if let Some(Value::Object(decoder)) = config.get("added_tokens_decoder") {
            let mut by_id = BTreeMap::new();
            for (id, token) in decoder {
                let file_error = |what: String| LmError::File { path: config_path.to_owned(), what };
                let number: u32 =
                    id.parse().map_err(|_| file_error(format!("added_tokens_decoder: {id:?} is no token id")))?;
                let token = added_token(token, false)
                    .ok_or_else(|| file_error(format!("added_tokens_decoder, {id}: not a token, got {token}")))?;
                by_id.insert(number, token);
            }
            tokens.declared.extend(by_id.into_values());
        }
        for name in NAMES {
            let (path, value) = match (map.get(name), config.get(name)) {
                (Some(value), _) => (map_path, value),
                (None, Some(value)) => (config_path, value),
                (None, None) => continue,
            };
            if !value.is_null() {
                let token = added_token(value, true).ok_or_else(|| LmError::File {
                    path: path.to_owned(),
                    what: format!("{name}: expected a token's text or an object with its `content`, got {value}"),
                })?;
                tokens.name(name, token);
            }
        }
        let class = config.get("tokenizer_class").and_then(Value::as_str).unwrap_or_default();
        let class = class.strip_suffix("Fast").unwrap_or(class);
        let defaults = CLASS_DEFAULTS.iter().find(|(name, _)| *name == class).map_or(&[][..], |(_, defaults)| defaults);
        for (name, text) in defaults {
            if !map.contains_key(*name) && !config.contains_key(*name) {
                tokens.name(name, AddedToken::from(*text, true));
            }
        }
        let mut extra = ["extra_special_tokens", "additional_special_tokens"].into_iter();
        let extra = extra.find_map(|key| map.get(key).or_else(|| config.get(key)).and_then(Value::as_array));
        for token in extra.into_iter().flatten().filter_map(|token| added_token(token, true)) {
            tokens.want(token);
        }
        Ok(tokens)
    }

    fn name(&mut self, name: &str, token: AddedToken) {
        self.named.insert(name.to_owned(), token.content.clone());
        self.want(token);
    }

    fn want(&mut self, token: AddedToken) {
        if !self.declared.iter().chain(&self.wanted).any(|known| known.content == token.content) {
            self.wanted.push(token);
        }
    }
}

/// A token as a text or as an `AddedToken` object. `special` decides for a text and overrules an object.
fn added_token(value: &Value, special: bool) -> Option<AddedToken> {
    if let Value::String(text) = value {
        return Some(AddedToken::from(text.clone(), true));
    }
    let content = value.get("content")?.as_str()?;
    let flag = |key: &str| value.get(key).and_then(Value::as_bool);
    let special = special || flag("special").unwrap_or(false);
    let token = AddedToken::from(content, special)
        .single_word(flag("single_word").unwrap_or(false))
        .lstrip(flag("lstrip").unwrap_or(false))
        .rstrip(flag("rstrip").unwrap_or(false));
    Some(token.normalized(flag("normalized").unwrap_or(!special)))
}
