//! tokenizer.json: reads its vocabulary, and writes the file with another one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use serde::de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::VocabularyError;
use crate::added_token::AddedToken;
use crate::vocabulary::{ModelKind, Vocabulary};

/// The file's name.
pub(crate) const TOKENIZER_JSON: &str = "tokenizer.json";

#[derive(Deserialize)]
struct TokenizerJson {
    #[serde(default)]
    added_tokens: Vec<TokenWithId>,
    padding: Option<Padding>,
    model: ModelJson,
}

#[derive(Deserialize)]
struct TokenWithId {
    id: u32,
    #[serde(flatten)]
    token: AddedToken,
}

#[derive(Deserialize)]
struct Padding {
    pad_token: String,
}

#[derive(Deserialize)]
struct ModelJson {
    #[serde(rename = "type")]
    kind: Option<String>,
    vocab: Tokens,
    merges: Option<IgnoredAny>,
    max_input_chars_per_word: Option<IgnoredAny>,
}

/// A map from token to id, or Unigram's list of (token, score).
struct Tokens {
    ids: BTreeMap<String, u32>,
    is_list: bool,
}

impl<'de> Deserialize<'de> for Tokens {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TokensVisitor)
    }
}

struct TokensVisitor;

impl<'de> Visitor<'de> for TokensVisitor {
    type Value = Tokens;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map from token to id or a list of tokens with scores")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tokens, A::Error> {
        let mut ids = BTreeMap::new();
        while let Some((token, id)) = map.next_entry::<String, u32>()? {
            if let Some(first) = ids.get(&token) {
                return Err(A::Error::custom(format!("token {token:?} stands twice in the vocabulary: {first}, {id}")));
            }
            ids.insert(token, id);
        }
        Ok(Tokens { ids, is_list: false })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Tokens, A::Error> {
        let mut ids = BTreeMap::new();
        let mut id = 0_u32;
        while let Some((token, _)) = seq.next_element::<(String, f64)>()? {
            if let Some(first) = ids.get(&token) {
                return Err(A::Error::custom(format!("token {token:?} stands twice in the vocabulary: {first}, {id}")));
            }
            ids.insert(token, id);
            id = id.saturating_add(1);
        }
        Ok(Tokens { ids, is_list: true })
    }
}

impl ModelJson {
    /// Old files do not name the kind; it is then known by the fields that only one kind has.
    fn kind(&self) -> Result<ModelKind, VocabularyError> {
        match self.kind.as_deref() {
            Some("BPE") => Ok(ModelKind::Bpe),
            Some("Unigram") => Ok(ModelKind::Unigram),
            Some("WordPiece") => Ok(ModelKind::WordPiece),
            Some("WordLevel") => Ok(ModelKind::WordLevel),
            Some(other) => Err(VocabularyError::Field {
                file: TOKENIZER_JSON,
                field: "model.type".to_owned(),
                expected: "BPE, Unigram, WordPiece or WordLevel",
                got: other.to_owned(),
            }),
            None if self.merges.is_some() => Ok(ModelKind::Bpe),
            None if self.vocab.is_list => Ok(ModelKind::Unigram),
            None if self.max_input_chars_per_word.is_some() => Ok(ModelKind::WordPiece),
            None => Ok(ModelKind::WordLevel),
        }
    }
}

/// A file's vocabulary, and the token that its `padding` section names.
///
/// # Errors
/// Fails if there is no tokenizer.json, or if readers would give an added token another id than it declares.
pub(crate) fn read(bytes: &[u8]) -> Result<(Vocabulary, Option<String>), VocabularyError> {
    let json: TokenizerJson =
        serde_json::from_slice(bytes).map_err(|source| VocabularyError::Json { file: TOKENIZER_JSON, source })?;
    let mut vocabulary = Vocabulary::new(json.model.kind()?, json.model.vocab.ids);
    for TokenWithId { id, token } in json.added_tokens {
        add_at(&mut vocabulary, id, token, TOKENIZER_JSON)?;
    }
    Ok((vocabulary, json.padding.map(|padding| padding.pad_token)))
}

/// Adds a token that `file` declares to have the id `declared`.
///
/// # Errors
/// Fails if readers give the token another id, because the file then means something else than it says.
pub(crate) fn add_at(
    vocabulary: &mut Vocabulary,
    declared: u32,
    token: AddedToken,
    file: &'static str,
) -> Result<(), VocabularyError> {
    let content = token.content.clone();
    match vocabulary.add(token) {
        Some(got) if got != declared => {
            Err(VocabularyError::AddedTokenId { file, token: content, expected: declared, got })
        }
        _ => Ok(()),
    }
}

/// The file `bytes` with `vocabulary` in place of its own. Of the model's own tokens, `vocabulary` may lack some (with
/// them go the merges that need them, and padding with them), but has no others.
pub(crate) fn with_vocabulary(bytes: &[u8], vocabulary: &Vocabulary) -> Result<Vec<u8>, VocabularyError> {
    let json = |source| VocabularyError::Json { file: TOKENIZER_JSON, source };
    let mut root: Value = serde_json::from_slice(bytes).map_err(json)?;
    if let Some(root) = root.as_object_mut() {
        let added = vocabulary.added().map(|(id, token)| token.entry(id)).collect();
        root.insert("added_tokens".to_owned(), Value::Array(added));
        let pad = root.get("padding").and_then(|padding| padding.get("pad_token")).and_then(Value::as_str);
        if pad.is_some_and(|token| vocabulary.id(token).is_none()) {
            root.insert("padding".to_owned(), Value::Null);
        }
    }
    if let Some(model) = root.get_mut("model") {
        let prefix = model.get("continuing_subword_prefix").and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut dropped = BTreeSet::new();
        if let Some(tokens) = model.get_mut("vocab").and_then(Value::as_object_mut) {
            tokens.retain(|token, _| {
                let kept = vocabulary.is_regular(token);
                if !kept {
                    dropped.insert(token.clone());
                }
                kept
            });
        }
        if let Some(merges) = model.get_mut("merges").and_then(Value::as_array_mut)
            && !dropped.is_empty()
        {
            merges.retain(|merge| !needs(merge, &dropped, &prefix));
        }
    }
    serde_json::to_vec_pretty(&root).map_err(json)
}

/// Whether a merge has a dropped token as a part or as its result.
fn needs(merge: &Value, dropped: &BTreeSet<String>, prefix: &str) -> bool {
    let parts = match merge {
        Value::String(pair) => pair.split_once(' '),
        Value::Array(pair) => match pair.as_slice() {
            [left, right] => left.as_str().zip(right.as_str()),
            _ => None,
        },
        _ => None,
    };
    parts.is_some_and(|(left, right)| {
        let whole = format!("{left}{}", right.strip_prefix(prefix).unwrap_or(right));
        [left, right, &whole].into_iter().any(|token| dropped.contains(token))
    })
}
