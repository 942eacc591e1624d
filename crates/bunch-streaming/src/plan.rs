//! What a merge has to do, found out from headers alone.

mod output_config;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use bunch_checkpoint::{Dtype, StoredDtype, TensorLayout, TensorName, embedding_for_output};
use bunch_merging::Method;
use bunch_recipe::{FloatDtype, ModelReference, Place, Recipe, ResolvedSlice};
use bunch_vocabulary::{MergedVocabulary, RowSource};

use crate::error::StreamingError;
use crate::input_model::InputModel;
use crate::model_checks;
use crate::names_by_place::NamesByPlace;
use crate::notes;
use crate::options::MergeOptions;
use crate::planned_tensor::{Input, PlannedTensor};
use crate::problem::Problem;
use crate::vocabulary;

/// What a merge has to do, found out from headers alone: every tensor of the output, config.json and the other files.
#[derive(Debug)]
pub struct MergePlan<'a> {
    pub(crate) recipe: &'a Recipe,
    pub(crate) models: &'a [InputModel],
    pub(crate) options: &'a MergeOptions,
    /// In the order of their names.
    pub(crate) tensors: Vec<PlannedTensor>,
    pub(crate) config: Value,
    /// Files next to config and weights, but for the model card.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// What a user should know.
    pub(crate) notes: Vec<String>,
    /// To what inputs are rounded when they are read.
    pub(crate) rounding: Option<Dtype>,
}

/// A plan that is being made.
struct Planning<'a> {
    recipe: &'a Recipe,
    models: &'a [InputModel],
    options: &'a MergeOptions,
    merged: Option<MergedVocabulary>,
    slices: Vec<ResolvedSlice>,
    tensors: BTreeMap<String, PlannedTensor>,
    problems: Vec<Problem>,
    /// Whether a vocabulary was cut.
    is_truncated: bool,
}

impl<'a> MergePlan<'a> {
    /// Plans the merge of `models`, which are those of the recipe in the order of [`Recipe::models`].
    ///
    /// # Errors
    /// Everything that the headers show to be wrong: [`StreamingError::Problems`] with all of them, and what the recipe's
    /// parameters and the tokenizers say.
    pub fn new(
        recipe: &'a Recipe,
        models: &'a [InputModel],
        options: &'a MergeOptions,
    ) -> Result<Self, StreamingError> {
        let layers: BTreeMap<&ModelReference, usize> =
            models.iter().map(|model| (&model.reference, model.layers())).collect();
        let slices = recipe.slices(|model| layers.get(model).copied().unwrap_or(0))?;
        let is_merged = |model: &InputModel| {
            slices.iter().flat_map(|slice| &slice.models).any(|merged| merged.model == model.reference)
        };
        // Recipe::models lists those that only lend their tokenizer last.
        let merged_models: Vec<&InputModel> = models.iter().filter(|model| is_merged(model)).collect();
        let vocabulary = vocabulary::merge(recipe, models, merged_models.len())?;
        let mut planning = Planning {
            recipe,
            models,
            options,
            merged: vocabulary.merged,
            slices,
            tensors: BTreeMap::new(),
            problems: vocabulary.problems,
            is_truncated: false,
        };
        let checked = model_checks::check(&merged_models, options);
        planning.problems.extend(checked.problems);
        if !checked.has_prefixes {
            planning.plan_tensors()?;
            planning.check_surveys();
        }
        if !planning.problems.is_empty() {
            return Err(StreamingError::Problems(planning.problems));
        }
        let config = planning.config();
        let mut notes = recipe.notes.clone();
        notes.extend(models.iter().flat_map(InputModel::notes));
        notes.extend(checked.notes);
        notes.extend(notes::of_buffers(&merged_models));
        if planning.slices.len() > 1 {
            notes.extend(notes::of_other_modules(&merged_models));
        }
        notes.extend(notes::of_vocabulary(&planning.tensors, models, planning.is_truncated));
        notes.extend(planning.merged.iter().flat_map(|merged| merged.notes.iter().cloned()));
        let tensors = planning.tensors.into_values().collect();
        let rounding = recipe.dtype.map(dtype_of);
        Ok(Self { recipe, models, options, tensors, config, files: vocabulary.files, notes, rounding })
    }

