//! Asking a model as its users do: by messages that a chat format turns into tokens.

mod answer_loss;
mod chat_format;
mod completion;
mod template_chat;

pub use answer_loss::{QuestionAnswer, answer_loss};
pub use chat_format::ChatFormat;
pub use completion::{Completion, complete};
pub use template_chat::TemplateChat;
