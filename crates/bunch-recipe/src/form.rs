//! Which models a recipe merges, and which layers of them.

use crate::model_reference::ModelReference;
use crate::parameters::{Known, Level};
use crate::problem::{Fault, Location};
use crate::reader::{Field, Reader, Table};
use crate::setting::Settings;

/// Which models are merged, and which layers of them.
#[derive(Debug, Clone, PartialEq)]
pub enum Form {
    /// All layers of these models.
    Models(Vec<ModelEntry>),
    /// Layers put together from slices.
    Slices(Vec<OutputSlice>),
    /// Parts of a model by name, each of its own form.
    Modules(Vec<(String, Module)>),
}

/// A part of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Module {
    /// Where its layers come from.
    pub layout: Layout,
    /// Parameters for the module.
    pub parameters: Settings,
}

/// Where the layers of a module come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Layout {
    /// All layers of these models.
    Models(Vec<ModelEntry>),
    /// Layers put together from slices.
    Slices(Vec<OutputSlice>),
}

/// A model, all layers of which take part.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelEntry {
    /// The model.
    pub model: ModelReference,
    /// What it is to the method, for methods whose models have roles.
    pub role: Option<String>,
    /// Its own parameters.
    pub parameters: Settings,
    pub(crate) origin: Origin,
}

/// Some layers of the output.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputSlice {
    /// The layers that are merged into them; one source at least.
    pub sources: Vec<SliceSource>,
    /// The base here, if it is another than the recipe's.
    pub base_model: Option<ModelReference>,
    /// Parameters for the slice.
    pub parameters: Settings,
    pub(crate) origin: Origin,
}

/// Some layers of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct SliceSource {
    /// The model.
    pub model: ModelReference,
    /// What it is to the method, for methods whose models have roles.
    pub role: Option<String>,
    /// First layer, and the layer after the last; the same in a slice that decides on what is outside of the layers.
    pub layer_range: (usize, usize),
    /// The model's own parameters.
    pub parameters: Settings,
    pub(crate) origin: Origin,
}

/// Where a part of the recipe is, for messages.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Origin {
    pub(crate) location: Location,
    pub(crate) key: String,
}

impl Origin {
    pub(crate) fn new(field: &Field<'_>) -> Self {
        Self { location: field.location().clone(), key: field.key.clone() }
    }
}

impl From<Layout> for Form {
    fn from(layout: Layout) -> Self {
        match layout {
            Layout::Models(models) => Self::Models(models),
            Layout::Slices(slices) => Self::Slices(slices),
        }
    }
}

impl Reader {
    /// `models`, `slices` or `modules` of a recipe.
    pub(crate) fn form(&mut self, recipe: &Table<'_>, known: Option<&Known>) -> Option<Form> {
        self.only_one_of(recipe, &["models", "slices", "modules"])?;
        match recipe.get("modules") {
            None => self.layout(recipe, known).map(Form::from),
            Some(field) => self.modules(&field, known).map(Form::Modules),
        }
    }

    fn only_one_of(&mut self, table: &Table<'_>, keys: &[&str]) -> Option<()> {
        let expected = format!("exactly one of {}", keys.join(", "));
        let present: Vec<&str> = keys.iter().copied().filter(|key| table.get(key).is_some()).collect();
        match present.as_slice() {
            [_] => Some(()),
            [] => {
                self.problems.push(table.problem("", Fault::Missing { expected }));
                None
            }
            [_, extra, ..] => {
                if let Some(field) = table.get(extra) {
                    self.problems.push(field.problem(Fault::expected(expected, present.join(" and "))));
                }
                None
            }
        }
    }

    fn modules(&mut self, field: &Field<'_>, known: Option<&Known>) -> Option<Vec<(String, Module)>> {
        let modules = self.any_table(field, "a table of modules")?;
        if modules.entries.len() != 1 {
            let got = format!("{} modules", modules.entries.len());
            self.problems.push(field.problem(Fault::expected("one module, as only one can be merged so far", got)));
        }
        let mut read = Vec::new();
        for (entry, field) in modules.fields() {
            let table = self.table(&field, "a table", &["models", "slices", "parameters"])?;
            let parameters = self.parameters(&table, Level::Shared, known);
            self.only_one_of(&table, &["models", "slices"])?;
            read.push((entry.key.clone(), Module { layout: self.layout(&table, known)?, parameters }));
        }
        Some(read)
    }

    fn layout(&mut self, table: &Table<'_>, known: Option<&Known>) -> Option<Layout> {
        if let Some(field) = table.get("models") {
            let models = self.list(&field, "a list of models that is not empty")?;
            let entries: Vec<_> = models.iter().map(|model| self.model_entry(model, known)).collect();
            return entries.into_iter().collect::<Option<_>>().map(Layout::Models);
        }
        let slices = self.list(&table.get("slices")?, "a list of slices that is not empty")?;
        let slices: Vec<_> = slices.iter().map(|slice| self.slice(slice, known)).collect();
        let slices: Vec<OutputSlice> = slices.into_iter().collect::<Option<_>>()?;
        self.check_empty(&slices);
        Some(Layout::Slices(slices))
    }

