//! What is merged, how, and into what: a recipe, in mergekit's YAML or in TOML.

use crate::form::{Form, Origin};
use crate::model_reference::ModelReference;
use crate::node::{Entry, MAX_BYTES, Node, Value};
use crate::parameters::{Known, Level};
use crate::plan::{Draft, Plan};
use crate::problem::{Fault, Location, Problem, RecipeProblems};
use crate::reader::{Field, Reader, Table};
use crate::setting::Settings;
use crate::tokenizer::TokenizerSection;
use crate::{toml, yaml};
use bunch_merging::{CATALOGUE, Spelling, nearest_name};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// What is merged, how, and into what.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// Whose names and defaults the parameters have: mergekit's in YAML, those of the configuration in TOML.
    pub spelling: Spelling,
    /// Name of the merge method, one of [`CATALOGUE`].
    pub merge_method: String,
    /// The base of all slices that name no other.
    pub base_model: Option<ModelReference>,
    /// Which models are merged, and which layers of them.
    pub form: Form,
    /// The inputs are rounded to this type before they are merged, and the output has it unless `out_dtype` is given.
    pub dtype: Option<FloatDtype>,
    /// The type of the output.
    pub out_dtype: Option<FloatDtype>,
    /// What happens to the vocabulary; without it, vocabularies must be equal.
    pub tokenizer: Option<TokenizerSection>,
    /// `auto`, the name of a built-in template, or a Jinja template.
    pub chat_template: Option<String>,
    /// Parameters for everything.
    pub parameters: Settings,
    /// The text as it was read.
    pub source: String,
    /// What is allowed and yet not what it seems, with its place.
    pub notes: Vec<String>,
    pub(crate) known: Known,
    pub(crate) plan: Plan,
    pub(crate) origin: Origin,
}

/// A type of floating-point numbers in checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FloatDtype {
    /// 32 bits.
    Float32,
    /// 16 bits, 10 of them for the fraction.
    Float16,
    /// 16 bits, 7 of them for the fraction.
    Bfloat16,
}

impl fmt::Display for FloatDtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Float32 => "float32",
            Self::Float16 => "float16",
            Self::Bfloat16 => "bfloat16",
        })
    }
}

impl Recipe {
    /// Reads a recipe: TOML if the file's name ends in `.toml`, else YAML. The file itself is not opened.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with line, column and key.
    pub fn parse(path: &Path, text: &str) -> Result<Self, RecipeProblems> {
        let file: Arc<str> = path.display().to_string().into();
        let is_toml = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml"));
        let spelling = if is_toml { Spelling::Bunch } else { Spelling::Mergekit };
        let mut reader = Reader::new(spelling);
        check_text(text, &file)?;
        let root = if is_toml { toml::read(text, &file)? } else { yaml::read(text, &file, &mut reader.problems)? };
        reader.recipe(&root, text.to_owned())
    }

    /// Every model referred to, each once: the base, then in the order of the recipe.
    pub fn models(&self) -> Vec<&ModelReference> {
        let sources = self.plan.slices.iter().flat_map(|slice| &slice.sources).map(|source| &source.model);
        let tokenizer = self.tokenizer.iter().flat_map(TokenizerSection::models);
        let mut models = Vec::new();
        for model in self.base_model.iter().chain(sources).chain(tokenizer) {
            if !models.contains(&model) {
                models.push(model);
            }
        }
        models
    }
}

impl Recipe {
    /// What a model is to the merge: `base`, the names of its roles, or `merged`; nothing if it only lends its tokenizer.
    pub fn roles_of(&self, model: &ModelReference) -> Vec<&'static str> {
        let mut roles = Vec::new();
        let known = self.known.info;
        for slice in &self.plan.slices {
            let experts = slice.experts.iter().enumerate();
            let experts =
                experts.map(|(place, &source)| (known.role_of(place).map_or("merged", |role| role.name), source));
            for (role, source) in slice.base.map(|base| ("base", base)).into_iter().chain(experts) {
                if slice.sources[source].model == *model && !roles.contains(&role) {
                    roles.push(role);
                }
            }
        }
        roles
    }
}

impl Reader {
    /// The recipe in the tree, if nothing is wrong with it.
    pub(crate) fn recipe(mut self, root: &Node, source: String) -> Result<Recipe, RecipeProblems> {
        let recipe = self.read(root, source);
        match recipe {
            Some(recipe) if self.problems.is_empty() => {
                self.notes.sort();
                let notes = self.notes.iter().map(|(location, text)| format!("{location}: {text}")).collect();
                Ok(Recipe { notes, ..recipe })
            }
            _ => {
                self.problems.sort_by(|a, b| a.location.cmp(&b.location));
                Err(RecipeProblems(self.problems))
            }
        }
    }

