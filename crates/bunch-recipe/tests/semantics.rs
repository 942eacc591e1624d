//! What recipes mean, worked out by hand.

use bunch_merging::{Method, Spelling};
use bunch_recipe::{
    FloatDtype, Form, Layout, ModelReference, Parts, Place, Recipe, RecipeProblems, Scalar, SliceModel, TokenName,
    TokenRule, TokenSource, TokenizerSource,
};
use serde_json::{Value, json};
use std::path::Path;

fn yaml(text: &str) -> Recipe {
    Recipe::parse(Path::new("r.yml"), text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn model(text: &str) -> ModelReference {
    ModelReference::parse(text).expect("a model")
}

/// The parameters for a tensor that has the same name in all models.
fn parameters(recipe: &Recipe, slice: usize, t: f64, tensor: &str) -> Value {
    let models = recipe.slices(|_| 4).expect("valid layers")[slice].models.len();
    let inputs = vec![tensor.to_owned(); models];
    config(recipe.method_for(&Place { slice, t, tensor, inputs: &inputs }))
}

fn config(method: Result<Method, RecipeProblems>) -> Value {
    let method = method.unwrap_or_else(|problems| panic!("{problems}"));
    serde_json::to_value(&method).expect("JSON")[method.info().name].clone()
}

/// The values as the single-precision numbers they become.
fn singles(values: &[f64]) -> Value {
    values.iter().map(|value| f64::from(*value as f32)).collect::<Vec<f64>>().into()
}

#[test]
fn gradients_are_interpolated_and_filters_pick_the_first_match() {
    let recipe = yaml(
        "merge_method: linear
models:
- {model: a, parameters: {weight: [0.0, 1.0, 0.5]}}
- model: b
  parameters:
    weight:
    - {filter: attn, value: [2, 4]}
    - {filter: q_proj, value: 9}
    - {filter: mlp, value: 3}
parameters: {weight: 7}
",
    );
    let weights = |t, tensor| parameters(&recipe, 0, t, tensor)["weights"].clone();
    assert_eq!(weights(0.0, "attn.q_proj"), singles(&[0.0, 2.0]));
    assert_eq!(weights(0.25, "attn.q_proj"), singles(&[0.5, 2.5]));
    assert_eq!(weights(0.5, "mlp.up"), singles(&[1.0, 3.0]));
    assert_eq!(weights(0.75, "cross.q_proj"), singles(&[0.75, 9.0]));
    assert_eq!(weights(1.0, "norm"), singles(&[0.5, 7.0]));
}

#[test]
fn the_setting_nearest_to_the_tensor_counts() {
    let recipe = yaml(
        "merge_method: task_arithmetic
base_model: b
modules:
  decoder:
    slices:
    - sources:
      - {model: b, layer_range: [0, 2]}
      - {model: x, layer_range: [0, 2], parameters: {weight: [{filter: at_model, value: 1}]}}
      - {model: y, layer_range: [0, 2]}
      parameters: {weight: [{filter: at_slice, value: 2}]}
    parameters: {weight: [{filter: at_m, value: 3}], lambda: [{filter: at_m, value: 0.3}]}
parameters: {weight: 4, lambda: 0.4}
",
    );
    let weights = |tensor| parameters(&recipe, 0, 0.0, tensor)["weights"].clone();
    assert_eq!(weights("at_model"), singles(&[1.0, 3.0]));
    assert_eq!(weights("at_slice"), singles(&[2.0, 2.0]));
    assert_eq!(weights("at_module"), singles(&[3.0, 3.0]));
    assert_eq!(weights("elsewhere"), singles(&[4.0, 4.0]));
    assert_eq!(parameters(&recipe, 0, 0.0, "at_module")["scale"], singles(&[0.3])[0]);
    assert_eq!(parameters(&recipe, 0, 0.0, "elsewhere")["scale"], singles(&[0.4])[0]);
    let Form::Modules(modules) = &recipe.form else { panic!("{:?}", recipe.form) };
    assert_eq!(modules[0].0, "decoder");
    assert!(matches!(&modules[0].1.layout, Layout::Slices(slices) if slices.len() == 1));
}

#[test]
fn per_model_filters_see_names_in_the_model_and_shared_ones_names_in_the_output() {
    let recipe = yaml(
        "merge_method: ties
base_model: b
slices:
- sources:
  - {model: b, layer_range: [0, 1]}
  - {model: x, layer_range: [1, 2]}
  - {model: y, layer_range: [3, 4]}
parameters:
  weight: [{filter: layers.1., value: 0.1}, {filter: layers.3., value: 0.3}, {value: 5}]
  lambda: [{filter: layers.0., value: 0.7}, {value: 6}]
",
    );
    let inputs = ["model.layers.0.w", "model.layers.1.w", "model.layers.3.w"].map(String::from);
    let place = Place { slice: 0, t: 1.0, tensor: "model.layers.0.w", inputs: &inputs };
    let ties = config(recipe.method_for(&place));
    assert_eq!(ties["weights"], singles(&[0.1, 0.3]));
    assert_eq!(ties["scale"], singles(&[0.7])[0]);
}

#[test]
fn slices_follow_one_another() {
    let recipe = yaml(
        "merge_method: slerp
base_model: a
slices:
- sources: [{model: a, layer_range: [0, 3]}, {model: b, layer_range: [1, 4]}]
- sources: [{model: c, layer_range: [2, 3]}, {model: b, layer_range: [0, 1]}]
  base_model: b
parameters: {t: 0.5}
",
    );
    let slices = recipe.slices(|_| 4).expect("valid layers");
    let slice_model = |name, first_layer| SliceModel { model: model(name), first_layer };
    assert_eq!(slices[0].models, [slice_model("a", 0), slice_model("b", 1)]);
    assert_eq!(slices[1].models, [slice_model("c", 2), slice_model("b", 0)]);
    let roles = |index: usize| (slices[index].base, slices[index].experts.clone());
    assert_eq!((roles(0), roles(1)), ((Some(0), vec![1]), (Some(1), vec![0])));
    assert_eq!((slices[0].first_layer, slices[0].layers), (0, 3));
    assert_eq!((slices[1].first_layer, slices[1].layers), (3, 1));
    let positions: Vec<f64> = (0..3).map(|layer| slices[0].position(layer)).collect();
    assert_eq!(positions, [0.0, 0.5, 1.0]);
    assert_eq!(slices[1].position(0), 1.0);
    assert_eq!(recipe.models(), [&model("a"), &model("b"), &model("c")]);

    let problems = recipe.slices(|model| if model.path == "b" { 3 } else { 4 }).expect_err("too few layers");
    let problem = "r.yml:4:46: slices[0].sources[1].layer_range: expected layers of b, which has 3, got [1, 4]";
    assert_eq!(problems.to_string(), problem);
}

#[test]
fn whole_models_make_one_slice_with_the_base_at_the_end() {
    let text = "merge_method: ties\nbase_model: b\nmodels: [{model: x}, {model: y}]\nparameters: {weight: 1}\n";
    let recipe = yaml(text);
    let slices = recipe.slices(|_| 4).expect("valid layers");
    let names: Vec<_> = slices[0].models.iter().map(|model| model.model.to_string()).collect();
    assert_eq!(names, ["x", "y", "b"]);
    assert_eq!((slices[0].base, slices[0].experts.as_slice(), slices[0].layers), (Some(2), [0, 1].as_slice(), 4));
    assert_eq!(recipe.models(), [&model("b"), &model("x"), &model("y")]);

    let problems = recipe.slices(|model| if model.path == "y" { 5 } else { 4 }).expect_err("another model");
    let problem = "r.yml:3:22: models[1].model: expected 4 layers as in the first model, got 5 in y";
    assert_eq!(problems.to_string(), problem);
}

#[test]
fn methods_without_a_base_take_it_as_an_expert() {
    let recipe = yaml("merge_method: linear\nbase_model: b\nmodels: [{model: x}]\nparameters: {weight: [1, 2]}\n");
    let slices = recipe.slices(|_| 4).expect("valid layers");
    assert_eq!((slices[0].base, slices[0].experts.as_slice()), (None, [0, 1].as_slice()));
    assert_eq!(recipe.notes, ["r.yml:2:13: b takes part like the other models: linear has no base"]);
}

#[test]
fn what_is_not_what_it_seems_is_noted() {
    let recipe = yaml(
        "merge_method: ties
base_model: b
models:
- {model: b, parameters: {weight: 0.5}}
- {model: x, parameters: {weight: [{value: 1}, {filter: mlp, value: 2}]}}
parameters: {int8_mask: true}
",
    );
    assert_eq!(
        recipe.notes,
        [
            "r.yml:4:27: `weight` changes nothing here: b is the base",
            "r.yml:5:48: models[1].parameters.weight[1] is never used: what is before it matches every tensor",
            "r.yml:6:14: `int8_mask` changes nothing here",
        ]
    );
    assert_eq!(parameters(&recipe, 0, 0.0, "w")["weights"], singles(&[1.0]));
}

#[test]
fn parameters_that_change_nothing_need_no_values() {
    let recipe = yaml(
        "merge_method: task_arithmetic
base_model: b
models:
- {model: x, parameters: {weight: 1, density: 0.25}}
- {model: y, parameters: {weight: 2}}
",
    );
    assert_eq!(recipe.notes, ["r.yml:4:38: `density` changes nothing here"]);
    assert_eq!(parameters(&recipe, 0, 0.0, "w")["weights"], singles(&[1.0, 2.0]));
}

#[test]
fn experts_without_a_value_have_the_default() {
    let recipe = yaml(
        "merge_method: ties
base_model: b
models:
- {model: x, parameters: {weight: 1, density: 0.25}}
- {model: y, parameters: {weight: 2, density: [{filter: mlp, value: 0.5}]}}
",
    );
    assert_eq!(parameters(&recipe, 0, 0.0, "attn")["density"], json!([0.25, 1.0]));
    assert_eq!(parameters(&recipe, 0, 0.0, "mlp")["density"], json!([0.25, 0.5]));
}

#[test]
fn a_required_parameter_must_have_a_value_for_every_tensor() {
    let recipe = yaml(
        "merge_method: linear
models:
- {model: x, parameters: {weight: [{filter: mlp, value: 1}]}}
- {model: y, parameters: {weight: 1}}
",
    );
    let inputs = ["up.attn".to_owned(), "attn".to_owned()];
    let place = Place { slice: 0, t: 0.0, tensor: "attn", inputs: &inputs };
    let problem =
        "r.yml:3:3: models[0].parameters.weight: expected a value for up.attn, as linear needs one, got nothing";
    assert_eq!(recipe.method_for(&place).expect_err("no value").to_string(), problem);

    let recipe = yaml(
        "merge_method: slerp
base_model: a
models: [{model: a}, {model: b}]
parameters: {t: {filter: mlp, value: 1}}
",
    );
    let problem = "r.yml:1:15: merge_method.t: expected a value for attn, as slerp needs one, got nothing";
    assert_eq!(recipe.method_for(&place).expect_err("no value").to_string(), problem);
}

#[test]
fn places_must_be_in_the_recipe() {
    let recipe = yaml("merge_method: linear\nmodels: [{model: x}]\nparameters: {weight: 1}\n");
    let message = |slice, t, inputs: &[String]| {
        recipe.method_for(&Place { slice, t, tensor: "w", inputs }).expect_err("no such place").to_string()
    };
    let one = ["w".to_owned()];
    assert_eq!(message(1, 0.0, &one), "r.yml:1:15: merge_method: expected a slice below 1, got 1");
    assert_eq!(message(0, 0.0, &[]), "r.yml:1:15: merge_method: expected 1 names of w, one for each model, got 0");
    assert_eq!(message(0, 1.5, &one), "r.yml:1:15: merge_method: expected a position of w from 0 to 1, got 1.5");
    assert_eq!(message(0, f64::NAN, &one), "r.yml:1:15: merge_method: expected a position of w from 0 to 1, got NaN");
}

#[test]
fn everything_beside_the_models_is_read() {
    let recipe = yaml(
        "merge_method: linear
models:
- model: {model: {path: a+b, revision: v1}, lora: c@v2}
  parameters: {weight: 1}
base_model:
dtype: torch.bfloat16
out_dtype: float16
chat_template: auto
tokenizer:
  tokens:
    <z>: {source: {kind: zero}, force: yes}
    <a>: {source: d}
    <m>: {source: {kind: model_token, model: e, token: x}}
    <i>: {source: {kind: model_token, model: a, token_id: 7}}
    <n>: {}
  pad_to_multiple_of: 64
",
    );
    assert_eq!(recipe.base_model, None);
    assert_eq!((recipe.dtype, recipe.out_dtype), (Some(FloatDtype::Bfloat16), Some(FloatDtype::Float16)));
    assert_eq!(recipe.chat_template.as_deref(), Some("auto"));
    let own =
        ModelReference { path: "a+b".into(), revision: Some("v1".into()), lora: Some(("c".into(), Some("v2".into()))) };
    assert_eq!(recipe.models(), [&own, &model("d"), &model("e"), &model("a")]);
    let tokenizer = recipe.tokenizer.expect("a section");
    assert_eq!((tokenizer.source, tokenizer.pad_to_multiple_of), (TokenizerSource::Union, Some(64)));
    let rule = |source, force| TokenRule { source, force };
    let token = |name: &str, token| Some(TokenSource::ModelToken { model: model(name), token });
    assert_eq!(
        tokenizer.tokens,
        [
            ("<z>".into(), rule(Some(TokenSource::Zero), true)),
            ("<a>".into(), rule(Some(TokenSource::Model(model("d"))), false)),
            ("<m>".into(), rule(token("e", TokenName::Text("x".into())), false)),
            ("<i>".into(), rule(token("a", TokenName::Id(7)), false)),
            ("<n>".into(), rule(None, false)),
        ]
    );
    let source = |text: &str| {
        let text = format!("merge_method: linear\nmodels: [{{model: a, parameters: {{weight: 1}}}}]\n{text}");
        yaml(&text).tokenizer.map(|tokenizer| tokenizer.source)
    };
    assert_eq!(source(""), None);
    assert_eq!(source("tokenizer_source: base"), Some(TokenizerSource::Base));
    assert_eq!(source("tokenizer_source: union"), Some(TokenizerSource::Union));
    assert_eq!(source("tokenizer: {source: x/y}"), Some(TokenizerSource::Model(model("x/y"))));
}

#[test]
fn settings_can_be_looked_at() {
    let recipe = yaml("merge_method: linear\nmodels: [{model: x}]\nparameters: {weight: [1, 3], normalize: false}\n");
    let weight = recipe.parameters.get("weight").expect("set");
    assert_eq!(weight.evaluate("w", 0.5), Some(Scalar::Number(2.0)));
    assert_eq!(weight.constant(), None);
    assert_eq!(
        recipe.parameters.get("normalize").and_then(|setting| setting.constant()),
        Some(&Scalar::Boolean(false))
    );
    assert_eq!(recipe.parameters.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["normalize", "weight"]);
}

#[test]
fn options_make_a_recipe_that_can_be_written_down() {
    let experts = [("e1".to_owned(), Some(0.25)), ("dir/e2@main".to_owned(), None)];
    let settings = ["weight=2", "density=[1.0, 0.5]", "rescale=l1", "normalize = true"].map(String::from);
    let (base, dtype, out_dtype) = (Some("b"), Some("float32"), Some("bfloat16"));
    let parts = Parts { method: "dare_ties", base, experts: &experts, settings: &settings, dtype, out_dtype };
    let recipe = Recipe::from_parts(&parts).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!((recipe.spelling, recipe.merge_method.as_str()), (Spelling::Bunch, "dare_ties"));
    assert_eq!(recipe.models(), [&model("b"), &model("e1"), &model("dir/e2@main")]);
    assert_eq!((recipe.dtype, recipe.out_dtype), (Some(FloatDtype::Float32), Some(FloatDtype::Bfloat16)));
    let halfway = parameters(&recipe, 0, 0.5, "w");
    assert_eq!(halfway["weights"], singles(&[0.25, 2.0]));
    assert_eq!(halfway["density"], json!([0.75, 0.75]));
    assert_eq!((&halfway["rescale"], &halfway["normalize"]), (&json!("l1"), &json!(true)));

    let written = Recipe::parse(Path::new("r.toml"), &recipe.source).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(parameters(&written, 0, 0.5, "w"), halfway);
    assert_eq!(written.models(), recipe.models());
    assert_eq!((written.dtype, written.out_dtype), (recipe.dtype, recipe.out_dtype));
}