    /// The tensors of the output, in the order of their names.
    pub fn tensors(&self) -> &[PlannedTensor] {
        &self.tensors
    }

    /// What a user should know.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// How the output's tensors are stored.
    pub(crate) fn layout(&self) -> Vec<TensorLayout> {
        let layout = |tensor: &PlannedTensor| TensorLayout {
            name: tensor.name.clone(),
            shape: tensor.shape.clone(),
            dtype: tensor.dtype,
        };
        self.tensors.iter().map(layout).collect()
    }

    /// Bytes of the output's tensors.
    pub fn output_bytes(&self) -> u64 {
        self.tensors.iter().map(|tensor| (tensor.len() * tensor.dtype.bits()).div_ceil(8) as u64).sum()
    }
}

impl Planning<'_> {
    fn plan_tensors(&mut self) -> Result<(), StreamingError> {
        let names: BTreeMap<&ModelReference, NamesByPlace> =
            self.models.iter().map(|model| (&model.reference, NamesByPlace::new(model))).collect();
        let slices = std::mem::take(&mut self.slices);
        for (is_before, index) in [(true, 0), (false, slices.len().saturating_sub(1))] {
            let Some(slice) = slices.get(index) else { continue };
            let of_models = slice.models.iter().filter_map(|merged| names.get(&merged.model));
            let all: BTreeSet<&String> =
                of_models.flat_map(|names| if is_before { &names.before } else { &names.after }).collect();
            for name in all {
                self.plan_tensor(slice, index, 0.0, name, &vec![name.clone(); slice.models.len()])?;
            }
        }
        for (index, slice) in slices.iter().enumerate() {
            for layer in 0..slice.layers {
                let of_model = |model: &ModelReference, first: usize| {
                    names.get(model).and_then(|names| names.layers.get(&(first + layer)))
                };
                let all: BTreeSet<&(String, String)> = slice
                    .models
                    .iter()
                    .filter_map(|merged| of_model(&merged.model, merged.first_layer))
                    .flatten()
                    .collect();
                for (list, suffix) in all {
                    let output = format!("{list}.{}{suffix}", slice.first_layer + layer);
                    let input = |first: usize| format!("{list}.{}{suffix}", first + layer);
                    let inputs: Vec<String> = slice.models.iter().map(|merged| input(merged.first_layer)).collect();
                    self.plan_tensor(slice, index, slice.position(layer), &output, &inputs)?;
                }
            }
        }
        self.plan_further_layers(&slices, &names)?;
        self.slices = slices;
        Ok(())
    }

    /// Plans the layers beyond those that config.json counts: behind the last of the output, as its last slice is merged.
    fn plan_further_layers(
        &mut self,
        slices: &[ResolvedSlice],
        names: &BTreeMap<&ModelReference, NamesByPlace>,
    ) -> Result<(), StreamingError> {
        let Some(slice) = slices.last() else { return Ok(()) };
        let counts = slice.models.iter().map(|merged| {
            self.models.iter().find(|model| model.reference == merged.model).map_or(0, InputModel::layers)
        });
        let counts: Vec<usize> = counts.collect();
        let of_models = slice.models.iter().filter_map(|merged| names.get(&merged.model));
        let all: BTreeSet<&(String, usize, String)> = of_models.flat_map(|names| &names.further).collect();
        for (list, beyond, suffix) in all {
            let name = |count: usize| format!("{list}.{}{suffix}", count + beyond);
            let inputs: Vec<String> = counts.iter().map(|&count| name(count)).collect();
            self.plan_tensor(slice, slices.len() - 1, 1.0, &name(slice.first_layer + slice.layers), &inputs)?;
        }
        Ok(())
    }

    /// What a method finds in the whole model, it finds for one choice of its parameters.
    fn check_surveys(&mut self) {
        let mut methods = self.tensors.values().filter_map(|tensor| Some((tensor, tensor.method.as_ref()?)));
        let Some((_, first)) = methods.next() else { return };
        let differs = |(_, other): &(_, &Method)| *other != first && (first.needs_survey() || other.needs_survey());
        let problem = methods.find(differs).map(|(tensor, _)| Problem::ScopeOfTrim { tensor: tensor.name.clone() });
        self.problems.extend(problem);
    }

    /// Plans one tensor of the output, of which `names` are the tensors in the slice's models.
    fn plan_tensor(
        &mut self,
        slice: &ResolvedSlice,
        index: usize,
        t: f64,
        output: &str,
        names: &[String],
    ) -> Result<(), StreamingError> {
        let Some(members) = self.members(slice, names) else { return Ok(()) };
        let Some(dtype) = self.common_dtype(&members, output) else { return Ok(()) };
        let order: Vec<usize> = slice.base.into_iter().chain(slice.experts.iter().copied()).collect();
        let Some((shape, rows)) = self.common_shape(slice, &members, output)? else { return Ok(()) };

        let method = match dtype {
            StoredDtype::Float(_) => {
                let place = Place { slice: index, t, tensor: output, inputs: names };
                let method = self.recipe.method_for(&place)?;
                method.validate(slice.experts.len())?;
                Some(method)
            }
            _ => None,
        };
        let dtype = match (dtype, self.recipe.out_dtype.or(self.recipe.dtype)) {
            (StoredDtype::Float(_), Some(wanted)) => StoredDtype::Float(dtype_of(wanted)),
            _ => dtype,
        };
        let input = |&position: &usize| {
            let (model, tensor) = members[position].clone();
            let rows = rows.as_ref().map(|rows| rows[position].clone());
            Input { model, tensor, rows }
        };
        let inputs = order.iter().map(input).collect();
        let has_base = slice.base.is_some();
        let planned = PlannedTensor { name: output.to_owned(), shape, dtype, method, inputs, has_base };
        if self.tensors.insert(output.to_owned(), planned).is_some() {
            self.problems.push(Problem::Repeated { tensor: output.to_owned() });
        }
        Ok(())
    }

    /// The tensor in each of the slice's models: position of the model, and the name there. None, and a problem for each,
    /// if models lack it.
    fn members(&mut self, slice: &ResolvedSlice, names: &[String]) -> Option<Vec<(usize, String)>> {
        let mut members = Vec::new();
        let mut missing = Vec::new();
        for (merged, name) in slice.models.iter().zip(names) {
            let Some(index) = self.models.iter().position(|model| model.reference == merged.model) else { continue };
            let model = &self.models[index];
            if model.stored(name).is_some() {
                members.push((index, name.clone()));
            } else if let Some(tied) = tied_to(name, model.names()) {
                members.push((index, tied.to_owned()));
            } else {
                missing.push((index, name.clone()));
            }
        }
        let reference = members.first().map(|(index, _)| self.models[*index].name()).unwrap_or_default();
        for (index, tensor) in &missing {
            let (model, tensor, reference) = (self.models[*index].name(), tensor.clone(), reference.clone());
            self.problems.push(Problem::MissingTensor { model, tensor, reference });
        }
        missing.is_empty().then_some(members)
    }

    /// The dtype that holds the values of all models, or of the integers that are copied.
    fn common_dtype(&mut self, members: &[(usize, String)], output: &str) -> Option<StoredDtype> {
        let mut common: Option<(StoredDtype, usize)> = None;
        for (index, name) in members {
            let model = &self.models[*index];
            let stored = model.stored(name);
            let float = stored.and_then(|(checkpoint, name)| checkpoint.info(name)).map(|info| info.dtype);
            let stored = stored.and_then(|(checkpoint, name)| checkpoint.stored_dtype(name)).unwrap_or_default();
            let stored = stored.to_owned();
            let dtype = float.map(StoredDtype::Float).or_else(|| StoredDtype::from_name(&stored));
            let is_integer = ["BOOL", "U8", "I8", "U16", "I16", "U32", "I32", "U64", "I64"].contains(&stored.as_str());
            let Some(dtype) = dtype.filter(|_| float.is_some() || is_integer) else {
                let (model, tensor) = (model.name(), output.to_owned());
                self.problems.push(Problem::UnsupportedDtype { model, tensor, got: stored });
                return None;
            };
            common = Some(match common {
                None => (dtype, *index),
                Some((StoredDtype::Float(a), first)) if float.is_some() => {
                    let StoredDtype::Float(b) = dtype else { return None };
                    // Neither of the 16-bit types holds the other's values.
                    (StoredDtype::Float(if a == b { a } else { Dtype::F32 }), first)
                }
                Some((expected, first)) if expected == dtype => (expected, first),
                Some((expected, first)) => {
                    let (reference, expected) = (self.models[first].name(), expected.to_string());
                    let (model, tensor) = (model.name(), output.to_owned());
                    self.problems.push(Problem::Dtype { model, tensor, reference, expected, got: stored });
                    return None;
                }
            });
        }
        common.map(|(dtype, _)| dtype)
    }

    /// The tensor's shape in the output, and where each model's rows come from if they have to be put in order.
    #[expect(clippy::type_complexity, reason = "a shape, and rows for each model")]
    fn common_shape(
        &mut self,
        slice: &ResolvedSlice,
        members: &[(usize, String)],
        output: &str,
    ) -> Result<Option<(Vec<usize>, Option<Vec<Vec<RowSource>>>)>, StreamingError> {
        let shape_of = |(index, name): &(usize, String)| -> Vec<usize> {
            self.models[*index].shape(name).map(<[usize]>::to_vec).unwrap_or_default()
        };
        let shapes: Vec<Vec<usize>> = members.iter().map(shape_of).collect();
        let Some(first) = shapes.first() else { return Ok(None) };
        let by_rows = TensorName::of(output).is_vocabulary() && !first.is_empty();
        let may_differ = by_rows && (self.merged.is_some() || self.options.truncate_embeddings);
        let from = usize::from(may_differ);
        let mut fits = true;
        for (shape, (index, name)) in shapes.iter().zip(members) {
            if shape.len() != first.len() || shape[from.min(shape.len())..] != first[from.min(first.len())..] {
                let hint = if by_rows && shape.len() == first.len() && shape[1..] == first[1..] {
                    "; align vocabularies with a `tokenizer` section, or cut them with --unsafe-truncate-embeddings"
                } else {
                    ""
                };
                let (model, reference) = (self.models[*index].name(), self.models[members[0].0].name());
                let (tensor, expected, got) = (name.clone(), first.clone(), shape.clone());
                self.problems.push(Problem::Shape { model, tensor, reference, expected, got, hint });
                fits = false;
            }
        }
        if !fits {
            return Ok(None);
        }
        let mut shape = first.clone();
        if !may_differ {
            return Ok(Some((shape, None)));
        }
        let Some(merged) = &self.merged else {
            shape[0] = shapes.iter().map(|shape| shape[0]).min().unwrap_or(0);
            self.is_truncated |= shapes.iter().any(|other| other[0] != shape[0]);
            return Ok(Some((shape, None)));
        };
        let models: Vec<usize> = members.iter().map(|(index, _)| *index).collect();
        let rows = merged.rows_of(&models, slice.base.map(|base| models[base]))?;
        for ((shape, (index, name)), rows) in shapes.iter().zip(members).zip(&rows) {
            let needed = rows.iter().filter_map(|row| match row {
                RowSource::Own(row) => Some(row + 1),
                _ => None,
            });
            let needed = needed.max().unwrap_or(0);
            if needed > shape[0] {
                let model = self.models[*index].name();
                let mut expected = shape.clone();
                expected[0] = needed;
                let (tensor, reference, got) = (name.clone(), "its tokenizer".to_owned(), shape.clone());
                self.problems.push(Problem::Shape { model, tensor, reference, expected, got, hint: "" });
                return Ok(None);
            }
        }
        shape[0] = merged.size;
        let is_own = |rows: &Vec<RowSource>, shape: &Vec<usize>| {
            rows.len() == shape[0] && rows.iter().enumerate().all(|(at, row)| *row == RowSource::Own(at))
        };
        let in_order = rows.iter().zip(&shapes).all(|(rows, shape)| is_own(rows, shape));
        Ok(Some((shape, (!in_order).then_some(rows))))
    }
}

/// The tensor that stands in for an output projection which the model shares with its input embeddings.
fn tied_to<'a>(tensor: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if TensorName::of(tensor).is_output() { embedding_for_output(names) } else { None }
}

/// The dtype that a recipe means.
fn dtype_of(dtype: FloatDtype) -> Dtype {
    match dtype {
        FloatDtype::Float32 => Dtype::F32,
        FloatDtype::Float16 => Dtype::F16,
        FloatDtype::Bfloat16 => Dtype::BF16,
    }
}
