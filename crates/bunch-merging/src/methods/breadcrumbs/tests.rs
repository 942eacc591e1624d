//! Which entries are kept, counted by hand and with mergekit's rounding.

use super::{Breadcrumbs, bands};
use crate::{
    BreadcrumbsTies, Densities, Density, Method, OutlierFraction, PerExpert, Rescale, Spelling, TaskArithmetic,
    TensorAcrossModels, Ties, Values, method_from_parameters,
};
use serde_json::json;

fn density(value: f64) -> Density {
    Density::try_from(value).expect("in range")
}

fn outliers(value: f64) -> OutlierFraction {
    OutlierFraction::try_from(value).expect("in range")
}

fn merge(method: &Method, base: &[f32], experts: &[&[f32]]) -> Vec<f32> {
    let experts: Vec<Values<'_>> = experts.iter().map(|values| Values::Slice(values)).collect();
    let shape = [base.len()];
    let tensor = TensorAcrossModels::new("a.weight", &shape, Some(Values::Slice(base)), &experts);
    let mut merged = vec![f32::NAN; base.len()];
    method.merge(&tensor, 0, &mut merged).expect("valid input");
    merged
}

#[test]
fn bands_are_those_of_mergekit() {
    let band = |len: usize, kept, dropped| {
        let (shape, values) = ([len], vec![0.0; len]);
        let experts = [Values::from(&values)];
        let tensor = TensorAcrossModels::new("a", &shape, None, &experts);
        bands(&tensor, &density(kept).into(), &outliers(dropped).into())[0]
    };
    assert_eq!(band(100, 0.9, 0.01), (1, 90));
    // 0.29 * 100 is 28.999999999999996 in 64 bits.
    assert_eq!(band(100, 0.29, 0.29), (28, 28));
    // No outlier among fewer than 1 / gamma entries, and no entry at all rather than at least one.
    assert_eq!(band(24, 0.5, 0.01), (0, 12));
    assert_eq!(band(3, 0.25, 0.0), (0, 0));
    // The density goes before the outliers.
    assert_eq!(band(10, 0.75, 0.5), (3, 7));
    assert_eq!(band(10, 1.0, 1.0), (0, 10));
    assert_eq!(band(10, 0.0, 0.5), (5, 0));
}

#[test]
fn each_expert_has_its_own_numbers() {
    let method = Breadcrumbs {
        density: Densities::PerExpert(vec![density(0.25), density(0.5)]),
        gamma: PerExpert::PerExpert(vec![outliers(0.0), outliers(0.5)]),
        ..Breadcrumbs::default()
    };
    let experts: [&[f32]; 2] = [&[4.0, 3.0, 2.0, 1.0], &[4.0, 3.0, 2.0, 1.0]];
    assert_eq!(merge(&method.clone().into(), &[0.0; 4], &experts), [4.0, 0.0, 2.0, 1.0]);
    let error = Method::from(method).validate(3).expect_err("two entries");
    assert_eq!(error.to_string(), "breadcrumbs: `density` has 2 entries, expected one for each of 3 experts");
}

#[test]
fn among_equal_entries_the_first_is_dropped_as_the_largest() {
    let method = Breadcrumbs { density: density(0.5).into(), gamma: outliers(0.25).into(), ..Breadcrumbs::default() };
    assert_eq!(merge(&method.into(), &[0.0; 4], &[&[1.0, -1.0, 1.0, -1.0]]), [0.0, -1.0, 1.0, 0.0]);
}

#[test]
fn rescaling_keeps_the_sum_of_magnitudes_or_divides_by_the_density() {
    let rescaled = |rescale| {
        let (density, gamma) = (density(0.5).into(), outliers(0.25).into());
        let method = Breadcrumbs { density, gamma, rescale, ..Breadcrumbs::default() };
        merge(&method.into(), &[0.0; 4], &[&[9.0, -4.0, 2.0, 3.0]])
    };
    // 18 of magnitude, 7 of it kept.
    assert_eq!(rescaled(Rescale::None), [0.0, -4.0, 0.0, 3.0]);
    assert_eq!(rescaled(Rescale::L1), [0.0, -4.0 * (18.0 / 7.0), 0.0, 3.0 * (18.0 / 7.0)]);
    assert_eq!(rescaled(Rescale::Density), [0.0, -8.0, 0.0, 6.0]);
}

#[test]
fn without_a_drop_they_are_task_arithmetic_and_ties() {
    let base = [0.1, -0.2, 0.3, 0.4];
    let experts: [&[f32]; 2] = [&[0.5, 0.6, -0.7, 0.4], &[-0.3, 0.25, 0.9, 0.1]];
    let weights = vec![0.3, 0.7];
    for normalize in [false, true] {
        let crumbs = Breadcrumbs { weights: weights.clone(), scale: 1.3, normalize, ..Breadcrumbs::default() };
        let arithmetic = TaskArithmetic { weights: weights.clone(), scale: 1.3, normalize };
        assert_eq!(merge(&crumbs.into(), &base, &experts), merge(&arithmetic.into(), &base, &experts));
        let crumbs = BreadcrumbsTies { weights: weights.clone(), scale: 1.3, normalize, ..BreadcrumbsTies::default() };
        let ties = Ties { weights: weights.clone(), scale: 1.3, normalize, ..Ties::default() };
        assert_eq!(merge(&crumbs.into(), &base, &experts), merge(&ties.into(), &base, &experts));
    }
}

#[test]
fn mistakes_in_gamma_are_named() {
    let message = |text: &str| toml::from_str::<Method>(text).expect_err("a mistake").to_string();
    let text = message("breadcrumbs = { gamma = 1.5 }");
    assert!(text.contains("an outlier fraction is 1.5, expected a number from 0 to 1"), "{text}");
    let text = message("breadcrumbs = { gamma = \"few\" }");
    assert!(text.contains("an outlier fraction from 0 to 1, or a list with one for each expert"), "{text}");
    let gamma = PerExpert::PerExpert(vec![outliers(0.5)]);
    let error = Method::from(Breadcrumbs { gamma, ..Breadcrumbs::default() }).validate(2).expect_err("one entry");
    assert_eq!(error.to_string(), "breadcrumbs: `gamma` has 1 entries, expected one for each of 2 experts");
}

#[test]
fn a_mergekit_recipe_gives_each_expert_its_numbers() {
    let values =
        json!({ "weight": [0.5, 1.0], "density": [0.9, 0.4], "gamma": [0.01, 0.1], "lambda": 0.5, "rescale": true });
    for name in ["breadcrumbs", "breadcrumbs_ties"] {
        let values = values.as_object().expect("an object");
        let method = method_from_parameters(name, Spelling::Mergekit, values).expect("valid");
        let expected = json!({
            "weights": [0.5, 1.0], "density": [0.9, 0.4], "gamma": [0.01, 0.1],
            "rescale": "l1", "scale": 0.5, "normalize": false,
        });
        assert_eq!(serde_json::to_value(method).expect("JSON")[name], expected);
    }
}
