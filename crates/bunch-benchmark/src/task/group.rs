//! A group of tasks whose scores are summarised in one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A named collection of tasks and groups.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Its name.
    pub group: String,
    /// The name in tables; the group's own where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_alias: Option<String>,
    /// Names of tasks and groups.
    pub task: Vec<String>,
    /// What is summarised.
    pub aggregate_metric_list: Vec<AggregateMetric>,
    /// Version and notes.
    #[serde(default)]
    pub metadata: BTreeMap<String, Value>,
}

/// A metric that is averaged over a group's tasks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AggregateMetric {
    /// The metric's name, or `main_metric`: each task's first.
    pub metric: String,
    /// Whether a task counts as often as it has documents.
    #[serde(default = "yes")]
    pub weight_by_size: bool,
}

const fn yes() -> bool {
    true
}

/// The name under which each task's first metric is averaged.
pub(crate) const MAIN_METRIC: &str = "main_metric";

impl Group {
    /// The name in tables.
    #[must_use]
    pub fn alias(&self) -> &str {
        self.group_alias.as_deref().unwrap_or(&self.group)
    }

    /// The version of the group's definition.
    #[must_use]
    pub fn version(&self) -> Value {
        match self.metadata.get("version") {
            Some(version) => Value::String(crate::python::to_text(version)),
            None => Value::String("N/A".to_string()),
        }
    }
}
