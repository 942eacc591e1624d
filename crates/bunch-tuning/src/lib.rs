//! Supervised fine-tuning of a Llama: the loss, the learning rate and one training loop.

mod data_order;
mod error;
mod example;
mod loss;
mod observer;
mod schedule;
mod training;

pub use data_order::data_order;
pub use error::TuningError;
pub use example::Example;
pub use loss::answer_loss;
pub use observer::{Observer, Silent};
pub use schedule::Schedule;
pub use training::{Decision, Outcome, SftConfig, train_sft};
