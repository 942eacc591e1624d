//! Judgements: what a judge said of an exchange, and how sure it was.

use serde::{Deserialize, Serialize};

use crate::Verdict;

/// A judge's answer about one exchange. It can be read back from a line that holds more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// What the judge says.
    pub verdict: Verdict,
    /// The codes of the harms that the judge named with [`Verdict::Unsafe`], in its order, such as `S1`.
    pub categories: Vec<String>,
    /// What the judge wrote, without special tokens; empty if it writes nothing.
    pub reply: String,
    /// The probability of the word for unsafe against that for safe where the verdict stands, in [0, 1]; absent if it was
    /// not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_unsafe: Option<f64>,
}

impl From<Verdict> for Judgement {
    /// A verdict and nothing else.
    fn from(verdict: Verdict) -> Self {
        Self { verdict, categories: Vec::new(), reply: String::new(), p_unsafe: None }
    }
}
