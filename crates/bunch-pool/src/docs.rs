//! The reference of `pool.toml`, rendered from its types.

use std::fmt::Write as _;

use schemars::{Schema, schema_for};
use serde_json::Value;

use crate::PoolFile;

/// The JSON schema of `pool.toml`.
pub fn pool_schema() -> Schema {
    schema_for!(PoolFile)
}

/// The keys of `pool.toml` in Markdown, table by table.
pub fn docs_reference() -> String {
    let schema = pool_schema().to_value();
    let definition = |name: &str| schema["$defs"][name].clone();
    let tables = [
        ("", schema.clone()),
        ("member.NAME", definition("PoolMember")),
        ("helper.NAME", definition("PoolHelper")),
        ("prompts", definition("TestAndDev")),
        ("tasks", definition("TestAndDev")),
        ("generation", definition("GenerationSettings")),
    ];
    let mut text = String::new();
    for (name, table) in tables {
        let heading = match name {
            "" => "At the top".to_owned(),
            "prompts" | "tasks" => format!("`[{name}]`, each `NAME = {{ .. }}`"),
            _ => format!("`[{name}]`"),
        };
        // Writing to a String cannot fail.
        let _ = write!(text, "### {heading}\n\n{}\n", keys(&table));
    }
    text.trim_end().to_owned() + "\n"
}

/// The keys of a table that are values.
fn keys(table: &Value) -> String {
    let required: Vec<&str> = table["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut text = String::from("| Key | Type | Default | Meaning |\n| --- | --- | --- | --- |\n");
    let properties = table["properties"].as_object().into_iter().flatten();
    for (name, property) in properties.filter(|(_, property)| type_of(property) != "table") {
        let default = match &property["default"] {
            _ if required.contains(&name.as_str()) => "required".to_owned(),
            Value::Null => "none".to_owned(),
            Value::Number(number) => number.as_f64().map_or(String::new(), |number| format!("`{}`", number as f32)),
            value => format!("`{value}`"),
        };
        let meaning = property["description"].as_str().unwrap_or_default().replace('\n', " ");
        let _ = writeln!(text, "| `{name}` | {} | {default} | {meaning} |", type_of(property));
    }
    text
}

/// A key's type in words; `table` for one that is documented as a table of its own.
fn type_of(property: &Value) -> &'static str {
    let is = |name: &str| {
        let kind = &property["type"];
        kind == name || kind.as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == name))
    };
    match () {
        () if is("string") => "text",
        () if is("boolean") => "true or false",
        () if is("integer") => "whole number",
        () if is("number") => "number",
        () => "table",
    }
}

#[cfg(test)]
mod tests {
    use super::{docs_reference, pool_schema};

    #[test]
    fn every_key_is_documented_and_no_other_is_allowed() {
        let text = docs_reference();
        for key in ["schema", "base", "model", "aligned", "topic", "ask", "judge", "test", "dev", "max_new_tokens"] {
            assert!(text.contains(&format!("| `{key}` |")), "{key}: {text}");
        }
        assert!(!text.contains("|  |"), "a key without a meaning or a type: {text}");
        let schema = pool_schema().to_value();
        for table in [&schema, &schema["$defs"]["PoolMember"], &schema["$defs"]["GenerationSettings"]] {
            assert_eq!(table["additionalProperties"], false, "{table}");
        }
    }
}
