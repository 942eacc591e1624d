//! What a recipe means for one tensor of the output.

use crate::form::Origin;
use crate::model_reference::ModelReference;
use crate::plan::{PlannedSlice, PlannedSource};
use crate::problem::{Fault, Problem, RecipeProblems};
use crate::recipe::Recipe;
use crate::setting::{Scalar, Setting, Settings};
use bunch_merging::{MergeError, Method, ParameterKind, ParameterSpec, TensorAcrossModels, method_from_parameters};
use serde_json::{Map, Value};

/// Some layers of the output, and the layers that are merged into them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedSlice {
    /// The models in their order, the base included if it takes part.
    pub models: Vec<SliceModel>,
    /// Which of the models is the base; none if the method has none.
    pub base: Option<usize>,
    /// Which of the models are the experts, in their order.
    pub experts: Vec<usize>,
    /// Index of the first layer in the output.
    pub first_layer: usize,
    /// How many layers there are.
    pub layers: usize,
}

/// Some layers of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SliceModel {
    /// The model.
    pub model: ModelReference,
    /// The layer of the model that goes into the slice's first.
    pub first_layer: usize,
}

/// Where a tensor of the output is.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Index of the slice: the first for what comes before the layers, the last for what comes after.
    pub slice: usize,
    /// [`ResolvedSlice::position`] of the tensor's layer; 0 for tensors outside the layers.
    pub t: f64,
    /// The tensor's name in the output.
    pub tensor: &'a str,
    /// Its name in each of the slice's models.
    pub inputs: &'a [String],
}

impl ResolvedSlice {
    /// Where a layer of the slice stands in it: 0 for the first, 1 for the last and for an only one.
    pub fn position(&self, layer: usize) -> f64 {
        if self.layers > 1 { layer as f64 / (self.layers - 1) as f64 } else { 1.0 }
    }
}

impl Recipe {
    /// The slices of the output in their order, given how many layers each model has.
    ///
    /// # Errors
    /// Models of different numbers of layers where all of them are merged, and layers that a model does not have.
    pub fn slices(&self, layers: impl Fn(&ModelReference) -> usize) -> Result<Vec<ResolvedSlice>, RecipeProblems> {
        let (mut slices, mut problems, mut first_layer) = (Vec::new(), Vec::new(), 0);
        for planned in &self.plan.slices {
            let mut count = None;
            let mut models = Vec::new();
            for source in &planned.sources {
                let available = layers(&source.model);
                let (start, end) = source.layers.unwrap_or((0, available));
                if end > available {
                    let fault = Fault::expected(
                        format!("layers of {}, which has {available}", source.model),
                        format!("[{start}, {end}]"),
                    );
                    problems.push(source.origin.problem("layer_range", fault));
                }
                let length = end.saturating_sub(start);
                let expected = *count.get_or_insert(length);
                if length != expected {
                    let fault = Fault::expected(
                        format!("{expected} layers as in the first model"),
                        format!("{length} in {}", source.model),
                    );
                    problems.push(source.origin.problem("model", fault));
                }
                models.push(SliceModel { model: source.model.clone(), first_layer: start });
            }
            let layers = count.unwrap_or(0);
            let (base, experts) = (planned.base, planned.experts.clone());
            slices.push(ResolvedSlice { models, base, experts, first_layer, layers });
            first_layer += layers;
        }
        if problems.is_empty() { Ok(slices) } else { Err(RecipeProblems(problems)) }
    }

    /// The method with its parameters for one tensor of the output.
    ///
    /// A parameter is looked up at the model (if each has its own value), then at the slice, the module and the recipe:
    /// the first level with a value for the tensor counts. Filters look at the tensor's name in the model for what each
    /// model has its own value of, at its name in the output for the rest.
    ///
    /// # Errors
    /// A parameter that the method needs has no value for the tensor; a gradient of whole numbers hits a fraction; the
    /// method refuses the values together. A place that is not in the recipe.
    pub fn method_for(&self, place: &Place<'_>) -> Result<Method, RecipeProblems> {
        let slice = self.slice_of(place)?;
        let mut parameters = Map::new();
        let mut problems = Vec::new();
        for spec in self.known.specs.iter().filter(|spec| !self.known.is_ignored(spec, self.spelling)) {
            let value = if spec.per_expert {
                self.values_of_experts(spec, slice, place)
            } else {
                self.value(spec, None, slice, place.tensor, place.t)
            };
            match value {
                Ok(None) => {}
                Ok(Some(value)) => _ = parameters.insert(spec.name.clone(), value),
                Err(more) => problems.extend(more.0),
            }
        }
        if !problems.is_empty() {
            return Err(RecipeProblems(problems));
        }
        method_from_parameters(&self.merge_method, self.spelling, &parameters)
            .map_err(|error| self.refused(error).into())
    }

    fn slice_of(&self, place: &Place<'_>) -> Result<&PlannedSlice, RecipeProblems> {
        let fault = |expected: String, got: String| {
            RecipeProblems::from(self.origin.problem("", Fault::expected(expected, got)))
        };
        let slices = self.plan.slices.len();
        let slice = self.plan.slices.get(place.slice);
        let slice = slice.ok_or_else(|| fault(format!("a slice below {slices}"), place.slice.to_string()))?;
        if place.inputs.len() != slice.sources.len() {
            let expected = format!("{} names of {}, one for each model", slice.sources.len(), place.tensor);
            return Err(fault(expected, place.inputs.len().to_string()));
        }
        if !(0.0..=1.0).contains(&place.t) {
            return Err(fault(format!("a position of {} from 0 to 1", place.tensor), place.t.to_string()));
        }
        Ok(slice)
    }

