//! Rows of a table: methods.

use std::collections::BTreeMap;

use bunch_report::Shape;
use serde::{Deserialize, Serialize};

use crate::weighting::{Data, Weighting};

/// A method of the table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Name in cells and claims.
    pub name: String,
    /// Label in the table.
    pub label: String,
    /// What neighbouring rows have in common.
    #[serde(default)]
    pub group: String,
    /// Row whose difference is shown in brackets.
    #[serde(default)]
    pub baseline: Option<String>,
    /// Mark in the figure.
    #[serde(default)]
    pub shape: Option<Shape>,
    /// Which line of the published values this row is; none unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<PublishedKey>,
    /// Where the row stands on the axes of figures, by name of the axis.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub at: BTreeMap<String, f64>,
    /// Where the weights of the row's model come from.
    pub weighting: Weighting,
}

/// The first columns of a line of published values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedKey {
    /// Column `merging`.
    #[serde(default)]
    pub merging: String,
    /// Column `task_weighting`.
    #[serde(default)]
    pub task_weighting: String,
    /// Column `data`.
    #[serde(default)]
    pub data: String,
    /// Further columns by name.
    #[serde(flatten)]
    pub more: BTreeMap<String, String>,
}

impl Row {
    /// The kinds of generated data the row's weighting looks at.
    pub fn data(&self) -> &[Data] {
        self.weighting.data()
    }
}
