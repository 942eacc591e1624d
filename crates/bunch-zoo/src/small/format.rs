//! How exchanges become tokens, by the pretrained model's own chat template.

use bunch_judging::{Exchange, JudgeFile};
use bunch_lm::{AddBos, ChatFormat, LmError, Message, TokenId, Tokenizer};

use super::SmallRecipes;
use crate::ZooError;

/// The chat format of a world's models, and how the guard is asked about exchanges.
#[derive(Debug, Clone)]
pub struct SmallFormat {
    tokenizer: Tokenizer,
    system: String,
    guard: JudgeFile,
}

impl SmallFormat {
    /// The format of models that read text as `tokenizer` does, of which one is the guard.
    pub fn new(tokenizer: &Tokenizer, recipes: &SmallRecipes, guard: JudgeFile) -> Self {
        Self { tokenizer: tokenizer.clone(), system: recipes.system.clone(), guard }
    }

    /// What the guard reads of an exchange before it writes its verdict.
    ///
    /// # Errors
    /// Text that cannot be encoded.
    pub fn guard_prompt(&self, exchange: &Exchange) -> Result<Vec<TokenId>, ZooError> {
        let text = self.guard.render(exchange, &self.tokenizer)?.unwrap_or_default();
        Ok(self.tokenizer.encode(&text, AddBos::Never)?)
    }

    /// The tokens of an answer that was cut off, so that nothing ends it.
    ///
    /// # Errors
    /// Text that cannot be encoded.
    pub(crate) fn unfinished(&self, text: &str) -> Result<Vec<TokenId>, LmError> {
        self.tokenizer.encode(text, AddBos::Never)
    }
}

impl ChatFormat for SmallFormat {
    fn prompt(&self, user: &str) -> Result<Vec<TokenId>, LmError> {
        let messages = [Message::system(&self.system), Message::user(user)];
        self.tokenizer.encode(&self.tokenizer.render_chat(&messages, true)?, AddBos::Never)
    }

    fn answer(&self, text: &str) -> Result<Vec<TokenId>, LmError> {
        let mut ids = self.unfinished(text)?;
        ids.extend(self.tokenizer.stop_tokens().first());
        Ok(ids)
    }

    fn decode(&self, ids: &[TokenId]) -> String {
        // What the decoder cannot join is no answer: an empty one.
        self.tokenizer.decode(ids, true).unwrap_or_default().trim().to_owned()
    }

    fn stop(&self) -> &[TokenId] {
        self.tokenizer.stop_tokens()
    }
}
