//! A model's own tokenizer, and everything else that says how it reads and writes text.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use tokenizers::{AddedToken, ModelWrapper};

use crate::json_file::{ModelFolder, read_text};
use crate::special_tokens::SpecialTokens;
use crate::template_source::{FoundTemplate, find_template, template_in};
use crate::{ChatTemplate, GgufTokenizer, LmError, Message, TokenId, whitespace};

/// Whether text gets the special tokens that the tokenizer puts around it, of which BOS matters most.
///
/// Scores depend on it: lm-evaluation-harness changed its default with version 0.4.9.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AddBos {
    /// As lm-evaluation-harness from 0.4.9.2 on: what the tokenizer does by default, unless the text already starts with
    /// the prefix token's text. Llama 2 and 3 and Mistral get BOS, Qwen 2 and SmolLM 2 have none to get.
    #[default]
    Auto,
    /// As lm-evaluation-harness 0.4.2 to 0.4.9.1, the versions of the papers' time (`add_special_tokens=False`): none.
    Never,
}

/// Turns text into token ids and back, and conversations into text, as the files of a Hugging Face model directory say.
///
/// Where transformers 4 and 5 differ it does as 5 does: `add_bos_token` and `add_eos_token` of `tokenizer_config.json`
/// change nothing, since `tokenizer.json` says what is put around a text, and `clean_up_tokenization_spaces` does not
/// touch the text of byte pair models.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// The model directory or GGUF file, for messages.
    origin: PathBuf,
    special: SpecialTokens,
    bos: Option<TokenId>,
    eos: Option<TokenId>,
    pad: Option<TokenId>,
    /// Text of the token that stands before text without a context.
    prefix_text: Option<String>,
    stop: Vec<TokenId>,
    model_max_length: Option<usize>,
    cleans_spaces: bool,
    vocab_size: usize,
    chat_template: FoundTemplate,
}

/// What stands next to `tokenizer.json`.
struct Settings {
    tokenizer_config: Option<Map<String, Value>>,
    generation_config: Option<Map<String, Value>>,
    config: Option<Map<String, Value>>,
    special: SpecialTokens,
}

impl Tokenizer {
    /// Reads a `tokenizer.json` and nothing next to it: no token is known to be BOS or EOS, and there is no chat template.
    ///
    /// # Errors
    /// A file that cannot be read or is no tokenizer; the message names it.
    pub fn load(path: &Path) -> Result<Self, LmError> {
        let text = read_text(path)?;
        let text = text.ok_or_else(|| LmError::File { path: path.to_owned(), what: "no such file".into() })?;
        let folder = path.parent().map_or_else(PathBuf::new, Path::to_owned);
        Self::parse(path, &text, folder)
    }

    /// Makes the tokenizer of `text`, the contents of a `tokenizer.json`, which stands in `path`.
    fn parse(path: &Path, text: &str, origin: PathBuf) -> Result<Self, LmError> {
        let file_error = |what: String| LmError::File { path: path.to_owned(), what };
        let mut inner: tokenizers::Tokenizer = text.parse().map_err(|error| file_error(format!("{error}")))?;
        // Cutting and filling up to a length, which a file may ask for, are the caller's business.
        inner.with_truncation(None).map_err(|error| file_error(error.to_string()))?;
        inner.with_padding(None);
        let vocab_size = inner.get_vocab_size(true);
        Ok(Self {
            inner,
            origin,
            special: SpecialTokens::default(),
            bos: None,
            eos: None,
            pad: None,
            prefix_text: None,
            stop: Vec::new(),
            model_max_length: None,
            cleans_spaces: false,
            vocab_size,
            chat_template: Err("only tokenizer.json has been read, which holds no chat template".into()),
        })
    }

    /// Reads a model directory: `tokenizer.json`, which must be there, and as far as they are there
    /// `tokenizer_config.json`, `special_tokens_map.json`, `generation_config.json`, `config.json` and the chat template.
    ///
    /// # Errors
    /// [`LmError::NoTokenizer`] without `tokenizer.json`; a file that cannot be read or understood, by name. A chat
    /// template that cannot be used is no error here but in [`Self::render_chat`].
    pub fn from_directory(dir: &Path) -> Result<Self, LmError> {
        Self::read(ModelFolder::OnDisk(dir))
    }

