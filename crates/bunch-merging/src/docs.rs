//! Documentation pages, rendered from doc comments, [`Info`] and schema.

use crate::info::{BaseRole, Info, Law, SameModels};
use crate::methods::{CATALOGUE, method_schema};
use serde_json::Value;
use std::fmt::Write as _;

/// The documentation page of a method in Markdown, with the headings Concept, Inputs, Parameters, Example, Laws and
/// Reference; `None` for an unknown name.
pub fn docs_page(name: &str) -> Option<String> {
    let info = CATALOGUE.iter().find(|info| info.name == name)?;
    let schema = method_schema(name)?;
    let sections = sections(schema.get("description").and_then(Value::as_str).unwrap_or_default());
    let section = |heading: &str| {
        let found = sections.iter().find(|(found, _)| *found == heading);
        found.map_or(String::new(), |(_, text)| text.trim().to_owned())
    };
    let parts = [
        ("Concept", section("")),
        ("Inputs", section("Inputs")),
        ("Parameters", parameters(schema.as_value())),
        ("Example", section("Example")),
        ("Laws", laws(info, schema.as_value())),
        ("Reference", reference(info)),
    ];
    let mut page = format!("# {} (`{}`)\n", info.title, info.name);
    for (heading, text) in parts {
        // Writing to a String cannot fail.
        let _ = write!(page, "\n## {heading}\n\n{}\n", text.trim_end());
    }
    Some(page)
}

/// All methods as a Markdown table: title with a link to its page, name in configurations, models it takes, paper.
pub fn methods_table() -> String {
    let mut table = String::from("| Method | Name | Models | Paper |\n| --- | --- | --- | --- |\n");
    for info in CATALOGUE {
        let base = match info.base {
            BaseRole::Required => "base and ",
            BaseRole::Optional => "base or none, and ",
            BaseRole::Ignored => "",
        };
        let paper = reference(info);
        let (title, name) = (info.title, info.name);
        let _ = writeln!(table, "| [{title}]({name}.md) | `{name}` | {base}{} | {paper} |", info.experts);
    }
    table
}

/// Splits a doc comment at its `# ` headings, outside of code; the part before the first heading has none.
fn sections(text: &str) -> Vec<(&str, String)> {
    let mut sections = vec![("", String::new())];
    let mut in_code = false;
    for line in text.lines() {
        in_code ^= line.starts_with("```");
        match line.strip_prefix("# ") {
            Some(heading) if !in_code => sections.push((heading.trim(), String::new())),
            _ => {
                if let Some((_, section)) = sections.last_mut() {
                    section.push_str(line);
                    section.push('\n');
                }
            }
        }
    }
    sections
}

fn parameters(schema: &Value) -> String {
    let Some(properties) = schema["properties"].as_object() else { return "None.".into() };
    let mut table = String::from("| Name | Type | Default | Meaning |\n| --- | --- | --- | --- |\n");
    for (name, property) in properties {
        let default = match &property["default"] {
            Value::Null => "required".into(),
            // Scalars, strings and lists look the same in JSON and TOML.
            value => format!("`{value}`"),
        };
        let meaning = property["description"].as_str().unwrap_or_default().replace('\n', " ");
        let _ = writeln!(table, "| `{name}` | {} | {default} | {meaning} |", type_of(property));
    }
    table
}

/// A parameter's type in words.
fn type_of(schema: &Value) -> String {
    let alternatives = |schemas: &[Value]| schemas.iter().map(type_of).collect::<Vec<_>>().join(" or ");
    if let Some(schemas) = schema["anyOf"].as_array().or(schema["oneOf"].as_array()) {
        return alternatives(schemas);
    }
    if let Some(value) = schema.get("const") {
        return format!("`{value}`");
    }
    if let Some(values) = schema["enum"].as_array() {
        return values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(" or ");
    }
    match schema["type"].as_str() {
        Some("array") => format!("list with one {} for each expert", type_of(&schema["items"])),
        Some("number") => match (schema["minimum"].as_f64(), schema["maximum"].as_f64()) {
            (Some(minimum), Some(maximum)) => format!("number from {minimum} to {maximum}"),
            _ => "number".into(),
        },
        other => other.unwrap_or("any").into(),
    }
}

fn laws(info: &Info, schema: &Value) -> String {
    let has = |name: &str| schema["properties"].get(name).is_some();
    let law = |statement: &str, law: Law| match law {
        Law::Holds | Law::WithinRounding => format!("- {statement}.\n"),
        Law::Except(reason) => format!("- Not promised, because {reason}: {}.\n", statement.to_lowercase()),
    };
    let mut text = String::from("- The result has only finite values, or the merge is an error.\n");
    text += match info.laws.same_models {
        SameModels::BitForBit => "- Experts equal to the base return the base, bit for bit.\n",
        SameModels::WithinOneUlp if has("normalize") => {
            "- Equal models return that model within one unit in the last place, if normalised.\n"
        }
        SameModels::WithinOneUlp => "- Equal models return that model within one unit in the last place.\n",
        SameModels::Except(_) => "",
    };
    if let SameModels::Except(reason) = info.laws.same_models {
        text += &format!("- Not promised, because {reason}: equal models return that model.\n");
    }
    text +=
        "- The same seed gives the same bytes, whatever the order of tensors, the chunks or the number of threads.\n";
    text += &law("Permuting experts with their parameters changes nothing beyond rounding", info.laws.order_invariant);
    if has("scale") {
        text += "- With `scale` 0 the result is the base.\n";
    }
    text += &law(
        "Multiplying all weights (none negative) by one positive number changes nothing, exactly when normalised",
        info.laws.weight_scaling,
    );
    text
}

fn reference(info: &Info) -> String {
    let Some(paper) = info.paper else { return "None.".into() };
    match paper.url() {
        Some(url) if url == paper.id => format!("[{}]({url})", paper.authors),
        Some(url) => format!("[{}]({url}) ({})", paper.authors, paper.id),
        None => format!("{} ({})", paper.authors, paper.id),
    }
}
