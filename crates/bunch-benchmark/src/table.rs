//! lm-evaluation-harness's table of results, in Markdown.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

const HEADER: [&str; 9] = ["Tasks", "Version", "Filter", "n-shot", "Metric", "", "Value", "", "Stderr"];

/// The table of tasks, and that of groups where there are any.
pub(crate) fn tables(results: &Map<String, Value>) -> String {
    let mut tables = vec![table(results, "results", "Tasks")];
    if results.contains_key("groups") {
        tables.push(table(results, "groups", "Groups"));
    }
    tables.join("\n")
}

fn table(results: &Map<String, Value>, column: &str, title: &str) -> String {
    let empty = Map::new();
    let part = |name: &str| results.get(name).and_then(Value::as_object).unwrap_or(&empty);
    let scores = part(column);
    let mut rows: Vec<[String; 9]> = Vec::new();
    for (name, depth) in &order(part("group_subtasks"), scores) {
        let Some(own) = scores.get(name).and_then(Value::as_object) else { continue };
        let text = |value: Option<&Value>| value.map(crate::python::to_text).unwrap_or_default();
        let indent = if *depth > 0 { format!("{}- ", " ".repeat(*depth)) } else { String::new() };
        let alias = format!("{indent}{}", text(own.get("alias")));
        let version = text(part("versions").get(name));
        let version = version.strip_suffix(".0").unwrap_or(&version).to_string();
        let shots = text(part("n-shot").get(name));
        let mut sorted: BTreeMap<&str, &Value> = own.iter().map(|(key, value)| (key.as_str(), value)).collect();
        sorted.retain(|key, _| key.contains(',') && !key.contains("_stderr,"));
        for (at, (key, value)) in sorted.into_iter().enumerate() {
            let (metric, filter) = key.split_once(',').unwrap_or((key, ""));
            let better =
                part("higher_is_better").get(name).and_then(|metrics| metrics.get(metric)).and_then(Value::as_bool);
            let arrow = match better {
                Some(true) => "↑",
                Some(false) => "↓",
                None => "",
            };
            let stderr = own.get(&format!("{metric}_stderr,{filter}"));
            let first = |text: &str| if at == 0 { text.to_string() } else { String::new() };
            rows.push([
                first(&alias),
                first(&version),
                filter.to_string(),
                shots.clone(),
                metric.to_string(),
                arrow.to_string(),
                rounded(Some(value)),
                "±".to_string(),
                rounded(stderr),
            ]);
        }
    }
    markdown(title, &rows)
}

fn rounded(value: Option<&Value>) -> String {
    match value {
        Some(Value::Number(number)) => format!("{:.4}", number.as_f64().unwrap_or(f64::NAN)),
        Some(other) => crate::python::to_text(other),
        None => String::new(),
    }
}

/// Names in lm-eval's order, with their depth: groups with what they contain, sorted, then the other tasks.
fn order(groups: &Map<String, Value>, scores: &Map<String, Value>) -> Vec<(String, usize)> {
    let children = |name: &str| {
        let children = groups.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let mut children: Vec<&str> = children.iter().filter_map(Value::as_str).collect();
        children.sort_unstable();
        children
    };
    let inside: Vec<&str> = groups.keys().flat_map(|group| children(group)).collect();
    let mut roots: Vec<&str> = groups.keys().map(String::as_str).filter(|name| !inside.contains(name)).collect();
    roots.sort_unstable();
    let mut order: Vec<(String, usize)> = Vec::new();
    let mut stack: Vec<(&str, usize)> = roots.into_iter().rev().map(|name| (name, 0)).collect();
    while let Some((name, depth)) = stack.pop() {
        if scores.contains_key(name) {
            order.push((name.to_string(), depth));
        }
        stack.extend(children(name).into_iter().rev().map(|child| (child, depth + 1)));
    }
    let mut others: Vec<&String> =
        scores.keys().filter(|name| !order.iter().any(|(known, _)| known == *name)).collect();
    others.sort();
    order.extend(others.into_iter().map(|name| (name.clone(), 0)).collect::<Vec<_>>());
    order
}

fn markdown(title: &str, rows: &[[String; 9]]) -> String {
    let mut header = HEADER.map(str::to_string);
    header[0] = title.to_string();
    let width =
        |at: usize| rows.iter().chain([&header]).map(|row| row[at].chars().count()).max().unwrap_or_default().max(3);
    let widths: [usize; 9] = std::array::from_fn(width);
    // Numbers stand on the right, as in lm-eval's table.
    let right = [1, 3, 6, 8];
    let line = |row: &[String; 9]| {
        let cell = |at: usize| {
            let padding = " ".repeat(widths[at] - row[at].chars().count());
            if right.contains(&at) { format!("{padding}{}", row[at]) } else { format!("{}{padding}", row[at]) }
        };
        format!("|{}|\n", (0..9).map(cell).collect::<Vec<_>>().join("|"))
    };
    let rule = |at: usize| {
        let dashes = "-".repeat(widths[at] - usize::from(right.contains(&at)));
        if right.contains(&at) { format!("{dashes}:") } else { dashes }
    };
    let title = |at: usize| format!("{:^1$}", header[at], widths[at]);
    let row = |cell: &dyn Fn(usize) -> String| format!("|{}|\n", (0..9).map(cell).collect::<Vec<_>>().join("|"));
    let body: String = rows.iter().map(line).collect();
    format!("{}{}{body}", row(&title), row(&rule))
}
