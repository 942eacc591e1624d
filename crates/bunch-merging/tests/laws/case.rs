//! One merge that a law is tried on, and how such merges are made up.

use bunch_merging::{
    CATALOGUE, Info, MergeError, Method, ReadValues, TensorAcrossModels, TensorCache, TensorSource, Values,
    method_schema,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// One merge: a configuration, models and a seed.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) config: Map<String, Value>,
    pub(crate) shape: Vec<usize>,
    pub(crate) base: Vec<f32>,
    pub(crate) experts: Vec<Vec<f32>>,
    pub(crate) seed: u64,
}

impl Case {
    pub(crate) fn method(&self) -> Method {
        serde_json::from_value(json!({ self.name: self.config })).expect("the schema describes what is accepted")
    }

    pub(crate) fn merge(&self) -> Result<Vec<f32>, MergeError> {
        self.merge_with(None)
    }

    pub(crate) fn merge_with(&self, cache: Option<&TensorCache>) -> Result<Vec<f32>, MergeError> {
        let experts: Vec<Values<'_>> = self.experts.iter().map(Values::from).collect();
        let base = Some(Values::from(&self.base));
        let tensor = TensorAcrossModels { cache, ..TensorAcrossModels::new("a.weight", &self.shape, base, &experts) };
        let method = self.method();
        let survey = method.survey(experts.len(), &mut Single(tensor))?;
        let mut merged = vec![f32::NAN; self.base.len()];
        method.merge(&TensorAcrossModels { survey: survey.as_ref(), ..tensor }, self.seed, &mut merged)?;
        Ok(merged)
    }

    /// The model that has a role.
    pub(crate) fn model(&mut self, info: &Info, role: &str) -> &mut [f32] {
        match info.expert_roles().iter().position(|known| known.name == role) {
            Some(expert) => &mut self.experts[expert],
            None => &mut self.base,
        }
    }

    /// Merges values that are read piece by piece, in ranges of about `chunk` entries, the last range first.
    pub(crate) fn merge_streamed(&self, chunk: usize) -> Result<Vec<f32>, MergeError> {
        let read: Vec<Read<'_>> = self.experts.iter().map(|values| Read(values)).collect();
        let experts: Vec<Values<'_>> = read.iter().map(|values| Values::Stream(values)).collect();
        let base = Read(&self.base);
        let tensor = TensorAcrossModels::new("a.weight", &self.shape, Some(Values::Stream(&base)), &experts);
        let method = self.method();
        let survey = method.survey(experts.len(), &mut Single(tensor))?;
        let tensor = TensorAcrossModels { survey: survey.as_ref(), ..tensor };
        let prepared = method.prepare(&tensor, self.seed)?;
        let chunk = chunk.next_multiple_of(prepared.unit());
        let mut merged = vec![f32::NAN; self.base.len()];
        let starts: Vec<usize> = (0..merged.len()).step_by(chunk).collect();
        for start in starts.into_iter().rev() {
            let end = merged.len().min(start + chunk);
            prepared.merge(start..end, &mut merged[start..end])?;
        }
        Ok(merged)
    }

    pub(crate) fn has(&self, field: &str) -> bool {
        self.config.contains_key(field)
    }

    pub(crate) fn set(&mut self, field: &str, value: Value) {
        if self.has(field) {
            self.config.insert(field.into(), value);
        }
    }

    pub(crate) fn map_weights(&mut self, map: impl Fn(f64) -> f64) {
        let weights = self.config["weights"].as_array().expect("a list");
        let mapped = weights.iter().map(|weight| json!(map(weight.as_f64().expect("a number")))).collect();
        self.set("weights", Value::Array(mapped));
    }
}

/// Values that are read piece by piece.
struct Read<'a>(&'a [f32]);

impl ReadValues for Read<'_> {
    fn read(&self, start: usize, out: &mut [f32]) -> Result<(), String> {
        out.copy_from_slice(&self.0[start..start + out.len()]);
        Ok(())
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

/// A model of one tensor.
struct Single<'a>(TensorAcrossModels<'a>);

impl TensorSource for Single<'_> {
    type Error = MergeError;

    fn visit(
        &mut self,
        visit: &mut dyn FnMut(&TensorAcrossModels<'_>) -> Result<(), MergeError>,
    ) -> Result<(), MergeError> {
        visit(&self.0)
    }
}

pub(crate) fn info(name: &str) -> &'static Info {
    CATALOGUE.iter().find(|info| info.name == name).expect("a registered method")
}

