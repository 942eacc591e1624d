//! The small world's chat format, for evaluators and data generators.

use bunch_lm::{ChatFormat, LmError, TokenId};

use crate::world::{BOS, BOT, EOS, GUARD, PAD, USR, WorldError, chat_prompt, vocabulary};

/// How one talks to every model of the small world: `<bos> <usr> QUESTION <bot> ANSWER <eos>`.
#[derive(Debug, Clone)]
pub struct Format {
    stop: Vec<TokenId>,
    /// Tokens that are not text.
    special: Vec<TokenId>,
}

impl Default for Format {
    fn default() -> Self {
        let id = |word| vocabulary().id(word).expect("a word of the vocabulary");
        Self { stop: vec![id(EOS)], special: [PAD, BOS, USR, BOT, EOS, GUARD].map(id).to_vec() }
    }
}

fn text_error(error: WorldError) -> LmError {
    LmError::Text(error.to_string())
}

impl Format {
    fn text(&self, ids: &[TokenId]) -> String {
        let words: Vec<TokenId> = ids.iter().copied().filter(|id| !self.special.contains(id)).collect();
        vocabulary().decode(&words).expect("a model of this vocabulary generates its tokens alone")
    }
}

impl ChatFormat for Format {
    fn prompt(&self, user: &str) -> Result<Vec<TokenId>, LmError> {
        chat_prompt(user).map_err(text_error)
    }

    fn answer(&self, text: &str) -> Result<Vec<TokenId>, LmError> {
        let mut ids = vocabulary().encode(text).map_err(text_error)?;
        ids.extend(&self.stop);
        Ok(ids)
    }

    fn decode(&self, ids: &[TokenId]) -> String {
        self.text(ids)
    }

    fn stop(&self) -> &[TokenId] {
        &self.stop
    }
}
