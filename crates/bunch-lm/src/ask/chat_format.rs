//! The chat format: how an exchange between user and assistant becomes tokens, and back.

use crate::{LmError, TokenId};

/// Turns text into tokens for a model that answers a user, and its tokens back into text.
///
/// `prompt` followed by `answer` is one whole exchange as the model was trained on it.
pub trait ChatFormat {
    /// The tokens of a user's message, from the beginning of the sequence up to and including the assistant's header.
    ///
    /// # Errors
    /// Text that cannot be encoded, or a template that fails.
    fn prompt(&self, user: &str) -> Result<Vec<TokenId>, LmError>;

    /// The tokens of an assistant's answer, including the one that ends its turn.
    ///
    /// # Errors
    /// Text that cannot be encoded.
    fn answer(&self, text: &str) -> Result<Vec<TokenId>, LmError>;

    /// The text of generated tokens, without special tokens.
    fn decode(&self, ids: &[TokenId]) -> String;

    /// The tokens that end an answer.
    fn stop(&self) -> &[TokenId];
}
