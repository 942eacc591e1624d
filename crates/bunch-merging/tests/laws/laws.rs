//! The laws that every merge method obeys, as properties.
//!
//! A method is known here by its name only: its parameters are generated from its schema, so that a new method is
//! tested without a line of test code.

use bunch_merging::{Identity, Info, Law, MergeError, Method, SameModels, TensorCache, method_schema};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::case::{Case, cases, dyadic, finite, info, outcome, settings};

/// What a law says of a method.
pub(crate) enum Verdict {
    /// It was tried and holds.
    Holds,
    /// The method is excused from it, for the reason given.
    Excused(&'static str),
    /// It says nothing of the method: there is no such parameter, or there are no roles.
    SaysNothing,
}

use Verdict::{Excused, Holds, SaysNothing};

/// Tries a law on the method of this name.
pub(crate) type Trial = fn(&'static str) -> Verdict;

/// All laws by name.
pub(crate) const LAWS: &[(&str, Trial)] = &[
    ("result_is_finite_or_an_error", result_is_finite_or_an_error),
    ("non_finite_input_is_an_error", non_finite_input_is_an_error),
    ("wrong_length_is_an_error", wrong_length_is_an_error),
    ("same_models_return_the_base", same_models_return_the_base),
    ("same_seed_gives_the_same_bytes", same_seed_gives_the_same_bytes),
    ("cache_changes_no_bit", cache_changes_no_bit),
    ("chunks_change_no_bit", chunks_change_no_bit),
    ("threads_change_no_bit", threads_change_no_bit),
    ("order_of_experts_does_not_matter", order_of_experts_does_not_matter),
    ("zero_scale_is_the_base", zero_scale_is_the_base),
    ("weights_scale_out_if_normalised", weights_scale_out_if_normalised),
    ("scaled_models_scale_the_result", scaled_models_scale_the_result),
    ("identities_of_roles_hold", identities_of_roles_hold),
    ("config_round_trips", config_round_trips),
    ("unknown_field_is_refused", unknown_field_is_refused),
];

/// Law 1: the output has only finite values, or there is an error, even when differences and sums overflow.
fn result_is_finite_or_an_error(name: &'static str) -> Verdict {
    proptest!(settings(), |(case in cases(name, finite()))| {
        if let Ok(merged) = case.merge() {
            prop_assert!(merged.iter().all(|value| value.is_finite()), "{merged:?}");
        }
    });
    Holds
}

/// Law 1: a value that is not finite is an error that says where it is.
fn non_finite_input_is_an_error(name: &'static str) -> Verdict {
    let bad = prop::sample::select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY]);
    proptest!(settings(), |(mut case in cases(name, dyadic()), bad in bad, model in 0..4_usize, at in any::<prop::sample::Index>())| {
        let model = model % case.experts.len();
        let at = at.index(case.base.len());
        case.experts[model][at] = bad;
        let error = case.merge().expect_err("a bad value").to_string();
        prop_assert!(error.contains("a.weight") && error.contains(&format!("value {at} of {}", expert(info(name), model))), "{error}");
    });
    Holds
}

/// Law 1: a slice of another length is an error that names tensor, expected and got.
fn wrong_length_is_an_error(name: &'static str) -> Verdict {
    proptest!(settings(), |(mut case in cases(name, dyadic()))| {
        let expected = case.base.len();
        case.experts[0].push(0.0);
        let error = case.merge().expect_err("a long expert").to_string();
        prop_assert_eq!(error, format!("tensor a.weight: expected {expected} values, got {} from {}", expected + 1, expert(info(name), 0)));
    });
    Holds
}

