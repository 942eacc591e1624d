//! What goes wrong inside a language model or its text side.

use std::path::PathBuf;

/// What went wrong inside a language model.
#[derive(Debug, thiserror::Error)]
pub enum LmError {
    /// A request that no model can answer.
    #[error("request {index}: {what}")]
    Request {
        /// Position of the request in the call.
        index: usize,
        /// What is wrong with it.
        what: String,
    },
    /// The prompt and its continuation do not fit.
    #[error("request {index}: {tokens} tokens do not fit into the context window of {window}")]
    TooLong {
        /// Position of the request in the call.
        index: usize,
        /// Prompt plus continuation, in tokens.
        tokens: usize,
        /// The model's `max_position_embeddings`.
        window: usize,
    },
    /// A model that answers another number of requests than it was asked.
    #[error("{what}: expected {expected}, got {got}")]
    Count {
        /// What was counted.
        what: &'static str,
        /// How many there should be.
        expected: usize,
        /// How many there are.
        got: usize,
    },
    /// A model whose score is NaN.
    #[error("{what} {index}: got {value}")]
    NotANumber {
        /// What the number is.
        what: &'static str,
        /// Its position.
        index: usize,
        /// The value.
        value: f64,
    },
    /// A mean of nothing.
    #[error("no {what}: at least one is needed")]
    Empty {
        /// What is missing, in the plural.
        what: &'static str,
    },
    /// Text or tokens that the tokenizer cannot turn into the other.
    #[error("{0}")]
    Text(String),
    /// A file of the model directory that cannot be read or understood.
    #[error("{}: {what}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A model directory without `tokenizer.json`.
    #[error(
        "{}: has no tokenizer.json, and a model without one cannot be scored; for a model with only a sentencepiece \
         tokenizer.model transformers writes one: \
         AutoTokenizer.from_pretrained(folder).save_pretrained(folder)",
        folder.display()
    )]
    NoTokenizer {
        /// The model directory.
        folder: PathBuf,
    },
    /// Text is to be scored without a context, and the tokenizer has neither a BOS nor an EOS token to put before it.
    #[error("an empty context needs a token to start from, but the tokenizer has neither a BOS nor an EOS token")]
    NoPrefixToken,
    /// A conversation is to be rendered, and the model has no chat template that could do it.
    #[error("{}: {why}", origin.display())]
    NoChatTemplate {
        /// The model directory or GGUF file.
        origin: PathBuf,
        /// Why there is none.
        why: String,
    },
    /// A chat template that does not parse or that refuses a conversation.
    #[error("chat template: {what}")]
    ChatTemplate {
        /// The template's own message where it called `raise_exception`, else what went wrong and in which line.
        what: String,
    },
    /// Metadata of a GGUF file from which no tokenizer can be made.
    #[error("GGUF metadata, {key}: {what}")]
    Gguf {
        /// The metadata key.
        key: String,
        /// What is wrong with it.
        what: String,
    },
}

impl LmError {
    /// Fails if a model's answers are not as many as the requests.
    ///
    /// # Errors
    /// [`Self::Count`] if they differ.
    pub fn check_count(what: &'static str, expected: usize, got: usize) -> Result<(), Self> {
        if expected == got { Ok(()) } else { Err(Self::Count { what, expected, got }) }
    }
}
