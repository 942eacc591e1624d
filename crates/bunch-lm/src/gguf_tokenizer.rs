//! The tokenizer in a GGUF file, as the files of a Hugging Face model directory.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::gguf_metadata::{GgufMetadata, wrong};
use crate::sentencepiece_merges::merges;
use crate::split_pattern::{KNOWN, SplitPattern};
use crate::{LmError, TokenId};

const TOKENS: &str = "tokenizer.ggml.tokens";
const KINDS: &str = "tokenizer.ggml.token_type";
const SCORES: &str = "tokenizer.ggml.scores";
const MERGES: &str = "tokenizer.ggml.merges";
const MODEL: &str = "tokenizer.ggml.model";
const PATTERN: &str = "tokenizer.ggml.pre";
const ADD_SPACE: &str = "tokenizer.ggml.add_space_prefix";

/// llama.cpp's numbers for kinds of tokens, as far as they matter: `unknown`, `control` and `user defined`.
const UNKNOWN: i64 = 2;
const CONTROL: i64 = 3;
const USER_DEFINED: i64 = 4;

/// transformers' names of special tokens, the metadata that hold their ids, and the ids that llama.cpp assumes for a
/// sentencepiece vocabulary that does not say.
const NAMED: [(&str, &[&str], Option<TokenId>); 7] = [
    ("bos_token", &["tokenizer.ggml.bos_token_id"], Some(1)),
    ("eos_token", &["tokenizer.ggml.eos_token_id"], Some(2)),
    ("unk_token", &["tokenizer.ggml.unknown_token_id"], Some(0)),
    // llama.cpp misspelt its key for years.
    ("sep_token", &["tokenizer.ggml.separator_token_id", "tokenizer.ggml.seperator_token_id"], None),
    ("pad_token", &["tokenizer.ggml.padding_token_id"], None),
    ("cls_token", &["tokenizer.ggml.cls_token_id"], None),
    ("mask_token", &["tokenizer.ggml.mask_token_id"], None),
];

/// Metadata of further tokens that end an answer: end of turn, end of message.
const ENDS: [&str; 2] = ["tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"];

/// The tokenizer in a GGUF file, as the files of a Hugging Face model directory.
///
/// Byte-level vocabularies (`gpt2`) are cut as `tokenizer.ggml.pre` says, where a file without it has GPT-2's way.
/// Sentencepiece vocabularies (`llama`) become what `tokenizer.json` of Llama 2 and Mistral 7B is: a space before each
/// stretch of text between special tokens, bytes for what is not in the vocabulary, and where the file has no merges those
/// that its scores imply. Each token has the id that it has in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct GgufTokenizer {
    pub(crate) tokenizer: Value,
    pub(crate) tokenizer_config: Map<String, Value>,
    pub(crate) generation_config: Map<String, Value>,
}

impl GgufTokenizer {
    /// Makes the tokenizer of a file from all its metadata, which are JSON by their keys and in the types that they have
    /// in the file.
    ///
    /// # Errors
    /// A kind of tokenizer or a way to cut text that is not known, metadata that are missing, of another type or contradict
    /// each other; the message names the key.
    pub fn from_metadata(metadata: &Map<String, Value>) -> Result<Self, LmError> {
        let vocabulary = Vocabulary::read(GgufMetadata(metadata))?;
        Ok(Self {
            tokenizer: vocabulary.tokenizer()?,
            tokenizer_config: vocabulary.tokenizer_config()?,
            generation_config: vocabulary.generation_config()?,
        })
    }

    /// Names and contents of the files: `tokenizer.json`, `tokenizer_config.json` with the chat template, and
    /// `generation_config.json` with the tokens that end an answer.
    pub fn files(&self) -> BTreeMap<&'static str, String> {
        let config = |config: &Map<String, Value>| format!("{:#}\n", Value::Object(config.clone()));
        BTreeMap::from([
            ("generation_config.json", config(&self.generation_config)),
            ("tokenizer.json", self.tokenizer.to_string()),
            ("tokenizer_config.json", config(&self.tokenizer_config)),
        ])
    }
}

/// How a vocabulary reads text.
enum Algorithm {
    /// Merges of bytes.
    ByteLevel(SplitPattern),
    /// Merges of characters, and bytes for those that are no tokens.
    Sentencepiece,
}

/// What the metadata say about tokens.
struct Vocabulary<'a> {
    metadata: GgufMetadata<'a>,
    algorithm: Algorithm,
    tokens: Vec<&'a str>,
    /// Empty where the file does not say.
    kinds: Vec<i64>,
    /// Ids by transformers' names.
    named: BTreeMap<&'static str, TokenId>,
}

