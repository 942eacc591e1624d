//! The laws that every merge method obeys, as properties.
//!
//! A method is known here by its name only: its parameters are generated from its schema, so that a new method is
//! tested without a line of test code.

use crate::info::{Law, SameModels};
use crate::methods::{CATALOGUE, Method, method_schema};
use crate::{Info, MergeError, ReadValues, TensorAcrossModels, TensorCache, TensorSource, Values};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// The tests of one method, each a law; `$method` is its type.
macro_rules! law_tests {
    ($method:ident) => {
        use super::super::$method;
        use crate::laws::{self, law_tests};
        use crate::methods::MergeMethod;

        law_tests! { @each $method:
            result_is_finite_or_an_error, non_finite_input_is_an_error, wrong_length_is_an_error,
            same_models_return_the_base, same_seed_gives_the_same_bytes, cache_changes_no_bit, chunks_change_no_bit, threads_change_no_bit,
            order_of_experts_does_not_matter, zero_scale_is_the_base, weights_scale_out_if_normalised,
            config_round_trips, unknown_field_is_refused,
        }
    };
    (@each $method:ident: $($law:ident,)+) => {
        $(
            #[test]
            fn $law() {
                laws::$law($method::INFO.name);
            }
        )+
    };
}
pub(crate) use law_tests;

/// One merge: a configuration, models and a seed.
#[derive(Debug, Clone)]
struct Case {
    name: &'static str,
    config: Map<String, Value>,
    base: Vec<f32>,
    experts: Vec<Vec<f32>>,
    seed: u64,
}

impl Case {
    fn method(&self) -> Method {
        serde_json::from_value(json!({ self.name: self.config })).expect("the schema describes what is accepted")
    }

    fn merge(&self) -> Result<Vec<f32>, MergeError> {
        self.merge_with(None)
    }

    fn merge_with(&self, cache: Option<&TensorCache>) -> Result<Vec<f32>, MergeError> {
        let experts: Vec<Values<'_>> = self.experts.iter().map(Values::from).collect();
        let (shape, base) = (self.shape(), Some(Values::from(&self.base)));
        let tensor = TensorAcrossModels { cache, ..TensorAcrossModels::new("a.weight", &shape, base, &experts) };
        let method = self.method();
        let survey = method.survey(experts.len(), &mut Single(tensor))?;
        let mut merged = vec![f32::NAN; self.base.len()];
        method.merge(&TensorAcrossModels { survey: survey.as_ref(), ..tensor }, self.seed, &mut merged)?;
        Ok(merged)
    }

    /// One row, or two where the number of values is even.
    fn shape(&self) -> Vec<usize> {
        if self.base.len().is_multiple_of(2) { vec![2, self.base.len() / 2] } else { vec![self.base.len()] }
    }

    /// Merges values that are read piece by piece, in ranges of about `chunk` entries, the last range first.
    fn merge_streamed(&self, chunk: usize) -> Result<Vec<f32>, MergeError> {
        let read: Vec<Read<'_>> = self.experts.iter().map(|values| Read(values)).collect();
        let experts: Vec<Values<'_>> = read.iter().map(|values| Values::Stream(values)).collect();
        let (shape, base) = (self.shape(), Read(&self.base));
        let tensor = TensorAcrossModels::new("a.weight", &shape, Some(Values::Stream(&base)), &experts);
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

    fn has(&self, field: &str) -> bool {
        self.config.contains_key(field)
    }

    fn set(&mut self, field: &str, value: Value) {
        if self.has(field) {
            self.config.insert(field.into(), value);
        }
    }

    fn map_weights(&mut self, map: impl Fn(f64) -> f64) {
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

fn info(name: &str) -> &'static Info {
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

/// A tenth of the cases is repeated this often, to be longer than the blocks in which tensors are merged.
const REPEAT: usize = 60;

/// As many cases as keep the laws of all methods together within seconds.
fn settings() -> ProptestConfig {
    ProptestConfig::with_cases(64)
}

/// Merges of one method with one to four experts and values from `value`.
fn cases(name: &'static str, value: impl Strategy<Value = f32> + Clone) -> impl Strategy<Value = Case> {
    let count = info(name).experts;
    let models = (count.min..=count.max.unwrap_or(4).min(4), 1..40_usize);
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
        let case = Case { name, config, base, experts, seed };
        // Parameters may be valid each by itself and not together.
        case.method().validate(case.experts.len()).is_ok().then_some(case)
    })
}

/// Small multiples of 1/64, many of them equal, opposite or zero.
fn dyadic() -> impl Strategy<Value = f32> + Clone {
    prop_oneof![(-8..=8_i8).prop_map(|value| f32::from(value) / 4.0), any::<i8>().prop_map(|v| f32::from(v) / 64.0)]
}

fn finite() -> impl Strategy<Value = f32> + Clone {
    use prop::num::f32::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
    prop_oneof![-1.0..1.0_f32, NORMAL | SUBNORMAL | ZERO | POSITIVE | NEGATIVE]
}

/// The bits of a result, or the message of its error: comparable even where a value is NaN.
fn outcome(merged: Result<Vec<f32>, MergeError>) -> Result<Vec<u32>, String> {
    merged.map(|values| values.iter().map(|value| value.to_bits()).collect()).map_err(|error| error.to_string())
}

/// Law 1: the output has only finite values, or there is an error, even when differences and sums overflow.
pub(crate) fn result_is_finite_or_an_error(name: &'static str) {
    proptest!(settings(), |(case in cases(name, finite()))| {
        if let Ok(merged) = case.merge() {
            prop_assert!(merged.iter().all(|value| value.is_finite()), "{merged:?}");
        }
    });
}

/// Law 1: a value that is not finite is an error that says where it is.
pub(crate) fn non_finite_input_is_an_error(name: &'static str) {
    let bad = prop::sample::select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY]);
    proptest!(settings(), |(mut case in cases(name, dyadic()), bad in bad, model in 0..4_usize, at in any::<prop::sample::Index>())| {
        let model = model % case.experts.len();
        let at = at.index(case.base.len());
        case.experts[model][at] = bad;
        let error = case.merge().expect_err("a bad value").to_string();
        prop_assert!(error.contains("a.weight") && error.contains(&format!("value {at} of expert {model}")), "{error}");
    });
}

