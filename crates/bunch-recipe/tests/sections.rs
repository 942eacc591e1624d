//! Every mistake in settings, slices, tokenizers and options is reported where it is.

mod mistakes;

use mistakes::{linear, problem, problems};

use bunch_recipe::{Fault, Location, Parts, Recipe};
use std::path::Path;

#[test]
fn settings_have_values() {
    let weight = |value: &str| problem(&linear(&format!("parameters: {{weight: {value}}}\n")));
    let list = "expected a value, or a list of values that is not empty, got an empty list";
    assert_eq!(weight("[]"), format!("r.yml:5:22: parameters.weight: {list}"));
    assert_eq!(weight("[{value: []}]"), format!("r.yml:5:31: parameters.weight[0].value: {list}"));
    assert_eq!(weight("null"), "r.yml:5:22: parameters.weight: expected a finite number, got nothing");
    assert_eq!(weight("1e39"), "r.yml:5:22: parameters.weight: expected a finite number, got the number 1e39");
    assert_eq!(weight("[[1]]"), "r.yml:5:23: parameters.weight[0]: expected a finite number, got a list of 1");
    assert_eq!(
        weight("{filter: mlp}"),
        "r.yml:5:22: parameters.weight.value: expected a value, or a list of values, got nothing"
    );
    assert_eq!(
        weight("{filter: 5, value: 1}"),
        "r.yml:5:31: parameters.weight.filter: expected a part of tensor names, got the number 5"
    );
    assert_eq!(
        problem(&linear("parameters: [1]\n")),
        "r.yml:5:13: parameters: expected a table of parameters, got a list of 1"
    );
    assert_eq!(
        problem(&linear("parameters: {normalize: 2}\n")),
        "r.yml:5:25: parameters.normalize: expected true or false, got the number 2"
    );
}

#[test]
fn slices_are_well_formed() {
    let text = "merge_method: slerp
base_model: a
slices:
  - sources:
    - {model: a, layer_range: [0, 4]}
    - {model: b, layer_range: [0, 3]}
    residual_weight: 0.5
  - sources:
    - {model: a, layer_range: [4, 3]}
    - {model: b, layer_range: [1]}
    - {model: c, layer_range: [0, 1.5]}
    - {model: d, layer_range: [-1, 2]}
    - {model: e}
  - sources: []
  - base_model: a
parameters: {t: 0.5}
";
    let range = "[first layer, layer after the last]";
    assert_eq!(
        problems("r.yml", text),
        [
            "r.yml:6:7: slices[0].sources[1].layer_range: expected 4 layers as in the slice's first source, got 3",
            "r.yml:7:22: slices[0].residual_weight: expected no `residual_weight`, as mergekit reads it and never uses it, \
             got the number 0.5",
            &format!("r.yml:9:31: slices[1].sources[0].layer_range: expected {range}, got [4, 3]"),
            &format!("r.yml:10:31: slices[1].sources[1].layer_range: expected {range}, got a list of 1"),
            "r.yml:11:35: slices[1].sources[2].layer_range[1]: expected a whole number of at least 0, got the number 1.5",
            "r.yml:12:32: slices[1].sources[3].layer_range[0]: expected a whole number of at least 0, got the number -1",
            &format!("r.yml:13:7: slices[1].sources[4].layer_range: expected {range}, got nothing"),
            "r.yml:14:14: slices[2].sources: expected a list of sources that is not empty, got an empty list",
            "r.yml:15:5: slices[3].sources: expected a list of sources that is not empty, got nothing",
        ]
    );
}

#[test]
fn slices_without_layers_stand_at_the_ends() {
    let slices = |ranges: &[[usize; 2]]| {
        let slice = |[from, to]: &[usize; 2]| format!("- sources: [{{model: a, layer_range: [{from}, {to}]}}]\n");
        format!("merge_method: passthrough\nslices:\n{}", ranges.iter().map(slice).collect::<String>())
    };
    let text = slices(&[[0, 0], [0, 2], [2, 2]]);
    assert!(Recipe::parse("r.yml".as_ref(), &text).is_ok());
    let expected = "expected one layer or more, but for the first or the last slice beside others, got none";
    let middle = slices(&[[0, 1], [1, 1], [1, 2]]);
    assert_eq!(problems("r.yml", &middle), [format!("r.yml:4:3: slices[1]: {expected}")]);
    let all = slices(&[[0, 0], [1, 1]]);
    assert_eq!(problems("r.yml", &all), [0, 1].map(|at| format!("r.yml:{}:3: slices[{at}]: {expected}", at + 3)));
}

