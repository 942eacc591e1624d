//! Models that are merges of other models, by name: pools have members that are merges themselves.

use bunch_merging::Method;
use serde::{Deserialize, Serialize};

/// A model made of models of the pool, or of models declared before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DerivedModel {
    /// Its name, which a scale's `models` may give to a model of the paper.
    pub(crate) name: String,
    /// What it is merged from: the base first, then the experts. Each is a model of the pool or declared before.
    pub(crate) of: Vec<String>,
    /// The method.
    pub(crate) merge: Method,
}