/// Law 1: a slice of another length is an error that names tensor, expected and got.
pub(crate) fn wrong_length_is_an_error(name: &'static str) {
    proptest!(settings(), |(mut case in cases(name, dyadic()))| {
        let expected = case.base.len();
        case.experts[0].push(0.0);
        let error = case.merge().expect_err("a long expert").to_string();
        prop_assert_eq!(error, format!("tensor a.weight: expected {expected} values, got {} from expert 0", expected + 1));
    });
}

/// Law 2: experts equal to the base return the base.
pub(crate) fn same_models_return_the_base(name: &'static str) {
    let same = info(name).laws.same_models;
    if matches!(same, SameModels::Except(_)) {
        return;
    }
    proptest!(settings(), |(mut case in cases(name, -1e6..1e6_f32))| {
        for expert in &mut case.experts {
            expert.clone_from(&case.base);
        }
        if same == SameModels::WithinOneUlp {
            case.set("normalize", json!(true));
        }
        // The only other error would be weights that sum to zero.
        let merged = case.merge();
        prop_assume!(!matches!(merged, Err(MergeError::ZeroWeightSum { .. })));
        let merged = merged?;
        for (merged, base) in merged.iter().zip(&case.base) {
            match same {
                SameModels::BitForBit => prop_assert_eq!(merged.to_bits(), base.to_bits()),
                SameModels::Except(_) => {}
                SameModels::WithinOneUlp => {
                    prop_assert!((base.next_down()..=base.next_up()).contains(merged), "{merged} is not {base}");
                }
            }
        }
    });
}

/// Law 3: equal arguments give equal bytes.
pub(crate) fn same_seed_gives_the_same_bytes(name: &'static str) {
    proptest!(settings(), |(case in cases(name, finite()))| {
        prop_assert_eq!(outcome(case.merge()), outcome(case.merge()));
    });
}

/// Law 3: neither an empty nor a filled cache changes a bit, also after merges with other parameters and seeds.
pub(crate) fn cache_changes_no_bit(name: &'static str) {
    proptest!(settings(), |(first in cases(name, finite()), second in cases(name, dyadic()))| {
        let cache = TensorCache::new(first.experts.len());
        let mut other = Case { config: first.config.clone(), seed: second.seed, ..first.clone() };
        if first.experts.len() == second.experts.len() {
            other.config.clone_from(&second.config);
        }
        for case in [&first, &other, &first] {
            prop_assert_eq!(outcome(case.merge_with(Some(&cache))), outcome(case.merge()));
        }
    });
}

/// Law 3: values read piece by piece and merged in any ranges give the same bytes as values in memory.
pub(crate) fn chunks_change_no_bit(name: &'static str) {
    proptest!(settings(), |(case in cases(name, finite()), chunk in 1..3000_usize)| {
        match (case.merge(), case.merge_streamed(chunk)) {
            (Ok(whole), Ok(streamed)) => prop_assert_eq!(outcome(Ok(whole)), outcome(Ok(streamed))),
            // Which of several bad values is met first depends on the order of the chunks.
            (whole, streamed) => prop_assert_eq!(whole.is_err(), streamed.is_err()),
        }
    });
}

