//! Fine-tuning of a Llama on answers or on preferences, of all weights or of a low-rank adapter: text to examples, the losses
//! one training loop, and how much each weight matters to answers.

mod adamw;
mod average;
mod conversation;
mod data_order;
mod encoding;
mod error;
mod example;
mod fine_tuning;
mod gradient;
mod lesson;
mod loss;
mod objective;
mod observer;
mod preference;
mod preference_file;
mod preference_loss;
mod preference_run;
mod schedule;
mod sft_config;
mod state;
mod training;
mod training_loop;
mod weight_scores;

pub use conversation::{Conversation, ConversationFile};
pub use data_order::data_order;
pub use encoding::{EncodedExamples, EncodedPairs, Encoding, Format, TooLong};
pub use error::TuningError;
pub use example::Example;
pub use fine_tuning::{FineTuning, TrainingData};
pub use lesson::{Lesson, LessonRun};
pub use loss::answer_loss;
pub use observer::{Observer, Silent};
pub use preference::PreferenceExample;
pub use preference_file::{PreferenceFile, PreferencePair};
pub use preference_loss::{PreferenceLoss, response_log_probs};
pub use preference_run::PreferenceRun;
pub use schedule::Schedule;
pub use sft_config::SftConfig;
pub use training::{Check, Decision, Outcome, SftRun, Start, Trained};
pub use weight_scores::{WeightScore, WeightScoring};