impl<'a> Vocabulary<'a> {
    fn read(metadata: GgufMetadata<'a>) -> Result<Self, LmError> {
        let algorithm = match metadata.find_text(MODEL)? {
            Some("gpt2") => {
                let name = metadata.find_text(PATTERN)?.unwrap_or("default");
                let unknown = || wrong(PATTERN, format!("{name:?} is not known; known are {KNOWN}"));
                Algorithm::ByteLevel(SplitPattern::named(name).ok_or_else(unknown)?)
            }
            Some("llama") => Algorithm::Sentencepiece,
            Some(got) => return Err(wrong(MODEL, format!("expected \"gpt2\" or \"llama\", got {got:?}"))),
            None => return Err(wrong(MODEL, "is missing: the file has no tokenizer")),
        };
        let tokens = metadata.find_texts(TOKENS)?.ok_or_else(|| wrong(TOKENS, "is missing"))?;
        let mut ids = BTreeMap::new();
        for (id, token) in tokens.iter().enumerate() {
            if let Some(first) = ids.insert(*token, id) {
                return Err(wrong(TOKENS, format!("{token:?} is there twice, as token {first} and as token {id}")));
            }
        }
        let kinds = metadata.find_integers(KINDS)?.unwrap_or_default();
        if !kinds.is_empty() && kinds.len() != tokens.len() {
            return Err(wrong(KINDS, format!("expected {}, one for each token, got {}", tokens.len(), kinds.len())));
        }
        let mut named = BTreeMap::new();
        for (name, keys, assumed) in NAMED {
            let mut id = None;
            for key in keys {
                id = id.or(metadata.find_token(key, tokens.len())?);
            }
            let is_sentencepiece = matches!(algorithm, Algorithm::Sentencepiece);
            let assumed = assumed.filter(|id| is_sentencepiece && (*id as usize) < tokens.len());
            named.extend(id.or(assumed).map(|id| (name, id)));
        }
        Ok(Self { metadata, algorithm, tokens, kinds, named })
    }

