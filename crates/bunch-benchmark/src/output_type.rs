//! What a task asks of the model.

use serde::{Deserialize, Serialize};

/// What is asked of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputType {
    /// The most likely of several continuations.
    MultipleChoice,
    /// A continuation.
    GenerateUntil,
    /// The log-likelihood of a whole text in windows.
    LoglikelihoodRolling,
}
