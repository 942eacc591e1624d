//! The laws that every merge method obeys, as properties.
//!
//! A method is known here by its name only: its parameters are generated from its schema, so that a new method is
//! tested without a line of test code.

use crate::info::{Law, SameModels};
use crate::methods::{Method, method_schema};
use crate::{MergeError, TensorCache};
use case::{Case, cases, dyadic, finite, info, outcome, settings};
use proptest::prelude::*;
use serde_json::{Value, json};

mod case;

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
