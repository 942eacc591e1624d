//! Blocks of a table: pools of models.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::declared::column::Part;
use crate::declared::experts::Experts;

/// A pool of models and what its experts are good at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Block {
    /// Name in cells and published values.
    pub(crate) name: String,
    /// Heading in the table.
    pub(crate) title: String,
    /// The aligned model, as the paper names it.
    pub(crate) base: String,
    /// The experts, as the paper names them: a list, or by role.
    pub(crate) experts: Experts,
    /// The task that each accuracy column measures here.
    #[serde(default)]
    pub(crate) tasks: BTreeMap<String, String>,
    /// Rows that the block has; all unless given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) rows: Vec<String>,
    /// Where the block stands on the axes of figures, by name of the axis.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) at: BTreeMap<String, f64>,
    /// The tasks whose dev accuracy selects among models; those of the accuracy columns unless given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) select_on: Vec<String>,
    /// The published values, where they are not in the paper's file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) values: Option<BlockValues>,
    /// The tensors that metrics of likeness look at; all unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) part: Option<Part>,
}

/// A file of published values of another paper or table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BlockValues {
    /// Its path below `data/papers`.
    pub(crate) file: String,
    /// Where the original stands.
    pub(crate) source: String,
    /// What the file calls columns that have another name here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) columns: BTreeMap<String, String>,
}

impl Block {
    /// Whether the block has the row of that name.
    pub(crate) fn has_row(&self, row: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|name| name == row)
    }
}