    fn text(&self, id: TokenId) -> &'a str {
        self.tokens.get(id as usize).copied().unwrap_or_default()
    }

    /// What is known as `name`: id and text.
    fn named(&self, name: &str) -> Option<(TokenId, &'a str)> {
        self.named.get(name).map(|id| (*id, self.text(*id)))
    }

    /// `tokenizer.json`.
    fn tokenizer(&self) -> Result<Value, LmError> {
        let vocab: Map<String, Value> =
            self.tokens.iter().enumerate().map(|(id, token)| ((*token).to_owned(), id.into())).collect();
        let merges = self.merges()?;
        let add_space = self.metadata.find_flag(ADD_SPACE)?;
        let (model, normalizer, pre_tokenizer, decoder) = match self.algorithm {
            Algorithm::ByteLevel(pattern) => (
                json!({
                    "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
                    "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
                    "ignore_merges": pattern.ignores_merges(), "vocab": vocab, "merges": merges
                }),
                pattern.normalizer(),
                pattern.pre_tokenizer(add_space.unwrap_or(false)),
                json!({ "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true }),
            ),
            Algorithm::Sentencepiece => {
                let mut normalizers = vec![json!({ "type": "Replace", "pattern": { "String": " " }, "content": "▁" })];
                let mut decoders = vec![
                    json!({ "type": "Replace", "pattern": { "String": "▁" }, "content": " " }),
                    json!({ "type": "ByteFallback" }),
                    json!({ "type": "Fuse" }),
                ];
                if add_space.unwrap_or(true) {
                    normalizers.insert(0, json!({ "type": "Prepend", "prepend": "▁" }));
                    decoders.push(json!({ "type": "Strip", "content": " ", "start": 1, "stop": 0 }));
                }
                let unknown = self.named("unk_token").map(|(_, text)| text);
                (
                    json!({
                        "type": "BPE", "dropout": null, "unk_token": unknown, "continuing_subword_prefix": null,
                        "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": true, "ignore_merges": false,
                        "vocab": vocab, "merges": merges
                    }),
                    json!({ "type": "Sequence", "normalizers": normalizers }),
                    Value::Null,
                    json!({ "type": "Sequence", "decoders": decoders }),
                )
            }
        };
        Ok(json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": self.added_tokens(),
            "normalizer": normalizer, "pre_tokenizer": pre_tokenizer, "post_processor": self.post_processor()?,
            "decoder": decoder, "model": model
        }))
    }

    /// Pairs, the first of which is merged first.
    fn merges(&self) -> Result<Vec<(&'a str, &'a str)>, LmError> {
        if let Some(lines) = self.metadata.find_texts(MERGES)? {
            let pair = |(index, line): (usize, &'a str)| {
                line.split_once(' ').filter(|(_, right)| !right.contains(' ')).ok_or_else(|| {
                    wrong(MERGES, format!("element {index}: expected two tokens with a space between, got {line:?}"))
                })
            };
            return lines.into_iter().enumerate().map(pair).collect();
        }
        if let Algorithm::ByteLevel(_) = self.algorithm {
            return Err(wrong(MERGES, "is missing"));
        }
        let scores = self.metadata.find_numbers(SCORES)?;
        let scores = scores.ok_or_else(|| wrong(SCORES, "is missing, and so are the merges"))?;
        if scores.len() != self.tokens.len() {
            return Err(wrong(
                SCORES,
                format!("expected {}, one for each token, got {}", self.tokens.len(), scores.len()),
            ));
        }
        Ok(merges(&self.tokens, &scores))
    }

    /// The tokens that are recognised whole wherever they stand in a text.
    fn added_tokens(&self) -> Vec<Value> {
        let kind = |id: usize| self.kinds.get(id).copied().unwrap_or_default();
        let is_named = |id: usize| self.named.values().any(|named| *named as usize == id);
        let is_special = |id: usize| matches!(kind(id), UNKNOWN | CONTROL) || is_named(id);
        let added = self.tokens.iter().enumerate().filter(|(id, _)| is_special(*id) || kind(*id) == USER_DEFINED);
        added
            .map(|(id, token)| {
                json!({
                    "id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false,
                    "normalized": false, "special": is_special(id)
                })
            })
            .collect()
    }

    /// What is put around a text: BOS and EOS as the file says, or as llama.cpp assumes.
    fn post_processor(&self) -> Result<Value, LmError> {
        let adds_bos = match self.algorithm {
            Algorithm::ByteLevel(pattern) => pattern.adds_bos(),
            Algorithm::Sentencepiece => true,
        };
        let around = |key: &str, name: &str, assumed: bool| -> Result<Option<(TokenId, &'a str)>, LmError> {
            if !self.metadata.find_flag(key)?.unwrap_or(assumed) {
                return Ok(None);
            }
            self.named(name).map(Some).ok_or_else(|| wrong(key, format!("the file has no {name}")))
        };
        let bos = around("tokenizer.ggml.add_bos_token", "bos_token", adds_bos)?;
        let eos = around("tokenizer.ggml.add_eos_token", "eos_token", false)?;
        if bos.is_none() && eos.is_none() {
            return Ok(Value::Null);
        }
        let part = |sequence: &str, type_id: u32| {
            let special = |token: Option<(TokenId, &str)>| {
                token.map(|(_, text)| json!({ "SpecialToken": { "id": text, "type_id": type_id } }))
            };
            let text = json!({ "Sequence": { "id": sequence, "type_id": type_id } });
            special(bos).into_iter().chain([text]).chain(special(eos)).collect::<Vec<_>>()
        };
        let specials: Map<String, Value> = [bos, eos]
            .into_iter()
            .flatten()
            .map(|(id, text)| (text.to_owned(), json!({ "id": text, "ids": [id], "tokens": [text] })))
            .collect();
        let (single, pair) = (part("A", 0), [part("A", 0), part("B", 1)].concat());
        Ok(json!({ "type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": specials }))
    }

    /// `tokenizer_config.json`.
    fn tokenizer_config(&self) -> Result<Map<String, Value>, LmError> {
        let mut config = Map::new();
        for (name, _, _) in NAMED {
            config.extend(self.named(name).map(|(_, text)| (name.to_owned(), text.into())));
        }
        config.insert("clean_up_tokenization_spaces".into(), false.into());
        if let Some(architecture) = self.metadata.find_text("general.architecture")? {
            let window = self.metadata.find_unsigned(&format!("{architecture}.context_length"))?;
            config.extend(window.map(|window| ("model_max_length".to_owned(), window.into())));
        }
        config.insert("tokenizer_class".into(), "PreTrainedTokenizerFast".into());
        let template = self.metadata.find_text("tokenizer.chat_template")?;
        config.extend(template.map(|template| ("chat_template".to_owned(), template.into())));
        Ok(config)
    }

    /// `generation_config.json`.
    fn generation_config(&self) -> Result<Map<String, Value>, LmError> {
        let mut ends: Vec<TokenId> = self.named.get("eos_token").copied().into_iter().collect();
        for key in ENDS {
            let end = self.metadata.find_token(key, self.tokens.len())?;
            ends.extend(end.filter(|end| !ends.contains(end)));
        }
        let ends = match ends[..] {
            [] => None,
            [end] => Some(end.into()),
            _ => Some(ends.into()),
        };
        let id = |name: &str| self.named.get(name).map(|id| Value::from(*id));
        let fields = [("bos_token_id", id("bos_token")), ("eos_token_id", ends), ("pad_token_id", id("pad_token"))];
        Ok(fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
    }
}
