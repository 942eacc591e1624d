//! A family: tasks that differ in their subject alone, such as MMLU's 57, and their groups.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::definition::Task;
use super::group::{AggregateMetric, Group};
use crate::BenchmarkError;

/// A template and the subjects it is filled with. `{subject}` is the subject, `{subject_words}` the same with spaces for
/// underscores; both are replaced in `task`, `task_alias`, `dataset_name` and `description`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Family {
    /// The family's name.
    #[serde(rename = "family")]
    _family: String,
    template: toml::Table,
    groups: Vec<FamilyGroup>,
}

/// A group of a family: of subjects, or of other groups.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FamilyGroup {
    group: String,
    group_alias: Option<String>,
    #[serde(default)]
    subjects: Vec<String>,
    #[serde(default)]
    task: Vec<String>,
    aggregate_metric_list: Vec<AggregateMetric>,
    #[serde(default)]
    metadata: BTreeMap<String, Value>,
}

impl Family {
    /// All tasks and groups of the family.
    pub(super) fn members(self, file: &str) -> Result<(Vec<Task>, Vec<Group>), BenchmarkError> {
        let mut tasks = Vec::new();
        let mut groups = Vec::new();
        for group in self.groups {
            let mut children = group.task;
            for subject in &group.subjects {
                let source = fill(&self.template, subject).to_string();
                let task = Task::parse(&source, file, None)?;
                children.push(task.task.clone());
                tasks.push(task);
            }
            groups.push(Group {
                group: group.group,
                group_alias: group.group_alias,
                task: children,
                aggregate_metric_list: group.aggregate_metric_list,
                metadata: group.metadata,
            });
        }
        Ok((tasks, groups))
    }
}

fn fill(template: &toml::Table, subject: &str) -> toml::Table {
    let words = subject.replace('_', " ");
    let mut filled = template.clone();
    for key in ["task", "task_alias", "dataset_name", "description"] {
        if let Some(toml::Value::String(text)) = filled.get_mut(key) {
            *text = text.replace("{subject}", subject).replace("{subject_words}", &words);
        }
    }
    filled
}