/// Parameters that fit a schema, one list entry for each expert. `dial` gives numbers in [0, 1) for each choice; all
/// parameters are multiples of 1/8, so that sums and products with dyadic values are exact.
fn config(schema: &Value, experts: usize, dial: &mut impl FnMut() -> f64) -> Value {
    if let Some(choices) = schema["anyOf"].as_array().or(schema["oneOf"].as_array()).or(schema["enum"].as_array()) {
        let choice = &choices[(dial() * choices.len() as f64) as usize];
        return if choice.is_object() { config(choice, experts, dial) } else { choice.clone() };
    }
    if let Some(value) = schema.get("const") {
        return value.clone();
    }
    match schema["type"].as_str() {
        Some("object") => {
            let properties = schema["properties"].as_object().into_iter().flatten();
            properties.map(|(name, property)| (name.clone(), config(property, experts, dial))).collect()
        }
        Some("array") => (0..experts).map(|_| config(&schema["items"], experts, dial)).collect(),
        Some("boolean") => json!(dial() < 0.5),
        Some("integer") => json!((dial() * 5.0) as u32),
        Some("number") => {
            let minimum = schema["minimum"].as_f64().unwrap_or(-2.0);
            let maximum = schema["maximum"].as_f64().unwrap_or(2.0);
            let steps = (maximum - minimum) * 8.0;
            json!(minimum + (dial() * (steps + 1.0)).floor() / 8.0)
        }
        other => panic!("the laws cannot generate a parameter of type {other:?}: teach them how"),
    }
}

/// A vector, or a matrix of one of the numbers of rows that the number of values allows: tall, square and wide ones.
fn shape(len: usize, choice: u64) -> Vec<usize> {
    let divisors: Vec<usize> = (1..=len).filter(|rows| len.is_multiple_of(*rows)).collect();
    match choice as usize % (divisors.len() + 1) {
        0 => vec![len],
        index => vec![divisors[index - 1], len / divisors[index - 1]],
    }
}

/// A tenth of the cases is repeated this often, to be longer than the blocks in which tensors are merged.
const REPEAT: usize = 60;

/// As many cases as keep the laws of all methods together within seconds.
pub(crate) fn settings() -> ProptestConfig {
    ProptestConfig::with_cases(64)
}

/// Merges of one method with one to four experts, or as many as it takes, and values from `value`.
pub(crate) fn cases(name: &'static str, value: impl Strategy<Value = f32> + Clone) -> impl Strategy<Value = Case> {
    let count = info(name).experts;
    let models = (count.min..=count.max.unwrap_or(4).min(count.min.max(4)), 1..40_usize);
    let models = models.prop_flat_map(move |(experts, len)| {
        let model = prop::collection::vec(value.clone(), len);
        (model.clone(), prop::collection::vec(model, experts))
    });
    let repeats = prop_oneof![9 => Just(1), 1 => Just(REPEAT)];
    let choices = (prop::collection::vec(0.0..1.0, 24), repeats, any::<u64>());
    (models, choices).prop_filter_map("refused parameters", move |((base, experts), (dials, repeats, seed))| {
        let (base, experts) = (base.repeat(repeats), experts.iter().map(|expert| expert.repeat(repeats)).collect());
        let experts: Vec<Vec<f32>> = experts;
        let mut dials = dials.into_iter().cycle();
        let mut dial = || dials.next().expect("cycles");
        let schema = method_schema(name).expect("a registered method");
        let config = match config(schema.as_value(), experts.len(), &mut dial) {
            Value::Object(config) => config,
            other => panic!("the schema of {name} is no object: {other}"),
        };
        let case = Case { name, config, shape: shape(base.len(), seed), base, experts, seed };
        // Parameters may be valid each by itself and not together.
        case.method().validate(case.experts.len()).is_ok().then_some(case)
    })
}

/// Small multiples of 1/64, many of them equal, opposite or zero.
pub(crate) fn dyadic() -> impl Strategy<Value = f32> + Clone {
    prop_oneof![(-8..=8_i8).prop_map(|value| f32::from(value) / 4.0), any::<i8>().prop_map(|v| f32::from(v) / 64.0)]
}

pub(crate) fn finite() -> impl Strategy<Value = f32> + Clone {
    use prop::num::f32::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
    prop_oneof![-1.0..1.0_f32, NORMAL | SUBNORMAL | ZERO | POSITIVE | NEGATIVE]
}

/// The bits of a result, or the message of its error: comparable even where a value is NaN.
pub(crate) fn outcome(merged: Result<Vec<f32>, MergeError>) -> Result<Vec<u32>, String> {
    merged.map(|values| values.iter().map(|value| value.to_bits()).collect()).map_err(|error| error.to_string())
}