    /// Makes the tokenizer of a model directory whose `files` are in memory, by name; messages call it `dir`.
    ///
    /// # Errors
    /// As [`Self::from_directory`].
    pub fn from_files(dir: &Path, files: &BTreeMap<String, Vec<u8>>) -> Result<Self, LmError> {
        Self::read(ModelFolder::InMemory(dir, files))
    }

    fn read(files: ModelFolder<'_>) -> Result<Self, LmError> {
        let dir = files.folder();
        let text = files.text("tokenizer.json")?.ok_or_else(|| LmError::NoTokenizer { folder: dir.to_owned() })?;
        let tokenizer_config = files.object("tokenizer_config.json")?;
        let chat_template = find_template(files, tokenizer_config.as_ref())?;
        let special = SpecialTokens::read(files, tokenizer_config.as_ref())?;
        let settings = Settings {
            tokenizer_config,
            generation_config: files.object("generation_config.json")?,
            config: files.object("config.json")?,
            special,
        };
        let tokenizer = Self { chat_template, ..Self::parse(&dir.join("tokenizer.json"), &text, dir.to_owned())? };
        tokenizer.with_settings(settings, &dir.join("tokenizer_config.json"))
    }

    /// Makes the tokenizer of the GGUF file `path` from all its metadata (see [`GgufTokenizer::from_metadata`]), so that
    /// the file alone is a model. It is the tokenizer that the files of [`GgufTokenizer::files`] would give.
    ///
    /// # Errors
    /// As [`GgufTokenizer::from_metadata`], and merges that are not of the vocabulary. As with a directory, a chat template
    /// that cannot be used is an error in [`Self::render_chat`] only.
    pub fn from_gguf(path: &Path, metadata: &Map<String, Value>) -> Result<Self, LmError> {
        let GgufTokenizer { tokenizer, tokenizer_config, generation_config } = GgufTokenizer::from_metadata(metadata)?;
        let chat_template = template_in("GGUF metadata", tokenizer_config.get("chat_template"));
        let special = SpecialTokens::new(path, &tokenizer_config, path, &Map::new())?;
        let settings = Settings {
            tokenizer_config: Some(tokenizer_config),
            generation_config: Some(generation_config),
            config: None,
            special,
        };
        let tokenizer = Self { chat_template, ..Self::parse(path, &tokenizer.to_string(), path.to_owned())? };
        tokenizer.with_settings(settings, path)
    }

    /// The tokenizer of a model that lies in `dir`, where `gguf` are the metadata of its weights if they are a GGUF file: that
    /// of the directory if it has a `tokenizer.json`, else that in the file.
    ///
    /// # Errors
    /// As [`Self::from_directory`] and [`Self::from_gguf`].
    pub fn from_model(dir: &Path, gguf: Option<&Map<String, Value>>) -> Result<Self, LmError> {
        match gguf.filter(|_| !dir.join("tokenizer.json").is_file()) {
            Some(metadata) => Self::from_gguf(dir, metadata),
            None => Self::from_directory(dir),
        }
    }

