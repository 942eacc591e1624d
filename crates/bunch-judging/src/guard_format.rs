//! Guards that make tokens of exchanges themselves.

use bunch_lm::{LmError, TokenId};

use crate::Exchange;

/// Turns an exchange into a guard's prompt, and the guard's tokens back into text, for guards that no file describes.
pub trait GuardFormat {
    /// The tokens after which the guard writes its verdict. An exchange with an empty response asks about the request alone.
    ///
    /// # Errors
    /// Text that cannot be encoded, or a template that fails.
    fn prompt(&self, exchange: &Exchange) -> Result<Vec<TokenId>, LmError>;

    /// The text of generated tokens.
    fn decode(&self, ids: &[TokenId]) -> String;

    /// The tokens that end the guard's reply.
    fn stop(&self) -> &[TokenId];
}