/// Law 3: threads that share a cache get what one alone gets.
pub(crate) fn threads_change_no_bit(name: &'static str) {
    proptest!(ProptestConfig::with_cases(16), |(case in cases(name, dyadic()))| {
        let cache = TensorCache::new(case.experts.len());
        let alone = case.merge();
        let together: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| case.merge_with(Some(&cache)))).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        for merged in together {
            prop_assert_eq!(&merged, &alone);
        }
    });
}

/// Law 4: permuting experts with their parameters changes nothing. On dyadic values not even rounding: their sums are
/// exact, so that no sign election hangs on the order. Unless the coefficients are not exact: then values may differ by
/// the rounding of the largest number that went into them.
pub(crate) fn order_of_experts_does_not_matter(name: &'static str) {
    let law = info(name).laws.order_invariant;
    if matches!(law, Law::Except(_)) {
        return;
    }
    proptest!(settings(), |(mut case in cases(name, dyadic()), by in 0..4_usize)| {
        // Rescaling is not exact, and the sign of a sum that is zero without it would hang on the order.
        case.set("rescale", json!("none"));
        let mut rotated = case.clone();
        let by = by % case.experts.len();
        rotated.experts.rotate_left(by);
        for list in rotated.config.values_mut().filter_map(Value::as_array_mut) {
            list.rotate_left(by);
        }
        match (rotated.merge(), case.merge()) {
            (Ok(rotated), Ok(merged)) if law == Law::WithinRounding => {
                for (index, (rotated, merged)) in rotated.iter().zip(merged).enumerate() {
                    let values = case.experts.iter().map(|expert| expert[index]);
                    let largest = values.chain([case.base[index], merged]).fold(0.0, |max: f32, value| max.max(value.abs()));
                    prop_assert!((rotated - merged).abs() <= f32::EPSILON * largest, "{rotated} is not {merged}");
                }
            }
            (rotated, merged) => prop_assert_eq!(rotated, merged),
        }
    });
}

/// Law 5: with scale 0 the result is the base, up to the sign of zero.
pub(crate) fn zero_scale_is_the_base(name: &'static str) {
    if method_schema(name).is_none_or(|schema| schema.as_value()["properties"].get("scale").is_none()) {
        return;
    }
    proptest!(settings(), |(mut case in cases(name, dyadic()))| {
        case.set("scale", json!(0.0));
        let merged = case.merge();
        prop_assume!(!matches!(merged, Err(MergeError::ZeroWeightSum { .. })));
        prop_assert_eq!(merged?, case.base);
    });
}

/// Law 6: multiplying all weights, none negative, by one positive number is a no-op exactly when normalised. Powers of
/// two, which multiply without rounding.
pub(crate) fn weights_scale_out_if_normalised(name: &'static str) {
    if info(name).laws.weight_scaling != Law::Holds {
        return;
    }
    proptest!(settings(), |(mut case in cases(name, dyadic()), factor in prop::sample::select(vec![0.25, 0.5, 2.0, 4.0]))| {
        case.map_weights(f64::abs);
        let mut scaled = case.clone();
        scaled.map_weights(|weight| weight * factor);
        let (merged, after) = (case.merge(), scaled.merge());
        prop_assume!(!matches!(merged, Err(MergeError::ZeroWeightSum { .. })));
        let (merged, after) = (merged?, after?);
        if case.config.get("normalize") == Some(&json!(true)) {
            prop_assert_eq!(after, merged);
        } else if merged != case.base && merged.iter().any(|&value| value != 0.0) {
            prop_assert_ne!(after, merged);
        }
    });
}

/// Law 7: a configuration survives being written and read.
pub(crate) fn config_round_trips(name: &'static str) {
    proptest!(settings(), |(case in cases(name, dyadic()))| {
        let method = case.method();
        let json = serde_json::to_string(&method)?;
        prop_assert_eq!(serde_json::from_str::<Method>(&json)?, method.clone());
        let toml = toml::to_string(&method)?;
        prop_assert_eq!(toml::from_str::<Method>(&toml)?, method.clone());
        prop_assert_eq!(method.info().name, name);
    });
}

/// Law 7: an unknown field is refused, with the name of the field and its place.
pub(crate) fn unknown_field_is_refused(name: &'static str) {
    let error = toml::from_str::<Method>(&format!("\n{name} = {{ wieght = 1.0 }}")).expect_err("an unknown field");
    let error = error.to_string();
    assert!(error.contains("unknown field `wieght`") && error.contains("line 2, column"), "{error}");
}
