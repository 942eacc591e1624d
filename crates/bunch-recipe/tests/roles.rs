//! Methods that know their models by role.

use bunch_recipe::{ModelReference, Parts, Recipe};
use std::path::Path;

const HEAD: &str = "merge_method: mergealign\nbase_model: p\nmodels:\n";

fn read(models: &str) -> Recipe {
    Recipe::parse(Path::new("r.yml"), &format!("{HEAD}{models}")).unwrap_or_else(|problems| panic!("{problems}"))
}

fn problems(models: &str) -> Vec<String> {
    let problems = Recipe::parse(Path::new("r.yml"), &format!("{HEAD}{models}")).expect_err("a mistake");
    problems.0.iter().map(ToString::to_string).collect()
}

/// The base, then the experts in the order in which the method gets them.
fn order(recipe: &Recipe) -> Vec<String> {
    let slices = recipe.slices(|_| 4).expect("layers");
    let slice = &slices[0];
    slice.base.iter().chain(&slice.experts).map(|&index| slice.models[index].model.to_string()).collect()
}

fn roles_of(recipe: &Recipe, model: &str) -> Vec<&'static str> {
    recipe.roles_of(&ModelReference::parse(model).expect("a model"))
}

#[test]
fn experts_are_put_in_the_order_of_the_roles() {
    let recipe = read("- {model: a, role: aligned}\n- {model: t, role: tuned}\n");
    assert_eq!(order(&recipe), ["p", "t", "a"]);
    assert_eq!((roles_of(&recipe, "p"), roles_of(&recipe, "t")), (vec!["base"], vec!["tuned"]));
    let slices = "merge_method: mergealign\nbase_model: p\nslices:\n- sources:\n  - {model: a, role: aligned, layer_range: [0, 2]}\n\
                  \x20 - {model: p, layer_range: [0, 2]}\n  - {model: t, role: tuned, layer_range: [0, 2]}\n";
    assert_eq!(order(&Recipe::parse(Path::new("r.yml"), slices).expect("valid")), ["p", "t", "a"]);
}

#[test]
fn a_model_may_have_several_roles() {
    let recipe = read("- {model: p, role: tuned}\n- {model: p, role: aligned}\n");
    assert_eq!(order(&recipe), ["p", "p", "p"]);
    assert_eq!(roles_of(&recipe, "p"), ["base", "tuned", "aligned"]);
}

#[test]
fn bare_lists_wrong_roles_and_missing_ones_are_refused() {
    let role = |model: &str| format!("expected the role of {model} for mergealign: one of tuned, aligned, got nothing");
    assert_eq!(
        problems("- {model: t}\n- {model: a}\n"),
        [format!("r.yml:4:3: models[0].role: {}", role("t")), format!("r.yml:5:3: models[1].role: {}", role("a"))]
    );
    assert_eq!(
        problems("- {model: t, role: expert}\n- {model: a, role: aligned}\n"),
        ["r.yml:4:20: models[0].role: expected one of tuned, aligned for mergealign, got the text \"expert\""]
    );
    assert_eq!(
        problems("- {model: t, role: tuned}\n"),
        ["r.yml:4:3: models: expected a model with `role: aligned`, the aligned model, for mergealign, got nothing"]
    );
    let again = problems("- {model: t, role: tuned}\n- {model: a, role: aligned}\n- {model: u, role: tuned}\n");
    assert_eq!(again, ["r.yml:6:3: models[2].role: expected each role once, got `tuned` again after r.yml:4:3"]);
    let text = "merge_method: ties\nbase_model: p\nmodels:\n- {model: t, role: tuned, parameters: {weight: 1}}\n";
    let problems = Recipe::parse(Path::new("r.yml"), text).expect_err("a mistake").to_string();
    assert!(
        problems.contains("expected no role, as all experts are alike to ties, got the text \"tuned\""),
        "{problems}"
    );
}

#[test]
fn a_command_line_names_them_before_the_model() {
    let parse = |experts: &[(String, Option<f64>)]| {
        let parts = Parts { method: "mergealign", base: Some("p"), experts, ..Parts::default() };
        Recipe::from_parts(&parts).map_err(|problems| problems.to_string())
    };
    let experts = |texts: [&str; 2]| texts.map(|text| (text.to_owned(), None));
    let recipe = parse(&experts(["aligned=a", "tuned=t"])).expect("valid");
    assert_eq!(order(&recipe), ["p", "t", "a"]);
    assert_eq!(order(&Recipe::parse(Path::new("r.toml"), &recipe.source).expect("written")), ["p", "t", "a"]);
    let error = parse(&experts(["t", "a"])).expect_err("no roles");
    assert!(error.contains("--expert t: models[0].role: expected the role of t for mergealign"), "{error}");
}
