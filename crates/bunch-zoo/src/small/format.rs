//! How exchanges become tokens, by the pretrained model's own chat template.

use bunch_judging::{Exchange, GuardFormat};
use bunch_lm::{AddBos, ChatFormat, LmError, Message, TokenId, Tokenizer};

use super::SmallRecipes;

/// The chat format of a world's models; the guard's is the same template with other words.
#[derive(Debug, Clone)]
pub struct SmallFormat {
    tokenizer: Tokenizer,
    system: String,
    guard_system: String,
}

impl SmallFormat {
    /// The format of models that read text as `tokenizer` does.
    pub fn new(tokenizer: &Tokenizer, recipes: &SmallRecipes) -> Self {
        Self {
            tokenizer: tokenizer.clone(),
            system: recipes.system.clone(),
            guard_system: recipes.guard_system.clone(),
        }
    }

    fn render(&self, system: &str, user: &str) -> Result<Vec<TokenId>, LmError> {
        let messages = [Message::system(system), Message::user(user)];
        self.tokenizer.encode(&self.tokenizer.render_chat(&messages, true)?, AddBos::Never)
    }

    /// The tokens of an answer that was cut off, so that nothing ends it.
    ///
    /// # Errors
    /// Text that cannot be encoded.
    pub(crate) fn unfinished(&self, text: &str) -> Result<Vec<TokenId>, LmError> {
        self.tokenizer.encode(text, AddBos::Never)
    }

    fn text(&self, ids: &[TokenId]) -> String {
        // What the decoder cannot join is no answer: an empty one.
        self.tokenizer.decode(ids, true).unwrap_or_default().trim().to_owned()
    }
}

impl ChatFormat for SmallFormat {
    fn prompt(&self, user: &str) -> Result<Vec<TokenId>, LmError> {
        self.render(&self.system, user)
    }

    fn answer(&self, text: &str) -> Result<Vec<TokenId>, LmError> {
        let mut ids = self.unfinished(text)?;
        ids.extend(self.tokenizer.stop_tokens().first());
        Ok(ids)
    }

    fn decode(&self, ids: &[TokenId]) -> String {
        self.text(ids)
    }

    fn stop(&self) -> &[TokenId] {
        self.tokenizer.stop_tokens()
    }
}

impl GuardFormat for SmallFormat {
    fn prompt(&self, exchange: &Exchange) -> Result<Vec<TokenId>, LmError> {
        let user = match exchange.response.as_str() {
            "" => format!("User: {}", exchange.prompt),
            response => format!("User: {}\nAgent: {response}", exchange.prompt),
        };
        self.render(&self.guard_system, &user)
    }

    fn decode(&self, ids: &[TokenId]) -> String {
        self.text(ids)
    }

    fn stop(&self) -> &[TokenId] {
        self.tokenizer.stop_tokens()
    }
}
