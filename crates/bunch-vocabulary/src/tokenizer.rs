//! One model's tokenizer files.

use std::collections::{BTreeMap, BTreeSet};

use crate::VocabularyError;
use crate::declared_tokens::{ADDED_TOKENS, DeclaredTokens, SPECIAL_TOKENS_MAP, TOKENIZER_CONFIG, object, undeclare};
use crate::tokenizer_json::{self, TOKENIZER_JSON};
use crate::vocabulary::Vocabulary;

/// Vocabularies in other formats than tokenizer.json. Next to a tokenizer.json they are copies of what stands there.
const OTHER_FORMATS: [&str; 9] = [
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tiktoken.model",
    "tekken.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    ADDED_TOKENS,
];

/// A model's tokenizer: its files, and the tokens with their ids where the files say them in JSON.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    files: BTreeMap<String, Vec<u8>>,
    vocabulary: Option<Vocabulary>,
    declared: DeclaredTokens,
    /// Whether tokenizer.json has all tokens, so that other files declare none but those.
    is_complete: bool,
}

impl Tokenizer {
    /// Reads the tokenizer files of a model directory, given by name: tokenizer.json, tokenizer_config.json and
    /// whichever of special_tokens_map.json, added_tokens.json, tokenizer.model, chat_template.jinja, ... there are.
    /// Unknown files are kept as they are.
    ///
    /// # Errors
    /// A file that is not the JSON it should be; an added token whose id is not the one that readers give it; no
    /// vocabulary at all. A tokenizer without tokenizer.json (SentencePiece, tiktoken, vocab.txt) is none: it can be
    /// copied, but not merged, see [`merge_vocabularies`](crate::merge_vocabularies).
    pub fn new(files: BTreeMap<String, Vec<u8>>) -> Result<Self, VocabularyError> {
        let Some(bytes) = files.get(TOKENIZER_JSON) else {
            if OTHER_FORMATS.iter().any(|name| files.contains_key(*name) && *name != ADDED_TOKENS) {
                return Ok(Self { files, vocabulary: None, declared: DeclaredTokens::default(), is_complete: true });
            }
            return Err(VocabularyError::NoVocabularyFile { got: files.into_keys().collect() });
        };
        let (mut vocabulary, padding) = tokenizer_json::read(bytes)?;
        let declared = DeclaredTokens::read(&files, padding)?;
        let is_complete = !declared.add_all(&mut vocabulary)?;
        Ok(Self { files, vocabulary: Some(vocabulary), declared, is_complete })
    }

    /// The id of a token, added ones included; `None` as well for every token of a tokenizer without tokenizer.json.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.vocabulary.as_ref()?.id(token)
    }

    /// The number of tokens, added ones included; 0 for a tokenizer without tokenizer.json.
    pub fn len(&self) -> usize {
        self.vocabulary.as_ref().map_or(0, Vocabulary::len)
    }

    /// Whether no token is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every token with its id, in the order of the ids.
    pub fn tokens(&self) -> Vec<(u32, &str)> {
        self.vocabulary.as_ref().map_or_else(Vec::new, Vocabulary::by_id)
    }

    /// The files as they were given.
    pub fn files(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.files
    }

    /// The files' tokens; `None` without tokenizer.json.
    pub(crate) fn vocabulary(&self) -> Option<&Vocabulary> {
        self.vocabulary.as_ref()
    }

    pub(crate) fn declared(&self) -> &DeclaredTokens {
        &self.declared
    }

    /// The files that hold tokens in another format than tokenizer.json.
    pub(crate) fn other_formats(&self) -> BTreeMap<&str, &[u8]> {
        let other = |name: &str| OTHER_FORMATS.contains(&name);
        self.files.iter().filter(|(name, _)| other(name)).map(|(name, bytes)| (name.as_str(), &bytes[..])).collect()
    }

    /// These files with `vocabulary` in place of their own: as they are if tokenizer.json says just that, else with a
    /// tokenizer.json that does, and without the vocabularies in other formats, which would contradict it.
    pub(crate) fn files_with(&self, vocabulary: &Vocabulary) -> Result<BTreeMap<String, Vec<u8>>, VocabularyError> {
        let mut files = self.files.clone();
        let is_same = self.is_complete && self.vocabulary.as_ref() == Some(vocabulary);
        let Some(bytes) = self.files.get(TOKENIZER_JSON).filter(|_| !is_same) else { return Ok(files) };
        files.retain(|name, _| !OTHER_FORMATS.contains(&name.as_str()));
        files.insert(TOKENIZER_JSON.to_owned(), tokenizer_json::with_vocabulary(bytes, vocabulary)?);
        let dropped: BTreeSet<&str> =
            self.tokens().into_iter().map(|(_, token)| token).filter(|token| vocabulary.id(token).is_none()).collect();
        for file in [TOKENIZER_CONFIG, SPECIAL_TOKENS_MAP] {
            let old = object(&self.files, file)?;
            let mut new = old.clone();
            undeclare(&mut new, &dropped);
            // Some tokenizer classes take the added tokens from here alone.
            if let Some(decoder) = new.get_mut("added_tokens_decoder") {
                *decoder = vocabulary.added().map(|(id, token)| (id.to_string(), token.settings())).collect();
            }
            if new != old {
                let json = |source| VocabularyError::Json { file, source };
                files.insert(file.to_owned(), serde_json::to_vec_pretty(&new).map_err(json)?);
            }
        }
        Ok(files)
    }
}