    /// A slice without layers decides on the weights before the first or after the last layer, as in mergekit; elsewhere it
    /// says nothing.
    fn check_empty(&mut self, slices: &[OutputSlice]) {
        let is_empty =
            |slice: &OutputSlice| slice.sources.iter().all(|source| source.layer_range.0 == source.layer_range.1);
        let all = slices.iter().all(is_empty);
        for (index, slice) in slices.iter().enumerate().filter(|(_, slice)| is_empty(slice)) {
            if all || (0 < index && index + 1 < slices.len()) {
                let expected = "one layer or more, but for the first or the last slice beside others";
                self.problems.push(slice.origin.problem("", Fault::expected(expected, "none")));
            }
        }
    }

    fn model_entry(&mut self, field: &Field<'_>, known: Option<&Known>) -> Option<ModelEntry> {
        let table = self.table(field, "a table with `model`", &["model", "role", "parameters"])?;
        let parameters = self.parameters(&table, Level::Model, known);
        let role = self.role(&table, known);
        let model = self.require(&table, "model", "a model")?;
        Some(ModelEntry { model: self.model(&model)?, role: role?, parameters, origin: Origin::new(field) })
    }

    /// The role of a model, if it is given. `None` if it is none of the method's.
    fn role(&mut self, table: &Table<'_>, known: Option<&Known>) -> Option<Option<String>> {
        let Some((field, known)) = table.get("role").zip(known) else { return Some(None) };
        let (method, roles) = (known.info.name, known.info.expert_roles());
        let expected = match roles {
            [] => format!("no role, as all experts are alike to {method}"),
            _ => format!("one of {} for {method}", roles.iter().map(|role| role.name).collect::<Vec<_>>().join(", ")),
        };
        let role = self.text(&field, &expected)?;
        if roles.iter().any(|known| known.name == role) {
            return Some(Some(role.to_owned()));
        }
        self.expect(&field, &expected);
        None
    }

    fn slice(&mut self, field: &Field<'_>, known: Option<&Known>) -> Option<OutputSlice> {
        let keys = ["sources", "base_model", "parameters", "residual_weight"];
        let table = self.table(field, "a table with `sources`", &keys)?;
        if let Some(residual) = table.get("residual_weight") {
            self.expect(&residual, "no `residual_weight`, as mergekit reads it and never uses it");
        }
        let parameters = self.parameters(&table, Level::Shared, known);
        let base_model = match table.get("base_model") {
            None => Some(None),
            Some(base) => self.model(&base).map(Some),
        };
        let sources = self.require(&table, "sources", "a list of sources that is not empty")?;
        let sources = self.list(&sources, "a list of sources that is not empty")?;
        let sources: Vec<_> = sources.iter().map(|source| self.source(source, known)).collect();
        let sources: Vec<SliceSource> = sources.into_iter().collect::<Option<_>>()?;
        let length = |source: &SliceSource| source.layer_range.1 - source.layer_range.0;
        let first = sources.first().map_or(0, length);
        if let Some((index, other)) = sources.iter().enumerate().find(|(_, source)| length(source) != first) {
            let fault =
                Fault::expected(format!("{first} layers as in the slice's first source"), length(other).to_string());
            let key = format!("sources[{index}].layer_range");
            let mut problem = table.problem(&key, fault);
            problem.location = other.origin.location.clone();
            self.problems.push(problem);
        }
        Some(OutputSlice { sources, base_model: base_model?, parameters, origin: Origin::new(field) })
    }

    fn source(&mut self, field: &Field<'_>, known: Option<&Known>) -> Option<SliceSource> {
        let keys = ["model", "role", "layer_range", "parameters"];
        let table = self.table(field, "a table with `model` and `layer_range`", &keys)?;
        let parameters = self.parameters(&table, Level::Model, known);
        let role = self.role(&table, known);
        let model = self.require(&table, "model", "a model").and_then(|model| self.model(&model));
        let range = self.require(&table, "layer_range", "[first layer, layer after the last]");
        let layer_range = range.and_then(|range| self.layer_range(&range));
        Some(SliceSource {
            model: model?,
            role: role?,
            layer_range: layer_range?,
            parameters,
            origin: Origin::new(field),
        })
    }

    fn layer_range(&mut self, field: &Field<'_>) -> Option<(usize, usize)> {
        let expected = "[first layer, layer after the last]";
        let layers = self.list(field, expected)?;
        let [start, end] = layers.as_slice() else {
            self.expect(field, expected);
            return None;
        };
        let (start, end) = (self.whole(start, 0)?, self.whole(end, 0)?);
        if start > end {
            let fault = Fault::expected("[first layer, layer after the last]", format!("[{start}, {end}]"));
            self.problems.push(field.problem(fault));
            return None;
        }
        Some((start, end))
    }
}
