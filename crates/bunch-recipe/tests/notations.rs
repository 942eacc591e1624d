//! YAML and TOML say the same, and no text is too strange to be refused in order.

use bunch_merging::Method;
use bunch_recipe::{Form, Place, Recipe, Scalar};
use proptest::prelude::*;
use std::fmt::Write;
use std::path::Path;

/// The method for some tensors of every slice.
fn methods(recipe: &Recipe) -> Vec<Method> {
    let mut methods = Vec::new();
    for (index, slice) in recipe.slices(|_| 4).expect("valid layers").iter().enumerate() {
        for (layer, part) in (0..slice.layers).flat_map(|layer| ["attn", "mlp", "norm"].map(|part| (layer, part))) {
            let name = |model: &bunch_recipe::SliceModel| format!("layers.{}.{part}", model.first_layer + layer);
            let inputs: Vec<String> = slice.models.iter().map(name).collect();
            let tensor = format!("layers.{}.{part}", slice.first_layer + layer);
            let place = Place { slice: index, t: slice.position(layer), tensor: &tensor, inputs: &inputs };
            methods.push(recipe.method_for(&place).unwrap_or_else(|problems| panic!("{problems}")));
        }
    }
    methods
}

fn parse(file: &str, text: &str) -> Recipe {
    Recipe::parse(Path::new(file), text).unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

#[test]
fn toml_has_every_form_of_yaml() {
    let pairs = [
        (
            "merge_method: dare_ties
base_model: b
dtype: float32
tokenizer: {source: union, tokens: {z: {source: {kind: zero}}, a: {source: x, force: true}}}
modules:
  decoder:
    slices:
    - sources:
      - {model: b, layer_range: [0, 2]}
      - {model: x, layer_range: [2, 4], parameters: {weight: [0.1, 0.9], density: 0.5}}
      parameters: {weight: {filter: attn, value: 2}}
    - sources:
      - {model: c, layer_range: [0, 1]}
      - {model: y, layer_range: [1, 2]}
      base_model: c
    parameters:
      lambda: [{filter: mlp, value: [1, 2]}, {filter: layers.2, value: 3}]
parameters: {weight: 4, rescale: true, normalize: [true, false]}
",
            r#"merge_method = "dare_ties"
base_model = "b"
dtype = "float32"
tokenizer = { source = "union", tokens = { z = { source = { kind = "zero" } }, a = { source = "x", force = true } } }

[parameters]
weight = 4
rescale = "l1"
normalize = [true, false]

[modules.decoder.parameters]
scale = [{ filter = "mlp", value = [1, 2] }, { filter = "layers.2", value = 3.0 }]

[[modules.decoder.slices]]
parameters.weight = { filter = "attn", value = 2 }
[[modules.decoder.slices.sources]]
model = "b"
layer_range = [0, 2]
[[modules.decoder.slices.sources]]
model = "x"
layer_range = [2, 4]
parameters = { weight = [0.1, 0.9], density = 0.5 }

[[modules.decoder.slices]]
base_model = "c"
sources = [{ model = "c", layer_range = [0, 1] }, { model = "y", layer_range = [1, 2] }]
"#,
        ),
        (
            "merge_method: slerp\nbase_model: a\nmodels: [{model: a}, {model: b@main+l}]\nparameters: {t: [0, 1e-1]}\n",
            "merge_method = 'slerp'\nbase_model = 'a'\nparameters.t = [0, 1e-1]\nmodels = [{ model = 'a' }, \
             { model = { model = { path = 'b', revision = 'main' }, lora = 'l' } }]\n",
        ),
    ];
    for (yaml, toml) in pairs {
        let (yaml, toml) = (parse("r.yaml", yaml), parse("r.TOML", toml));
        assert_eq!(methods(&yaml), methods(&toml));
        assert_eq!(yaml.models(), toml.models());
        assert_eq!(yaml.tokenizer, toml.tokenizer);
        assert_eq!(yaml.dtype, toml.dtype);
    }
}

#[test]
fn anchors_and_merge_keys_repeat_what_they_stand_for() {
    let short = "merge_method: ties
base_model: &base b
models:
- model: *base
- model: x
  parameters: &p {weight: &w [0.2, 0.4], density: 0.5}
- model: y
  parameters: {density: 0.25, <<: *p}
- model: z
  parameters: {<<: [{density: *w}, *p]}
";
    let long = "merge_method: ties
base_model: b
models:
- model: b
- {model: x, parameters: {weight: [0.2, 0.4], density: 0.5}}
- {model: y, parameters: {weight: [0.2, 0.4], density: 0.25}}
- {model: z, parameters: {weight: [0.2, 0.4], density: [0.2, 0.4]}}
";
    assert_eq!(methods(&parse("r.yml", short)), methods(&parse("r.yml", long)));
}

#[test]
fn numbers_and_booleans_may_be_written_as_people_do() {
    let written = "merge_method: ties
base_model: b
models: [{model: x}]
parameters: {weight: '1e-1', density: !!float 1, lambda: 1.0e-05, normalize: On, rescale: 1, int8_mask: 'no'}
";
    let plain = "merge_method: ties
base_model: b
models: [{model: x}]
parameters: {weight: 0.1, density: 1.0, lambda: 0.00001, normalize: true, rescale: true}
";
    assert_eq!(methods(&parse("r.yml", written)), methods(&parse("r.yml", plain)));
}

#[test]
fn byte_order_marks_and_other_ends_of_lines_change_nothing() {
    for (file, text) in [("r.yml", YAML), ("r.toml", TOML)] {
        let windows = format!("\u{feff}{}", text.replace('\n', "\r\n"));
        assert_eq!(methods(&parse(file, &windows)), methods(&parse(file, text)));
    }
}

/// A setting in both notations.
#[derive(Debug, Clone)]
enum Written {
    Value(f64),
    Gradient(Vec<f64>),
    Filters(Vec<(Option<&'static str>, Vec<f64>)>),
}

impl Written {
    fn write(&self, is: &str) -> String {
        let list = |values: &[f64]| format!("[{}]", values.iter().map(f64::to_string).collect::<Vec<_>>().join(", "));
        match self {
            Self::Value(value) => format!("{value:?}"),
            Self::Gradient(values) => list(values),
            Self::Filters(cases) => {
                let case = |(filter, values): &(Option<&str>, Vec<f64>)| {
                    let filter = filter.map(|filter| format!("filter{is} \"{filter}\", ")).unwrap_or_default();
                    format!("{{ {filter}value{is} {} }}", list(values))
                };
                format!("[{}]", cases.iter().map(case).collect::<Vec<_>>().join(", "))
            }
        }
    }
}

fn written() -> impl Strategy<Value = Written> {
    let number = || prop_oneof![Just(0.0), Just(1.0), 0.0..1.0f64];
    let values = move || prop::collection::vec(number(), 1..5);
    let filter = prop::sample::select(vec![None, Some("*"), Some("attn"), Some("mlp"), Some("layers.1"), Some("")]);
    prop_oneof![
        number().prop_map(Written::Value),
        values().prop_map(Written::Gradient),
        prop::collection::vec((filter, values()), 1..4).prop_map(Written::Filters),
    ]
}

/// `weight` and possibly `density` in a notation that writes `is` between key and value.
fn table(weight: &Written, density: Option<&Written>, is: &str) -> String {
    let density = density.map(|density| format!(", density{is} {}", density.write(is))).unwrap_or_default();
    format!("{{ weight{is} {}{density} }}", weight.write(is))
}

const YAML: &str = "merge_method: ties
base_model: &b base@main
slices:
- sources:
  - {model: *b, layer_range: [0, 4]}
  - model: x+lora
    layer_range: [0, 4]
    parameters: {weight: [{filter: attn, value: [0, 1e-1]}, {value: 0.5}], density: 0.5}
parameters: {normalize: yes, lambda: \"1\"}
tokenizer: {source: union, tokens: {a: {source: {kind: model_token, model: x, token_id: 3}}}}
";

const TOML: &str = r#"merge_method = "ties"
base_model = "base@main"
parameters = { normalize = true, scale = 1 }
[[slices]]
sources = [
  { model = "base@main", layer_range = [0, 4] },
  { model = "x+lora", layer_range = [0, 4], parameters = { weight = [{ filter = "attn", value = [0, 1e-1] }] } },
]
parameters.weight = 0.5
[tokenizer]
tokens.a.source = { kind = "model_token", model = "x", token_id = 3 }
"#;

/// What may come into a text by mistake or malice.
fn piece() -> impl Strategy<Value = String> {
    let words = [
        "",
        "\n",
        " ",
        "  ",
        "\t",
        "- ",
        ": ",
        "= ",
        "[",
        "]",
        "{",
        "}",
        "\"",
        "'",
        "*b",
        "&b ",
        "<<: ",
        "---\n",
        "|\n",
        "#",
        "!!str ",
        "? ",
        "-1",
        "1e999",
        ".nan",
        "0",
        "~",
        "null",
        "models",
        "[[",
        "]]",
        "\u{0}",
        "\u{fc}",
        "%YAML 9\n",
    ];
    prop_oneof![prop::sample::select(words.to_vec()).prop_map(str::to_owned), ".{0,8}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn both_notations_mean_the_same(
        experts in prop::collection::vec((written(), prop::option::of(written())), 1..4),
        scale in written(),
    ) {
        let mut yaml = format!("merge_method: ties\nbase_model: b\nparameters: {{ weight: 1, lambda: {} }}\n", scale.write(":"));
        let mut toml = format!(
            "merge_method = \"ties\"\nbase_model = \"b\"\nparameters = {{ weight = 1, scale = {} }}\n",
            scale.write(" =")
        );
        yaml += "models:\n";
        for (index, (weight, density)) in experts.iter().enumerate() {
            let density = density.as_ref();
            let _ = writeln!(yaml, "- {{ model: e{index}, parameters: {} }}", table(weight, density, ":"));
            let _ = writeln!(toml, "[[models]]\nmodel = \"e{index}\"\nparameters = {}", table(weight, density, " ="));
        }
        prop_assert_eq!(methods(&parse("r.yml", &yaml)), methods(&parse("r.toml", &toml)));
    }
}

proptest! {
    #[test]
    fn evaluated_numbers_stay_between_the_values(values in prop::collection::vec(-2.0..2.0f64, 1..6), t in 0.0..=1.0f64) {
        let list = Written::Gradient(values.clone()).write(":");
        let recipe = parse("r.yml", &format!("merge_method: linear\nmodels: [{{model: a, parameters: {{weight: {list}}}}}]\n"));
        let Form::Models(models) = &recipe.form else { panic!("{:?}", recipe.form) };
        let value = models[0].parameters.get("weight").and_then(|weight| weight.evaluate("w", t));
        let Some(Scalar::Number(value)) = value else { panic!("{value:?}") };
        let (low, high) = values.iter().fold((f64::MAX, f64::MIN), |(low, high), x| (low.min(*x), high.max(*x)));
        prop_assert!((low - 1e-12..=high + 1e-12).contains(&value));
    }

    #[test]
    fn no_text_is_too_strange(text in ".*") {
        let _ = Recipe::parse(Path::new("r.yml"), &text);
        let _ = Recipe::parse(Path::new("r.toml"), &text);
    }

    #[test]
    fn no_broken_recipe_is_too_strange(edits in prop::collection::vec((any::<prop::sample::Index>(), 0..20usize, piece()), 1..6)) {
        for (file, text) in [("r.yml", YAML), ("r.toml", TOML)] {
            let mut text = text.to_owned();
            for (start, length, piece) in &edits {
                let mut start = start.index(text.len() + 1);
                while !text.is_char_boundary(start) {
                    start -= 1;
                }
                let mut end = (start + length).min(text.len());
                while !text.is_char_boundary(end) {
                    end += 1;
                }
                text.replace_range(start..end, piece);
            }
            if let Ok(recipe) = Recipe::parse(Path::new(file), &text) {
                let _ = recipe.slices(|_| 4);
            }
        }
    }
}
