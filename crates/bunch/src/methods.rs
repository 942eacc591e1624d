//! `bunch methods`: what the registry says of the merge methods.

use anyhow::{Context, Result};
use bunch_merging::{CATALOGUE, docs_page, method_schema};

use crate::arguments::MethodsArguments;

/// Prints the list of methods, or one method's page or schema.
pub fn methods(arguments: &MethodsArguments) -> Result<()> {
    let Some(name) = &arguments.name else {
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