    /// The values of all experts, if one of them has a value.
    fn values_of_experts(
        &self,
        spec: &ParameterSpec,
        slice: &PlannedSlice,
        place: &Place<'_>,
    ) -> Result<Option<Value>, RecipeProblems> {
        let mut values = Vec::new();
        for &expert in &slice.experts {
            let Some((source, input)) = slice.sources.get(expert).zip(place.inputs.get(expert)) else { continue };
            values.push((source, input, self.value(spec, Some(source), slice, input, place.t)?));
        }
        if values.iter().all(|(.., value)| value.is_none()) {
            return Ok(None);
        }
        let default = self.known.default_value(spec, self.spelling);
        let value = |(source, input, value): (&PlannedSource, &String, Option<Value>)| {
            let missing = || Fault::Missing { expected: format!("a value for {input}, as other models have one") };
            let missing =
                || RecipeProblems::from(source.origin.problem(&format!("parameters.{}", spec.name), missing()));
            value.or(default.clone()).ok_or_else(missing)
        };
        values.into_iter().map(value).collect::<Result<Vec<_>, _>>().map(|values| Some(Value::Array(values)))
    }

    /// The value that counts for a tensor, of a model if one is given.
    fn value(
        &self,
        spec: &ParameterSpec,
        source: Option<&PlannedSource>,
        slice: &PlannedSlice,
        tensor: &str,
        t: f64,
    ) -> Result<Option<Value>, RecipeProblems> {
        let name = spec.name.as_str();
        for setting in self.levels(source, slice).filter_map(|settings| settings.get(name)) {
            let Some(value) = setting.evaluate(tensor, t) else { continue };
            return match (value, &spec.kind) {
                (Scalar::Boolean(value), _) => Ok(Some(value.into())),
                (Scalar::Word(word), _) => Ok(Some(word.into())),
                (Scalar::Number(number), ParameterKind::Integer) if number.fract() != 0.0 => {
                    let fault = Fault::expected("a whole number", format!("{number} for {tensor}"));
                    let origin = Origin { location: setting.location.clone(), key: name.to_owned() };
                    Err(origin.problem("", fault).into())
                }
                (Scalar::Number(number), ParameterKind::Integer) => Ok(Some((number as u64).into())),
                (Scalar::Number(number), _) => Ok(Some(number.into())),
            };
        }
        if !spec.required {
            return Ok(None);
        }
        let fault = Fault::Missing { expected: format!("a value for {tensor}, as {} needs one", self.merge_method) };
        let origin = source.map_or(&self.origin, |source| &source.origin);
        let key = if source.is_some() { format!("parameters.{name}") } else { name.to_owned() };
        Err(origin.problem(&key, fault).into())
    }

    fn levels<'a>(
        &'a self,
        source: Option<&'a PlannedSource>,
        slice: &'a PlannedSlice,
    ) -> impl Iterator<Item = &'a Settings> {
        let shared = [&slice.parameters, &self.plan.module, &self.parameters];
        source.map(|source| &source.parameters).into_iter().chain(shared)
    }

    fn refused(&self, message: String) -> Problem {
        self.origin.problem("", Fault::Refused { message })
    }

    /// What the method says to parameters that are the same for all tensors, so that it says it before a merge begins.
    pub(crate) fn try_constants(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> = Vec::new();
        for (index, slice) in self.plan.slices.iter().enumerate() {
            let inputs = vec![String::new(); slice.sources.len()];
            let place = Place { slice: index, t: 0.0, tensor: "", inputs: &inputs };
            let Ok(method) = self.method_for(&place) else { continue };
            let constant = |name: Option<&str>| self.is_constant(slice, name);
            let error = match method.validate(slice.experts.len()) {
                Err(error) if constant(None) => Some(error),
                _ if constant(Some("weight")) => zero_weight_sum(&method, slice.experts.len()),
                _ => None,
            };
            let problem = error.map(|error| slice.origin.problem("", Fault::Refused { message: error.to_string() }));
            problems.extend(problem.filter(|problem| !problems.contains(problem)));
        }
        problems
    }

    /// Whether the values of a parameter, or of all, are the same for all tensors of a slice.
    fn is_constant(&self, slice: &PlannedSlice, name: Option<&str>) -> bool {
        let constant = |setting: &Setting| setting.constant().is_some();
        let experts = slice.experts.iter().filter_map(|index| slice.sources.get(*index));
        let levels = experts.flat_map(|source| self.levels(Some(source), slice)).chain(self.levels(None, slice));
        levels
            .flat_map(Settings::iter)
            .filter(|(of, _)| name.is_none_or(|name| name == *of))
            .all(|(_, setting)| constant(setting))
    }
}

/// Whether the method divides by the sum of the weights and that is nothing, found out by merging a single number.
fn zero_weight_sum(method: &Method, experts: usize) -> Option<MergeError> {
    let zero: &[f32] = &[0.0];
    let experts = vec![zero.into(); experts];
    let tensor = TensorAcrossModels::new("", &[1], Some(zero.into()), &experts);
    match method.merge(&tensor, 0, &mut [0.0]) {
        Err(error @ MergeError::ZeroWeightSum { .. }) => Some(error),
        _ => None,
    }
}