    /// This tokenizer with all that the files next to `tokenizer.json` say; `path` holds the special tokens.
    fn with_settings(mut self, settings: Settings, path: &Path) -> Result<Self, LmError> {
        let Settings { tokenizer_config, generation_config, config, mut special } = settings;
        self.add_tokens(&special).map_err(|error| LmError::File { path: path.to_owned(), what: error.to_string() })?;
        // Directories without any file on tokens; config.json does not count next to one, where a missing BOS means none.
        if tokenizer_config.is_none() && special.named.is_empty() {
            for name in ["bos_token", "eos_token", "pad_token"] {
                let id = token_ids(config.as_ref(), &format!("{name}_id")).first().copied();
                let text = id.and_then(|id| self.inner.id_to_token(id));
                special.named.extend(text.map(|text| (name.to_owned(), text)));
            }
        }
        let id = |name: &str| special.named.get(name).and_then(|text| self.token_id(text));
        let (bos, eos, pad) = (id("bos_token"), id("eos_token"), id("pad_token"));
        let prefix_text = bos.or(eos).map(|id| self.decode(&[id], false)).transpose()?;
        let mut stop = token_ids(generation_config.as_ref(), "eos_token_id");
        if stop.is_empty() {
            stop = token_ids(config.as_ref(), "eos_token_id");
        }
        if stop.is_empty() {
            stop.extend(eos);
        }
        let settings = tokenizer_config.unwrap_or_default();
        let flag = |key: &str| settings.get(key).and_then(Value::as_bool).unwrap_or(false);
        self.inner.set_encode_special_tokens(flag("split_special_tokens"));
        // It was made for word pieces, and takes spaces out of a byte pair model's text that belong there.
        self.cleans_spaces = flag("clean_up_tokenization_spaces")
            && (!matches!(self.inner.get_model(), ModelWrapper::BPE(_))
                || flag("clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output"));
        self.model_max_length = settings.get("model_max_length").and_then(token_count);
        Ok(Self { special, bos, eos, pad, prefix_text, stop, ..self })
    }

    /// Makes the directory's special tokens added tokens, as transformers does when it loads a tokenizer.
    fn add_tokens(&mut self, special: &SpecialTokens) -> tokenizers::Result<()> {
        let known = self.inner.get_added_tokens_decoder();
        let is_known = |token: &AddedToken| known.values().any(|known| known.content == token.content);
        let wanted = special.wanted.iter().filter(|token| !is_known(token));
        let tokens: Vec<AddedToken> = special.declared.iter().chain(wanted).cloned().collect();
        self.inner.add_tokens(tokens)?;
        self.vocab_size = self.inner.get_vocab_size(true);
        Ok(())
    }

    /// The ids of `text`, with the special tokens that `add_bos` asks for. Special tokens that the text spells out become
    /// what they spell.
    ///
    /// # Errors
    /// Text that the vocabulary cannot express.
    pub fn encode(&self, text: &str, add_bos: AddBos) -> Result<Vec<TokenId>, LmError> {
        let has_prefix = self.prefix_text.as_ref().is_some_and(|prefix| text.starts_with(prefix.as_str()));
        self.encode_with(text, add_bos == AddBos::Auto && !has_prefix)
    }

    fn encode_with(&self, text: &str, add_special_tokens: bool) -> Result<Vec<TokenId>, LmError> {
        let encoding = self.inner.encode_fast(text, add_special_tokens);
        encoding
            .map(|encoding| encoding.get_ids().to_vec())
            .map_err(|error| LmError::Text(format!("{text:?}: {error}")))
    }

    /// The ids of a context and of its continuation, as lm-evaluation-harness splits them (`_encode_pair`).
    ///
    /// Whitespace at the end of the context is moved to the continuation; both are encoded together, and the continuation
    /// is what follows after as many tokens as the context alone has. An empty context becomes the prefix token, BOS or
    /// else EOS, unless the continuation starts with it. Either part may come out empty, as it does there: a context of
    /// nothing but whitespace without BOS, or a continuation that a merge has swallowed.
    ///
    /// # Errors
    /// Text that the vocabulary cannot express, or an empty context without a prefix token.
    pub fn encode_pair(
        &self,
        context: &str,
        continuation: &str,
        add_bos: AddBos,
    ) -> Result<(Vec<TokenId>, Vec<TokenId>), LmError> {
        if context.is_empty() {
            let prefix = self.prefix_token().ok_or(LmError::NoPrefixToken)?;
            let mut ids = self.encode_with(continuation, false)?;
            if ids.first() == Some(&prefix) {
                ids.remove(0);
            }
            return Ok((vec![prefix], ids));
        }
        let stripped = whitespace::strip_end(context);
        let context_ids = self.encode(stripped, add_bos)?;
        let mut whole = self.encode(&format!("{context}{continuation}"), add_bos)?;
        let continuation_ids = whole.split_off(context_ids.len().min(whole.len()));
        Ok((context_ids, continuation_ids))
    }