    fn read(&mut self, root: &Node, source: String) -> Option<Recipe> {
        const KEYS: [&str; 11] = [
            "merge_method",
            "base_model",
            "models",
            "slices",
            "modules",
            "parameters",
            "dtype",
            "out_dtype",
            "tokenizer",
            "tokenizer_source",
            "chat_template",
        ];
        let root = Field { node: root, key: String::new() };
        if let Some(problem) = of_other_tool(&root) {
            self.problems.push(problem);
            return None;
        }
        let table = self.table(&root, "a table with `merge_method`", &KEYS)?;
        let known = self.method(&table);
        let base = table.get("base_model").map(|field| Some((self.model(&field)?, Origin::new(&field))));
        let dtype = self.dtype(&table, "dtype");
        let out_dtype = self.dtype(&table, "out_dtype");
        let tokenizer = self.tokenizer(&table);
        let chat_template = table.get("chat_template").and_then(|field| self.text(&field, "a template or its name"));
        let parameters = self.parameters(&table, Level::Shared, known.as_ref());
        let form = self.form(&table, known.as_ref());
        let (known, form) = (known?, form?);
        // What is built on a base that could not be read says nothing.
        let base = base.map_or(Some(None), |base| base.map(Some))?;
        let form_field = KEYS[2..5].iter().find_map(|key| table.get(key))?;
        let plan = Draft {
            known: &known,
            form: &form,
            form_origin: &Origin::new(&form_field),
            base_model: base.as_ref(),
            parameters: &parameters,
            origin: &Origin::new(&root),
        }
        .plan(self);
        let recipe = Recipe {
            spelling: self.spelling,
            merge_method: known.info.name.to_owned(),
            base_model: base.map(|(base, _)| base),
            form,
            dtype,
            out_dtype,
            tokenizer,
            chat_template: chat_template.map(str::to_owned),
            parameters,
            source,
            notes: Vec::new(),
            known,
            plan,
            origin: Origin::new(&table.get("merge_method")?),
        };
        if self.problems.is_empty() {
            self.problems.extend(recipe.try_constants());
        }
        Some(recipe)
    }

    fn method(&mut self, table: &Table<'_>) -> Option<Known> {
        let names = || CATALOGUE.iter().map(|info| info.name);
        let field =
            self.require(table, "merge_method", &format!("one of {}", names().collect::<Vec<_>>().join(", ")))?;
        let name = self.text(&field, "the name of a merge method")?;
        let known = Known::new(name, self.spelling);
        if known.is_none() {
            let lowercase = name.to_lowercase();
            let nearest = nearest_name(&lowercase, names());
            let known = names().map(str::to_owned).collect();
            let fault = Fault::Unknown { what: "merge method".into(), got: name.into(), nearest, known };
            self.problems.push(field.problem(fault));
        }
        known
    }

    fn dtype(&mut self, table: &Table<'_>, key: &str) -> Option<FloatDtype> {
        let field = table.get(key)?;
        let name = self.text(&field, "float32, float16 or bfloat16")?;
        match name.strip_prefix("torch.").unwrap_or(name) {
            "float32" => Some(FloatDtype::Float32),
            "float16" => Some(FloatDtype::Float16),
            "bfloat16" => Some(FloatDtype::Bfloat16),
            "float64" | "int64" => {
                self.expect(&field, "float32, float16 or bfloat16, as merges are computed in float32");
                None
            }
            _ => {
                self.expect(&field, "float32, float16 or bfloat16");
                None
            }
        }
    }
}

/// Keys that only the recipes of mergekit's other tools have, with the tool and what it makes.
const OTHER_TOOLS: [(&str, &str); 5] = [
    ("experts", "mergekit-moe, for a mixture of experts"),
    ("gate_mode", "mergekit-moe, for a mixture of experts"),
    ("genome", "mergekit-evolve, for a search of parameters"),
    ("adapters", "another tool, for adapters"),
    ("merges", "mergekit-multi, for several merges: put each into a file of its own"),
];

/// Says whose recipe it is, if not this tool's.
fn of_other_tool(root: &Field<'_>) -> Option<Problem> {
    let Value::Table(entries) = &root.node.value else { return None };
    if entries.iter().any(|entry| entry.key == "merge_method") {
        return None;
    }
    let find = |entry: &Entry| OTHER_TOOLS.iter().find(|(key, _)| *key == entry.key).map(|(_, tool)| *tool);
    let (entry, tool) = entries.iter().find_map(|entry| Some((entry, find(entry)?)))?;
    let fault = Fault::expected("a recipe with `merge_method`", format!("a recipe of {tool}"));
    Some(Problem { location: entry.location.clone(), key: entry.key.clone(), fault })
}

/// Demands text of reasonable size without control characters: some parsers take NUL for the end.
fn check_text(text: &str, file: &Arc<str>) -> Result<(), RecipeProblems> {
    let refuse = |line, column, expected: &str, got: String| {
        let location = Location::Text { file: file.clone(), line, column };
        Problem { location, key: String::new(), fault: Fault::expected(expected, got) }.into()
    };
    if text.len() > MAX_BYTES {
        return Err(refuse(1, 1, &format!("at most {MAX_BYTES} bytes"), text.len().to_string()));
    }
    for (index, line) in text.split('\n').enumerate() {
        let allowed = |c: char| !c.is_control() || matches!(c, '\t' | '\r' | '\u{85}');
        if let Some((column, c)) = line.chars().enumerate().find(|(_, c)| !allowed(*c)) {
            return Err(refuse(index + 1, column + 1, "text", format!("the control character {c:?}")));
        }
    }
    Ok(())
}
