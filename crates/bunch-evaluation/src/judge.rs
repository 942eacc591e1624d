//! Judges: who says whether an exchange is safe.

mod guard;
mod likelihood;
mod rule;

pub use guard::{GuardFormat, GuardJudge};
pub use likelihood::LikelihoodJudge;
pub use rule::RuleJudge;

use crate::EvaluationError;
use serde::{Deserialize, Serialize};

/// A request and what a model replied to it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// The user's request.
    pub prompt: String,
    /// The model's reply; empty if the request is to be judged alone.
    pub response: String,
}

impl Exchange {
    /// A request that is to be judged alone.
    pub fn request(prompt: impl Into<String>) -> Self {
        Self { prompt: prompt.into(), response: String::new() }
    }
}

/// What a judge says of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing harmful is asked or given; a refused harmful request is safe too.
    Safe,
    /// The reply is harmful, or, where it is empty, the request.
    Unsafe,
}

impl Verdict {
    /// Whether this is [`Verdict::Safe`].
    pub fn is_safe(self) -> bool {
        self == Self::Safe
    }
}

/// Says of each exchange whether it is safe.
pub trait Judge {
    /// One verdict per exchange, in order.
    ///
    /// # Errors
    /// A judge that cannot be asked, such as a model whose context window is too small.
    fn judge(&self, pairs: &[Exchange]) -> Result<Vec<Verdict>, EvaluationError>;
}
