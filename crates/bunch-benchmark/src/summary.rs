//! Scores of tasks and groups, in the fields of lm-evaluation-harness's results.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::metric::MetricValue;
use crate::outcome::Outcome;
use crate::task::{AggregateMetric, Group, MAIN_METRIC};
use crate::{Selection, Task};

/// What lm-eval writes where there is no standard error.
const NOT_AVAILABLE: &str = "N/A";

/// A number as JSON; infinity and what is not a number as Python's `json` spells them, in quotes.
pub(crate) fn number(value: f64) -> Value {
    match serde_json::Number::from_f64(value) {
        Some(number) => Value::Number(number),
        None if value.is_nan() => "NaN".into(),
        None => if value > 0.0 { "Infinity" } else { "-Infinity" }.into(),
    }
}

fn stderr(value: Option<f64>) -> Value {
    value.map_or_else(|| NOT_AVAILABLE.into(), number)
}

/// The scores of one task; `outcomes` holds for each document one outcome per filter.
pub(crate) fn task_scores(task: &Task, outcomes: &[Vec<Outcome>]) -> Map<String, Value> {
    let mut scores = Map::new();
    scores.insert("name".to_string(), task.task.as_str().into());
    scores.insert("alias".to_string(), task.alias().into());
    scores.insert("sample_len".to_string(), outcomes.len().into());
    for (at, filter) in task.filters().iter().enumerate() {
        for (index, metric) in task.metric_list.iter().enumerate() {
            let values: Vec<MetricValue> =
                outcomes.iter().filter_map(|filters| filters.get(at)?.values.get(index).cloned()).collect();
            let (metric, filter) = (metric.metric, &filter.name);
            scores.insert(format!("{},{filter}", metric.name()), number(metric.aggregate(&values)));
            scores.insert(format!("{}_stderr,{filter}", metric.name()), stderr(metric.stderr(&values)));
        }
    }
    scores
}

/// One task's part in a group's score.
struct Part {
    value: f64,
    stderr: Option<f64>,
    docs: usize,
}

/// The scores of a group out of those of its tasks.
pub(crate) fn group_scores(
    group: &Group,
    selection: &Selection,
    tasks: &BTreeMap<String, Map<String, Value>>,
) -> Map<String, Value> {
    let leaves: Vec<(&Task, &Map<String, Value>)> = selection
        .leaves(group)
        .into_iter()
        .filter_map(|name| Some((selection.tasks.iter().find(|task| task.task == name)?, tasks.get(name)?)))
        .collect();
    let mut scores = Map::new();
    scores.insert("alias".to_string(), group.alias().into());
    scores.insert("name".to_string(), group.group.as_str().into());
    scores.insert("sample_len".to_string(), leaves.iter().map(|(_, scores)| docs(scores)).sum::<usize>().into());
    let mut counts = Map::new();
    for aggregate in &group.aggregate_metric_list {
        for filter in filters(aggregate, &leaves) {
            let parts: Vec<Part> =
                leaves.iter().filter_map(|(task, scores)| part(aggregate, &filter, task, scores)).collect();
            let key = format!("{},{filter}", aggregate.metric);
            scores.insert(key.clone(), number(mean(aggregate, &parts)));
            scores.insert(format!("{}_stderr,{filter}", aggregate.metric), stderr(group_stderr(aggregate, &parts)));
            counts.insert(key, parts.iter().map(|part| part.docs).sum::<usize>().into());
        }
    }
    scores.insert("sample_count".to_string(), Value::Object(counts));
    scores
}

fn docs(scores: &Map<String, Value>) -> usize {
    scores.get("sample_len").and_then(Value::as_u64).unwrap_or_default() as usize
}

/// The filters under which the tasks have the metric, sorted; each task's main metric counts under its first filter.
fn filters(aggregate: &AggregateMetric, leaves: &[(&Task, &Map<String, Value>)]) -> Vec<String> {
    if aggregate.metric == MAIN_METRIC {
        return vec!["none".to_string()];
    }
    let start = format!("{},", aggregate.metric);
    let keys = leaves.iter().flat_map(|(_, scores)| scores.keys());
    let mut filters: Vec<String> = keys.filter_map(|key| key.strip_prefix(&start).map(str::to_string)).collect();
    filters.sort();
    filters.dedup();
    filters
}

fn part(aggregate: &AggregateMetric, filter: &str, task: &Task, scores: &Map<String, Value>) -> Option<Part> {
    let (metric, filter) = match task.metric_list.first() {
        Some(main) if aggregate.metric == MAIN_METRIC => (main.metric.name(), task.filters().first()?.name.clone()),
        _ => (aggregate.metric.as_str(), filter.to_string()),
    };
    let value = scores.get(&format!("{metric},{filter}"))?.as_f64()?;
    let stderr = scores.get(&format!("{metric}_stderr,{filter}")).and_then(Value::as_f64);
    Some(Part { value, stderr, docs: docs(scores) })
}

fn mean(aggregate: &AggregateMetric, parts: &[Part]) -> f64 {
    let weight = |part: &Part| if aggregate.weight_by_size { part.docs as f64 } else { 1.0 };
    let sum: f64 = parts.iter().map(|part| part.value * weight(part)).sum();
    sum / parts.iter().map(weight).sum::<f64>()
}

/// The pooled standard error of a mean weighted by size, or that of a plain mean of independent scores.
fn group_stderr(aggregate: &AggregateMetric, parts: &[Part]) -> Option<f64> {
    let squares = |weight: fn(f64) -> f64| {
        parts
            .iter()
            .map(|part| part.stderr.map(|stderr| weight(part.docs as f64) * stderr * stderr))
            .sum::<Option<f64>>()
    };
    if !aggregate.weight_by_size {
        return Some(squares(|_| 1.0)?.sqrt() / parts.len() as f64);
    }
    let size: f64 = parts.iter().map(|part| part.docs as f64).sum();
    let pooled = squares(|docs| (docs - 1.0) * docs)? / (size - parts.len() as f64);
    Some((pooled / size).sqrt())
}

/// lm-eval's `higher_is_better` of all tasks and groups: null where a group's tasks disagree.
pub(crate) fn directions(selection: &Selection) -> BTreeMap<String, Map<String, Value>> {
    let task = |task: &Task| {
        let metric = task.metric_list.iter().map(|own| (own.metric.name().to_string(), own.higher_is_better().into()));
        (task.task.clone(), metric.collect::<Map<String, Value>>())
    };
    let mut directions: BTreeMap<String, Map<String, Value>> = selection.tasks.iter().map(task).collect();
    for group in &selection.groups {
        let mut own: Map<String, Value> = Map::new();
        for (metric, direction) in group.task.iter().filter_map(|child| directions.get(child)).flatten() {
            let known = own.entry(metric.clone()).or_insert_with(|| direction.clone());
            if known != direction {
                *known = Value::Null;
            }
        }
        directions.insert(group.group.clone(), own);
    }
    directions
}

/// lm-eval's `n-shot` of all tasks, and of the groups whose members agree.
pub(crate) fn shots<'task>(
    selection: &Selection,
    tasks: impl Iterator<Item = (&'task str, usize)>,
) -> BTreeMap<String, Value> {
    let mut shots: BTreeMap<String, Value> = tasks.map(|(name, shots)| (name.to_string(), json!(shots))).collect();
    for group in &selection.groups {
        let mut members = group.task.iter().filter_map(|child| shots.get(child));
        if let Some(first) = members.next().cloned().filter(|first| members.all(|other| other == first)) {
            shots.insert(group.group.clone(), first);
        }
    }
    shots
}
