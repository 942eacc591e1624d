//! `bunch methods`: what the registry says of the merge methods.

use anyhow::{Context, Result};
use bunch_merging::{BaseRole, CATALOGUE, Info, Role, docs_page, method_schema};
use serde_json::{Value, json};

use crate::arguments::MethodsArguments;

/// Prints the list of methods, or one method's page or schema.
pub fn methods(arguments: &MethodsArguments) -> Result<()> {
    let Some(name) = &arguments.name else {
        if arguments.json {
            let methods: Vec<Value> = CATALOGUE.iter().map(describe).collect();
            println!("{}", serde_json::to_string_pretty(&methods)?);
            return Ok(());
        }
        for info in CATALOGUE {
            println!("{:16} {}", info.name, info.title);
        }
        return Ok(());
    };
    let known = || {
        let names: Vec<&str> = CATALOGUE.iter().map(|info| info.name).collect();
        format!("unknown merge method `{name}`: there are {}", names.join(", "))
    };
    if arguments.json {
        let schema = method_schema(name).with_context(known)?;
        println!("{}", serde_json::to_string_pretty(&schema)?);
    } else {
        print!("{}", docs_page(name).with_context(known)?);
    }
    Ok(())
}

/// A method as JSON: what it is, what it takes, and its parameters' schema.
fn describe(info: &Info) -> Value {
    let base = match info.base {
        BaseRole::Required => "required",
        BaseRole::Optional => "optional",
        BaseRole::Ignored => "ignored",
    };
    let role = |role: &Role| json!({ "name": role.name, "what": role.what, "repeats": role.repeats });
    json!({
        "name": info.name,
        "title": info.title,
        "paper": info.paper.map(|paper| json!({ "id": paper.id, "authors": paper.authors, "url": paper.url() })),
        "base": base,
        "experts": { "min": info.experts.min, "max": info.experts.max },
        "roles": info.roles.iter().map(role).collect::<Vec<_>>(),
        "parameters": method_schema(info.name).map(|schema| schema.as_value()["properties"].clone()),
    })
}
