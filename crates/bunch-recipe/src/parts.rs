//! Makes a recipe from the options of a command line.

use crate::node::{Entry, Node, Value, describe_text};
use crate::problem::{Fault, Location, Problem, RecipeProblems};
use crate::reader::Reader;
use crate::recipe::Recipe;
use crate::toml;
use bunch_merging::{CATALOGUE, Spelling};

/// A recipe for all layers of some models, as options of a command line say it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Parts<'a> {
    /// `--method`.
    pub method: &'a str,
    /// `--base`: a model.
    pub base: Option<&'a str>,
    /// `--expert`, once for each: a model, behind `ROLE=` if the method knows its models by role, and possibly its weight.
    pub experts: &'a [(String, Option<f64>)],
    /// `--set`, once for each: a parameter and its value as in TOML, as in `density=0.2`.
    pub settings: &'a [String],
    /// `--dtype`.
    pub dtype: Option<&'a str>,
    /// `--out-dtype`.
    pub out_dtype: Option<&'a str>,
}

impl Recipe {
    /// The recipe that the options say, with the names of parameters as in TOML; [`Recipe::source`] is that recipe.
    ///
    /// # Errors
    /// As [`Recipe::parse`] has them; places are the options.
    pub fn from_parts(parts: &Parts<'_>) -> Result<Self, RecipeProblems> {
        let mut reader = Reader::new(Spelling::Bunch);
        let mut entries = vec![option("--method", "merge_method", parts.method)];
        entries.extend(parts.base.map(|base| option("--base", "base_model", base)));
        entries.extend(parts.dtype.map(|dtype| option("--dtype", "dtype", dtype)));
        entries.extend(parts.out_dtype.map(|dtype| option("--out-dtype", "out_dtype", dtype)));
        let mut parameters: Vec<Entry> = Vec::new();
        for setting in parts.settings {
            match parameter(setting) {
                Err(problems) => reader.problems.extend(problems.0),
                Ok(entry) => match parameters.iter().find(|first| first.key == entry.key) {
                    None => parameters.push(entry),
                    Some(first) => {
                        let fault =
                            Fault::Repeated { what: "parameter", got: entry.key, first: first.location.clone() };
                        reader.problems.push(Problem { location: entry.location, key: String::new(), fault });
                    }
                },
            }
        }
        if !parameters.is_empty() {
            entries.push(named("parameters", at("--set".into(), Value::Table(parameters))));
        }
        let has_roles = CATALOGUE.iter().any(|info| info.name == parts.method && !info.roles.is_empty());
        let experts = parts.experts.iter().map(|(model, weight)| expert(model, *weight, has_roles)).collect();
        entries.push(named("models", at("--expert".into(), Value::List(experts))));
        let root = at("the options".into(), Value::Table(entries));
        let source = toml::write(&root).and_then(|value| ::toml::to_string(&value).ok()).unwrap_or_default();
        reader.recipe(&root, source)
    }
}

fn option(option: &str, key: &str, text: &str) -> Entry {
    named(key, at(format!("{option} {text}"), Value::Text(text.to_owned())))
}

fn expert(model: &str, weight: Option<f64>, has_roles: bool) -> Node {
    let text = match weight {
        None => format!("--expert {model}"),
        Some(weight) => format!("--expert {model}:{weight}"),
    };
    let (role, model) =
        model.split_once('=').filter(|_| has_roles).map_or((None, model), |(role, model)| (Some(role), model));
    let mut entries = vec![named("model", at(text.clone(), Value::Text(model.to_owned())))];
    entries.extend(role.map(|role| named("role", at(text.clone(), Value::Text(role.to_owned())))));
    if let Some(weight) = weight {
        let weight = named("weight", at(text.clone(), Value::Float(weight)));
        entries.push(named("parameters", at(text.clone(), Value::Table(vec![weight]))));
    }
    at(text, Value::Table(entries))
}

/// A parameter and its value. Words need no quotes, which a shell would take away.
fn parameter(text: &str) -> Result<Entry, RecipeProblems> {
    let location = Location::Option(format!("--set {text}").into());
    let refuse = |expected: &str, got: String| {
        let fault = Fault::expected(expected, got);
        RecipeProblems::from(Problem { location: location.clone(), key: String::new(), fault })
    };
    let (key, value) =
        text.split_once('=').ok_or_else(|| refuse("a parameter and its value as `name=value`", describe_text(text)))?;
    let (key, value) = (key.trim(), value.trim());
    if key.is_empty() {
        return Err(refuse("the name of a parameter before `=`", "nothing".into()));
    }
    let is_word = value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    let node = match toml::read_value(value, &location) {
        Ok(node) => node,
        Err(_) if is_word && value.starts_with(|c: char| c.is_ascii_alphabetic()) => {
            Node { location: location.clone(), value: Value::Text(value.to_owned()) }
        }
        Err(message) => return Err(refuse("a value as in TOML", format!("{}: {message}", describe_text(value)))),
    };
    Ok(Entry { key: key.to_owned(), location, node })
}

fn named(key: &str, node: Node) -> Entry {
    Entry { key: key.to_owned(), location: node.location.clone(), node }
}

fn at(option: String, value: Value) -> Node {
    Node { location: Location::Option(option.into()), value }
}
