//! Asking a model as its users do: by messages that a chat format turns into tokens.

mod answer_loss;
mod chat_format;
mod completion;

pub use answer_loss::{QuestionAnswer, answer_loss};
pub use chat_format::ChatFormat;
pub use completion::{Completion, complete};