/// Law 2: experts equal to the base return the base.
fn same_models_return_the_base(name: &'static str) -> Verdict {
    let same = info(name).laws.same_models;
    if let SameModels::Except(reason) = same {
        return Excused(reason);
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
    Holds
}

/// Law 3: equal arguments give equal bytes.
fn same_seed_gives_the_same_bytes(name: &'static str) -> Verdict {
    proptest!(settings(), |(case in cases(name, finite()))| {
        prop_assert_eq!(outcome(case.merge()), outcome(case.merge()));
    });
    Holds
}

/// Law 3: neither an empty nor a filled cache changes a bit, also after merges with other parameters and seeds.
fn cache_changes_no_bit(name: &'static str) -> Verdict {
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
    Holds
}

/// Law 3: values read piece by piece and merged in any ranges give the same bytes as values in memory.
fn chunks_change_no_bit(name: &'static str) -> Verdict {
    proptest!(settings(), |(case in cases(name, finite()), chunk in 1..3000_usize)| {
        match (case.merge(), case.merge_streamed(chunk)) {
            (Ok(whole), Ok(streamed)) => prop_assert_eq!(outcome(Ok(whole)), outcome(Ok(streamed))),
            // Which of several bad values is met first depends on the order of the chunks.
            (whole, streamed) => prop_assert_eq!(whole.is_err(), streamed.is_err()),
        }
    });
    Holds
}

/// Law 3: threads that share a cache get what one alone gets.
fn threads_change_no_bit(name: &'static str) -> Verdict {
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
    Holds
}

/// Law 4: permuting experts with their parameters changes nothing. On dyadic values not even rounding: their sums are
/// exact, so that no sign election hangs on the order. Unless the coefficients are not exact: then values may differ by
/// the rounding of the largest number that went into them.
fn order_of_experts_does_not_matter(name: &'static str) -> Verdict {
    let law = info(name).laws.order_invariant;
    if let Law::Except(reason) = law {
        return Excused(reason);
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
    Holds
}

/// Law 5: with scale 0 the result is the base, up to the sign of zero.
fn zero_scale_is_the_base(name: &'static str) -> Verdict {
    if method_schema(name).is_none_or(|schema| schema.as_value()["properties"].get("scale").is_none()) {
        return SaysNothing;
    }
    proptest!(settings(), |(mut case in cases(name, dyadic()))| {
        case.set("scale", json!(0.0));
        let merged = case.merge();
        prop_assume!(!matches!(merged, Err(MergeError::ZeroWeightSum { .. })));
        prop_assert_eq!(merged?, case.base);
    });
    Holds
}

/// Law 6: multiplying all weights, none negative, by one positive number is a no-op exactly when normalised. Powers of
/// two, which multiply without rounding.
fn weights_scale_out_if_normalised(name: &'static str) -> Verdict {
    if let Law::Except(reason) = info(name).laws.weight_scaling {
        return Excused(reason);
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
    Holds
}

/// Law 7: multiplying all models by a power of two, which multiplies without rounding, multiplies the result.
fn scaled_models_scale_the_result(name: &'static str) -> Verdict {
    let law = info(name).laws.homogeneity;
    if let Law::Except(reason) = law {
        return Excused(reason);
    }
    proptest!(settings(), |(case in cases(name, dyadic()), factor in prop::sample::select(vec![0.5_f32, 2.0, 4.0]))| {
        let mut scaled = case.clone();
        let models = scaled.experts.iter_mut().chain([&mut scaled.base]);
        models.flatten().for_each(|value| *value *= factor);
        if let (Ok(merged), Ok(scaled)) = (case.merge(), scaled.merge()) {
            for (merged, scaled) in merged.iter().zip(scaled) {
                let allowed = if law == Law::Holds { 0.0 } else { 4.0 * f32::EPSILON * scaled.abs() };
                prop_assert!((merged * factor - scaled).abs() <= allowed, "{merged} times {factor} is not {scaled}");
            }
        }
    });
    Holds
}

/// Law 8: where the models of two roles are equal, the result is the model of the role that says so, up to rounding.
fn identities_of_roles_hold(name: &'static str) -> Verdict {
    let info = info(name);
    if info.roles.iter().all(|role| role.identity.is_none()) {
        return SaysNothing;
    }
    for role in info.roles {
        let Some(Identity { equal: (first, second), with }) = role.identity else { continue };
        proptest!(settings(), |(mut case in cases(name, dyadic()))| {
            for (parameter, value) in with {
                case.set(parameter, json!(value));
            }
            let same = case.model(info, second).to_vec();
            case.model(info, first).copy_from_slice(&same);
            let wanted = case.model(info, role.name).to_vec();
            for (index, (merged, wanted)) in case.merge()?.iter().zip(wanted).enumerate() {
                let models = case.experts.iter().chain([&case.base]);
                let largest = models.fold(0.0, |max: f32, model| max.max(model[index].abs()));
                prop_assert!((merged - wanted).abs() <= 4.0 * f32::EPSILON * largest, "{}: {merged} is not {wanted}", role.name);
            }
        });
    }
    Holds
}

/// Law 9: a configuration survives being written and read.
fn config_round_trips(name: &'static str) -> Verdict {
    proptest!(settings(), |(case in cases(name, dyadic()))| {
        let method = case.method();
        let json = serde_json::to_string(&method)?;
        prop_assert_eq!(serde_json::from_str::<Method>(&json)?, method.clone());
        let toml = toml::to_string(&method)?;
        prop_assert_eq!(toml::from_str::<Method>(&toml)?, method.clone());
        prop_assert_eq!(method.info().name, name);
    });
    Holds
}

/// Law 9: an unknown field is refused, with the name of the field and its place.
fn unknown_field_is_refused(name: &'static str) -> Verdict {
    let error = toml::from_str::<Method>(&format!("\n{name} = {{ wieght = 1.0 }}")).expect_err("an unknown field");
    let error = error.to_string();
    assert!(error.contains("unknown field `wieght`") && error.contains("line 2, column"), "{error}");
    Holds
}

/// How messages name an expert.
fn expert(info: &Info, index: usize) -> String {
    info.role_of(index).map_or_else(|| format!("expert {index}"), |role| format!("the model `{}`", role.name))
}
