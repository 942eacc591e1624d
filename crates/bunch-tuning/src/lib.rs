//! Supervised fine-tuning of a Llama, of all weights or of a low-rank adapter: text to examples, the loss and one training loop.

mod adamw;
mod conversation;
mod data_order;
mod encoding;
mod error;
mod example;
mod fine_tuning;
mod gradient;
mod loss;
mod observer;
mod schedule;
mod sft_config;
mod state;
mod training;

pub use conversation::{Conversation, ConversationFile};
pub use data_order::data_order;
pub use encoding::{EncodedExamples, Encoding, Format, TooLong};
pub use error::TuningError;
pub use example::Example;
pub use fine_tuning::FineTuning;
pub use loss::answer_loss;
pub use observer::{Observer, Silent};
pub use schedule::Schedule;
pub use sft_config::SftConfig;
pub use training::{Check, Decision, Outcome, SftRun, Start, Trained};