#[test]
fn tokenizers_are_well_formed() {
    assert_eq!(
        problem(&linear("tokenizer_source: union\ntokenizer: {source: base}\n")),
        "r.yml:5:19: tokenizer_source: expected either `tokenizer` or `tokenizer_source`, got both"
    );
    let text = linear(
        "tokenizer:
  source: a@
  sauce: a
  pad_to_multiple_of: 0
  tokens:
    x: {source: {kind: one}}
    y: {source: {kind: model_token, model: a}}
    z: {source: {kind: model_token, model: a, token: b, token_id: 1}}
    w: {source: {kind: zero, model: a}, force: 3}
    v: a
",
    );
    let kinds = "expected `zero` or `model_token`, got the text \"one\"";
    let table = "expected a table with `source` and possibly `force`, got the text \"a\"";
    assert_eq!(
        problems("r.yml", &text),
        [
            "r.yml:6:11: tokenizer.source: expected a model as `path[@revision][+lora[@revision]]` without empty parts, \
             got the text \"a@\"",
            "r.yml:7:3: tokenizer: unknown key `sauce` (did you mean `source`?); expected one of source, tokens, \
             pad_to_multiple_of",
            "r.yml:8:23: tokenizer.pad_to_multiple_of: expected a whole number of at least 1, got the number 0",
            &format!("r.yml:10:24: tokenizer.tokens.x.source.kind: {kinds}"),
            "r.yml:11:17: tokenizer.tokens.y.source: expected either `token` or `token_id`, got none",
            "r.yml:12:17: tokenizer.tokens.z.source: expected either `token` or `token_id`, got both",
            "r.yml:13:30: tokenizer.tokens.w.source: unknown key `model`; expected one of kind",
            "r.yml:13:48: tokenizer.tokens.w.force: expected true or false, got the number 3",
            &format!("r.yml:14:8: tokenizer.tokens.v: {table}"),
        ]
    );
}

#[test]
fn weights_that_cancel_are_refused_before_a_merge_begins() {
    let text = "merge_method: linear\nmodels:\n- {model: a, parameters: {weight: 1}}\n- {model: b, parameters: {weight: -1}}\n";
    assert_eq!(
        problem(text),
        "r.yml:3:3: models: expected parameters that the method takes, got an error: linear: the weights sum to 0, which cannot be \
         normalised; expected at least 1e-8 in magnitude"
    );
    assert!(Recipe::parse(Path::new("r.yml"), &format!("{text}parameters: {{normalize: false}}\n")).is_ok());
}

#[test]
fn options_of_a_command_line_are_the_places_of_their_mistakes() {
    let experts = [("e1".to_owned(), Some(0.5)), ("e1".to_owned(), None), ("e@@".to_owned(), None)];
    let settings =
        ["density=1.7", "scale 3", "scale=a b", "normalise=true", "scale=1", "scale=2", "=1"].map(String::from);
    let parts = Parts {
        method: "ties",
        base: Some("base"),
        experts: &experts,
        settings: &settings,
        dtype: Some("int8"),
        out_dtype: None,
    };
    let problems = Recipe::from_parts(&parts).expect_err("mistakes").0;
    let known = "weight, density, rescale, scale, normalize, trim_scope";
    assert_eq!(
        problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "--dtype int8: dtype: expected float32, float16 or bfloat16, got the text \"int8\"",
            "--expert e@@: models[2].model: expected a model with at most one `@` in each part, got the text \"e@@\"",
            "--set =1: expected the name of a parameter before `=`, got nothing",
            "--set density=1.7: parameters.density: expected a number from 0 to 1, got the number 1.7",
            &format!(
                "--set normalise=true: parameters: unknown parameter of ties `normalise` (did you mean `normalize`?); \
                 expected one of {known}"
            ),
            "--set scale 3: expected a parameter and its value as `name=value`, got the text \"scale 3\"",
            "--set scale=2: expected each parameter once, got `scale` again after --set scale=1",
            "--set scale=a b: expected a value as in TOML, got the text \"a b\": string values must be quoted, expected \
             literal string",
        ]
    );
    assert!(matches!(&problems[0].location, Location::Option(option) if &**option == "--dtype int8"));
    assert!(matches!(&problems[4].fault, Fault::Unknown { nearest: Some(nearest), .. } if nearest == "normalize"));
}
