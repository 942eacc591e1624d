//! Recipes that mergekit runs are read, and mean something for every tensor.

use bunch_merging::{BaseRole, CATALOGUE, Method, Spelling, method_from_parameters};
use bunch_recipe::{Place, Recipe, ResolvedSlice};
use serde_json::{Map, Value};
use std::path::Path;

const LAYERS: usize = 3;

fn read(name: &str, text: &str) -> Recipe {
    Recipe::parse(Path::new(name), text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn inputs(slice: &ResolvedSlice, layer: usize, part: &str) -> Vec<String> {
    slice.models.iter().map(|model| format!("model.layers.{}.{part}", model.first_layer + layer)).collect()
}

#[test]
fn every_recipe_is_read_and_resolved() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/recipes");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect("the recipes").map(|file| file.expect("a file").path()).collect();
    files.sort();
    assert_eq!(files.len(), 97);
    for file in &files {
        let text = std::fs::read_to_string(file).expect("text");
        let recipe = read(&file.display().to_string(), &text);
        assert_eq!(recipe.source, text);
        assert_eq!(recipe.spelling, Spelling::Mergekit);
        let slices = recipe.slices(|_| LAYERS).expect("layers as the recipes have them");
        let role = CATALOGUE.iter().find(|info| info.name == recipe.merge_method).expect("known").base;
        for (index, slice) in slices.iter().enumerate() {
            assert_eq!(slice.base.is_some(), role != BaseRole::Ignored && recipe.base_model.is_some());
            assert_eq!(slice.experts.len() + usize::from(slice.base.is_some()), slice.models.len());
            for layer in 0..slice.layers {
                let inputs = inputs(slice, layer, "self_attn.q_proj.weight");
                let tensor = format!("model.layers.{}.self_attn.q_proj.weight", slice.first_layer + layer);
                let place = Place { slice: index, t: slice.position(layer), tensor: &tensor, inputs: &inputs };
                let method = recipe.method_for(&place).unwrap_or_else(|problems| panic!("{problems}"));
                method.validate(slice.experts.len()).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            }
        }
    }
}

/// Where mergekit says a tensor comes from, and the parameters it evaluates there.
struct Expected<'a>(&'a Value);

impl Expected<'_> {
    fn tensor(&self) -> &str {
        self.0["tensor"].as_str().expect("a name")
    }

    fn models(&self) -> Vec<&str> {
        self.0["models"].as_array().expect("a list").iter().filter_map(Value::as_str).collect()
    }

    fn inputs(&self) -> Vec<String> {
        match self.0["inputs"].as_array() {
            None => vec![self.tensor().to_owned(); self.models().len()],
            Some(names) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        }
    }

    fn method(&self, method: &str, experts: &[usize]) -> Method {
        let mut parameters: Map<String, Value> = self.0["shared"].as_object().expect("a table").clone();
        let per_model = self.0["per_model"].as_array().expect("a list");
        for name in per_model[experts[0]].as_object().expect("a table").keys() {
            let values = experts.iter().map(|&expert| per_model[expert][name].clone()).collect();
            parameters.insert(name.clone(), Value::Array(values));
        }
        method_from_parameters(method, Spelling::Mergekit, &parameters).expect("parameters of mergekit's")
    }
}

#[test]
fn parameters_are_those_that_mergekit_evaluates() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("data/mergekit_parameters.json")).expect("JSON");
    assert_eq!(cases.len(), 29);
    for case in &cases {
        let name = case["name"].as_str().expect("a name");
        let recipe = read(name, case["recipe"].as_str().expect("a recipe"));
        let slices = recipe.slices(|_| LAYERS).expect("valid layers");
        for expected in case["tensors"].as_array().expect("a list").iter().map(Expected) {
            let tensor = expected.tensor();
            let (index, layer) = place_of(tensor, &slices);
            let slice = &slices[index];
            let names = match (layer, tensor.splitn(4, '.').nth(3)) {
                (Some(layer), Some(part)) => inputs(slice, layer, part),
                _ => vec![tensor.to_owned(); slice.models.len()],
            };
            let models: Vec<_> = slice.models.iter().map(|model| model.model.to_string()).collect();
            assert_eq!(models, expected.models(), "{name}: {tensor}");
            assert_eq!(names, expected.inputs(), "{name}: {tensor}");
            if let Some(base) = slice.base {
                assert_eq!(Some(base as u64), expected.0["base"].as_u64(), "{name}: {tensor}");
            }
            let t = layer.map_or(0.0, |layer| slice.position(layer));
            let method = recipe.method_for(&Place { slice: index, t, tensor, inputs: &names });
            let method = method.unwrap_or_else(|problems| panic!("{name}: {problems}"));
            let expected = expected.method(&recipe.merge_method, &slice.experts);
            assert_eq!(spelled_out(&method, &expected), spelled_out(&expected, &method), "{name}: {tensor}");
        }
    }
}

/// The parameters as JSON, with one value for all experts written once for each where the other method does.
fn spelled_out(method: &Method, other: &Method) -> Value {
    let [mut config, other] = [method, other].map(|method| {
        let config = serde_json::to_value(method).expect("JSON");
        config[method.info().name].as_object().expect("a table").clone()
    });
    for (field, value) in &mut config {
        if let Value::Array(values) = &other[field]
            && !value.is_array()
        {
            *value = Value::Array(vec![value.clone(); values.len()]);
        }
    }
    Value::Object(config)
}

/// The slice of a tensor of the output, and its layer there if it is in one.
fn place_of(tensor: &str, slices: &[ResolvedSlice]) -> (usize, Option<usize>) {
    let Some(layer) = tensor.strip_prefix("model.layers.").and_then(|rest| rest.split('.').next()) else {
        return (if tensor.contains("embed") { 0 } else { slices.len() - 1 }, None);
    };
    let layer: usize = layer.parse().expect("a number");
    let index = slices.iter().position(|slice| layer < slice.first_layer + slice.layers).expect("a slice");
    (index, Some(layer - slices[index].first_layer))
}