    /// The text of `ids`. An id without a token, as padded vocabularies have them, adds nothing.
    ///
    /// # Errors
    /// Tokens that the decoder of `tokenizer.json` cannot join.
    pub fn decode(&self, ids: &[TokenId], skip_special: bool) -> Result<String, LmError> {
        let text = self.inner.decode(ids, skip_special);
        let text = text.map_err(|error| LmError::Text(format!("{ids:?}: {error}")))?;
        Ok(if self.cleans_spaces { clean_up_spaces(&text) } else { text })
    }

    /// The token that text without a context is scored after: BOS, else EOS.
    pub fn prefix_token(&self) -> Option<TokenId> {
        self.bos.or(self.eos)
    }

    /// The token at the beginning of a text.
    pub fn bos(&self) -> Option<TokenId> {
        self.bos
    }

    /// The token at the end of a text.
    pub fn eos(&self) -> Option<TokenId> {
        self.eos
    }

    /// The token that batches are filled up with.
    pub fn pad(&self) -> Option<TokenId> {
        self.pad
    }

    /// The text of `bos_token`.
    pub fn bos_text(&self) -> Option<&str> {
        self.special.named.get("bos_token").map(String::as_str)
    }

    /// The text of `eos_token`.
    pub fn eos_text(&self) -> Option<&str> {
        self.special.named.get("eos_token").map(String::as_str)
    }

    /// The ids that end an answer: `eos_token_id` of `generation_config.json`, else of `config.json`, else the
    /// tokenizer's EOS.
    pub fn stop_tokens(&self) -> &[TokenId] {
        &self.stop
    }

    /// `model_max_length` of `tokenizer_config.json` in tokens; none where it is missing or the 1e30 that stands for it.
    pub fn model_max_length(&self) -> Option<usize> {
        self.model_max_length
    }

    /// The id of a token, by its exact spelling in the vocabulary.
    pub fn token_id(&self, token: &str) -> Option<TokenId> {
        self.inner.token_to_id(token)
    }

    /// Number of tokens, added ones included. A model's embedding may have more rows.
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// The chat template, where the model has one that can be used.
    pub fn chat_template(&self) -> Option<&ChatTemplate> {
        self.chat_template.as_ref().ok()
    }

    /// The text of a conversation by the model's chat template, which is given the texts of the named special tokens.
    ///
    /// It usually begins with BOS as text, so that it is encoded with [`AddBos::Never`], or with [`AddBos::Auto`], which
    /// sees that.
    ///
    /// # Errors
    /// [`LmError::NoChatTemplate`], or the template's own message about a conversation that it refuses.
    pub fn render_chat(&self, messages: &[Message], add_generation_prompt: bool) -> Result<String, LmError> {
        match &self.chat_template {
            Ok(template) => template.render(messages, add_generation_prompt, &self.special.named),
            Err(why) => Err(LmError::NoChatTemplate { origin: self.origin.clone(), why: why.clone() }),
        }
    }
}

/// A field that holds one token id or a list of them.
fn token_ids(config: Option<&Map<String, Value>>, key: &str) -> Vec<TokenId> {
    let id = |value: &Value| value.as_u64().and_then(|id| TokenId::try_from(id).ok());
    match config.and_then(|config| config.get(key)) {
        Some(Value::Array(ids)) => ids.iter().filter_map(id).collect(),
        Some(value) => id(value).into_iter().collect(),
        None => Vec::new(),
    }
}

/// A number of tokens; transformers writes 1e30 for no limit, which is no `u64`.
fn token_count(value: &Value) -> Option<usize> {
    value.as_u64().and_then(|count| usize::try_from(count).ok())
}

/// `clean_up_tokenization` of transformers.
fn clean_up_spaces(text: &str) -> String {
    let pairs = [
        (" .", "."),
        (" ?", "?"),
        (" !", "!"),
        (" ,", ","),
        (" ' ", "'"),
        (" n't", "n't"),
        (" 'm", "'m"),
        (" 's", "'s"),
        (" 've", "'ve"),
        (" 're", "'re"),
    ];
    pairs.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}
