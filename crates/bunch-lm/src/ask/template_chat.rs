//! The chat format that a model's own files give it.

use crate::{AddBos, ChatFormat, LmError, Message, TokenId, Tokenizer};

/// Talks to a model by its own chat template, with no special tokens besides the template's, and perhaps a system message
/// before every message of the user.
#[derive(Debug, Clone)]
pub struct TemplateChat {
    tokenizer: Tokenizer,
    system: Option<String>,
}

impl TemplateChat {
    /// The format of a model that reads and writes text as `tokenizer` does.
    pub fn new(tokenizer: Tokenizer, system: Option<String>) -> Self {
        Self { tokenizer, system }
    }

    /// How the model reads and writes text.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The text of a user's message as the model reads it, special tokens spelled out.
    ///
    /// # Errors
    /// No chat template, or one that refuses the message.
    pub fn render(&self, user: &str) -> Result<String, LmError> {
        let system = self.system.as_ref().map(Message::system);
        let messages: Vec<Message> = system.into_iter().chain([Message::user(user)]).collect();
        self.tokenizer.render_chat(&messages, true)
    }

    /// The tokens of an answer that was cut off, so that nothing ends it.
    ///
    /// # Errors
    /// Text that cannot be encoded.
    pub fn unfinished(&self, text: &str) -> Result<Vec<TokenId>, LmError> {
        self.tokenizer.encode(text, AddBos::Never)
    }
}

impl ChatFormat for TemplateChat {
    fn prompt(&self, user: &str) -> Result<Vec<TokenId>, LmError> {
        self.tokenizer.encode(&self.render(user)?, AddBos::Never)
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_system_message_stands_before_every_message_of_the_user() {
        let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/models/llama-gqa-tied");
        let tokenizer = Tokenizer::from_directory(&model).unwrap();
        let with = TemplateChat::new(tokenizer.clone(), Some("Be brief.".into()));
        let expected = tokenizer.render_chat(&[Message::system("Be brief."), Message::user("Hi")], true).unwrap();
        assert_eq!(with.render("Hi").unwrap(), expected);
        assert_eq!(with.prompt("Hi").unwrap(), tokenizer.encode(&expected, AddBos::Never).unwrap());
        let without = TemplateChat::new(tokenizer.clone(), None);
        assert_eq!(without.render("Hi").unwrap(), tokenizer.render_chat(&[Message::user("Hi")], true).unwrap());
        let answer = without.answer("no").unwrap();
        assert_eq!(answer.split_last().unwrap(), (&without.stop()[0], &without.unfinished("no").unwrap()[..]));
        assert_eq!(without.decode(&answer), "no");
    }
}
