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
