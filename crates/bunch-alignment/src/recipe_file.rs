//! The recipe of a merge that was found, which `bunch merge` and mergekit carry out.

use std::path::Path;

use bunch_evolution::{BaseAs, FoundMerge};
use bunch_merging::{BaseRole, Spelling, parameters_of};
use bunch_recipe::Recipe;
use serde_json::{Map, Value};

use crate::{AlignmentError, OpenPool};

/// A recipe's file.
pub(crate) struct RecipeFile {
    /// `best.yml`, or `best.toml` where mergekit has no words for the merge.
    pub(crate) name: &'static str,
    pub(crate) text: String,
    /// Why mergekit cannot read it, if so.
    pub(crate) why_not_mergekit: Option<String>,
}

/// A model of the recipe with its own parameters.
struct Entry {
    model: String,
    role: Option<&'static str>,
    parameters: Map<String, Value>,
}

/// The recipe of `merge` of the pool's members; `seed` is that of methods that draw random numbers.
pub(crate) fn recipe_file(merge: &FoundMerge, pool: &OpenPool<'_>, seed: u64) -> Result<RecipeFile, AlignmentError> {
    let info = merge.method.info();
    let members = match merge.base {
        BaseAs::Expert => pool.members(),
        BaseAs::Reference | BaseAs::LeftOut => pool.experts(),
    };
    let (spelling, parameters, why_not_mergekit) = match parameters_of(&merge.method, Spelling::Mergekit, members.len())
    {
        Ok(_) if !info.roles.is_empty() => {
            (Spelling::Bunch, ours(merge, members)?, Some(format!("mergekit does not know {}", info.name)))
        }
        Ok(parameters) => (Spelling::Mergekit, parameters, None),
        Err(why) => (Spelling::Bunch, ours(merge, members)?, Some(why)),
    };
    let mut entries = Vec::new();
    let roles = info.roles.iter().map(|role| role.name).filter(|role| *role != "base").collect::<Vec<_>>();
    for (index, name) in members.iter().enumerate() {
        let own =
            parameters.iter().filter_map(|(name, value)| Some((name.clone(), value.as_array()?.get(index)?.clone())));
        let role = roles.get(index).or(roles.last()).copied();
        entries.push(Entry { model: path(pool, name)?, role, parameters: own.collect() });
    }
    let shared: Map<String, Value> = parameters.into_iter().filter(|(_, value)| !value.is_array()).collect();
    let has_base = merge.base == BaseAs::Reference && info.base != BaseRole::Ignored;
    let base = if has_base { Some(path(pool, pool.base())?) } else { None };
    let name = if spelling == Spelling::Mergekit { "best.yml" } else { "best.toml" };
    let body = match spelling {
        Spelling::Mergekit => yaml(info.name, base.as_deref(), &entries, &shared),
        Spelling::Bunch => toml(info.name, base.as_deref(), &entries, &shared),
    };
    let text = format!("# Found by bunch evolve. Merge it: bunch merge {name} merged/ --seed {seed}\n{body}");
    // What is written here is read back there.
    Recipe::parse(Path::new(name), &text)?;
    Ok(RecipeFile { name, text, why_not_mergekit })
}

fn ours(merge: &FoundMerge, members: &[String]) -> Result<Map<String, Value>, AlignmentError> {
    let refused = |got| AlignmentError::Setting { option: "--method", expected: "a recipe".into(), got };
    parameters_of(&merge.method, Spelling::Bunch, members.len()).map_err(refused)
}

/// Where a member is, wherever the recipe is read from.
fn path(pool: &OpenPool<'_>, name: &str) -> Result<String, AlignmentError> {
    let path = pool.pool().model(name)?;
    Ok(std::path::absolute(&path).unwrap_or(path).display().to_string())
}

fn yaml(method: &str, base: Option<&str>, entries: &[Entry], shared: &Map<String, Value>) -> String {
    let mut text = format!("merge_method: {method}\n");
    text.extend(base.map(|base| format!("base_model: {}\n", Value::from(base))));
    text += "models:\n";
    for Entry { model, parameters, .. } in entries {
        text += &format!("- model: {}\n", Value::from(model.as_str()));
        if !parameters.is_empty() {
            text += "  parameters:\n";
            text.extend(parameters.iter().map(|(name, value)| format!("    {name}: {value}\n")));
        }
    }
    if !shared.is_empty() {
        text += "parameters:\n";
        text.extend(shared.iter().map(|(name, value)| format!("  {name}: {value}\n")));
    }
    text
}

fn toml(method: &str, base: Option<&str>, entries: &[Entry], shared: &Map<String, Value>) -> String {
    let mut text = format!("merge_method = {}\n", Value::from(method));
    text.extend(base.map(|base| format!("base_model = {}\n", Value::from(base))));
    if !shared.is_empty() {
        text += "\n[parameters]\n";
        text.extend(shared.iter().map(|(name, value)| format!("{name} = {value}\n")));
    }
    for Entry { model, role, parameters } in entries {
        text += &format!("\n[[models]]\nmodel = {}\n", Value::from(model.as_str()));
        text.extend(role.map(|role| format!("role = {}\n", Value::from(role))));
        let parameters: Vec<String> = parameters.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        if !parameters.is_empty() {
            text += &format!("parameters = {{ {} }}\n", parameters.join(", "));
        }
    }
    text
}
