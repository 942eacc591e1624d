//! Which generated data a strategy looks at.

use serde::{Deserialize, Serialize};

/// A kind of generated data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Data {
    /// D_expert: the experts' own questions and answers.
    Expert,
    /// D_safety: unsafe questions with safe answers.
    Safety,
}

impl Data {
    /// What the loss on it is called among a candidate's scores.
    pub(crate) fn loss_name(self) -> &'static str {
        match self {
            Self::Expert => "loss_expert",
            Self::Safety => "loss_safety",
        }
    }
}

/// Where the questions of generated data come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Models of the pool write them.
    #[default]
    Generated,
    /// They are the pool's own: questions and harmful requests of the dev split. Answers are generated all the same.
    Real,
}

impl Source {
    /// Left out of files and hashes where it is the default.
    pub(crate) fn is_generated(&self) -> bool {
        *self == Self::Generated
    }
}

/// Which data a strategy looks at: K, and where its questions come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DataNeed {
    /// K: pairs of each kind.
    pub pairs: usize,
    /// Where the questions come from.
    pub source: Source,
}
