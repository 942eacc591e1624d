//! What one row of one block scored with one seed: the unit that is cached.

use std::collections::BTreeMap;

use bunch_evaluation::Proportion;
use bunch_search::Evaluation;
use serde::{Deserialize, Serialize};

/// One metric of one model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Score {
    /// In percent.
    pub(crate) value: f64,
    /// Binomial standard error, in percentage points.
    pub(crate) stderr: f64,
    /// Test items.
    pub(crate) n: u64,
    /// One character an item, in the order of the test set: 1 if it counts.
    pub(crate) items: String,
}

impl Score {
    /// The share of items that count.
    pub(crate) fn of(items: &[bool]) -> Self {
        let proportion = Proportion::of(items);
        Self {
            value: proportion.percent(),
            stderr: proportion.stderr_percent(),
            n: items.len() as u64,
            items: items.iter().map(|&item| if item { '1' } else { '0' }).collect(),
        }
    }

    /// The share behind the value.
    pub(crate) fn proportion(&self) -> Proportion {
        Proportion::of(&self.items.bytes().map(|item| item == b'1').collect::<Vec<_>>())
    }
}

/// All metrics of one model, and how the model was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Measurement {
    /// Content address: hash of everything the scores follow from.
    pub(crate) id: String,
    pub(crate) block: String,
    pub(crate) row: String,
    pub(crate) seed: u64,
    /// Scores by column.
    pub(crate) scores: BTreeMap<String, Score>,
    /// Coefficients and losses by name.
    pub(crate) detail: BTreeMap<String, f64>,
    /// Every point the search evaluated.
    pub(crate) trace: Vec<Evaluation>,
    /// Hash of the model's weights.
    pub(crate) weights_sha256: String,
    /// What the model answered to the first harmful prompts, for a reader.
    pub(crate) samples: Vec<Sample>,
    pub(crate) wall_seconds: f64,
}

/// One exchange as it happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sample {
    pub(crate) prompt: String,
    pub(crate) response: String,
    pub(crate) safe: bool,
}
