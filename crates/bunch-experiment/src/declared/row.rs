//! Rows of a table: methods.

use std::collections::BTreeMap;

use bunch_evolution::{AnyStrategy, Data};
use bunch_report::Shape;
use serde::{Deserialize, Serialize};

use crate::declared::block::Block;

/// A method of the table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    /// Name in cells and claims.
    pub(crate) name: String,
    /// Label in the table.
    pub(crate) label: String,
    /// What neighbouring rows have in common.
    #[serde(default)]
    pub(crate) group: String,
    /// Row whose difference is shown in brackets.
    #[serde(default)]
    pub(crate) baseline: Option<String>,
    /// Mark in the figure.
    #[serde(default)]
    pub(crate) shape: Option<Shape>,
    /// Which line of the published values this row is; none unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) published: Option<PublishedKey>,
    /// Where the row stands on the axes of figures, by name of the axis.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) at: BTreeMap<String, f64>,
    /// How the row's model is found.
    pub(crate) strategy: AnyStrategy,
}

/// The first columns of a line of published values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PublishedKey {
    /// Column `merging`.
    #[serde(default)]
    pub(crate) merging: String,
    /// Column `task_weighting`.
    #[serde(default)]
    pub(crate) task_weighting: String,
    /// Column `data`.
    #[serde(default)]
    pub(crate) data: String,
    /// Further columns by name.
    #[serde(flatten)]
    pub(crate) more: BTreeMap<String, String>,
}

impl Row {
    /// Fails if the row's strategy cannot run in a block's pool.
    pub(crate) fn check(&self, block: &Block) -> Result<(), String> {
        self.strategy.methods().into_iter().try_for_each(|method| block.experts.check_roles(&method))?;
        self.strategy.check(block.experts.len()).map_err(|error| error.to_string())
    }

    /// The kinds of generated data the row's strategy looks at.
    pub(crate) fn data(&self) -> &[Data] {
        self.strategy.data()
    }
}
