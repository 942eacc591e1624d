//! Every mistake in a recipe is reported where it is, with what was expected and what is there.

mod mistakes;

use mistakes::{linear, problem, problems};

#[test]
fn all_problems_of_a_recipe_are_collected_in_its_order() {
    let text = "merge_method: ties
base_model: base
name: my-merge
models:
  - model: base
  - model: e1
    parameters:
      denstiy: 0.5
      weight: heavy
      density: 1.7
  - model: e1
    parameters:
      weight: [0.1, true, .nan]
      lambda: 0.5
parameters:
  normalize: maybe
  scale: 3
  density:
    - {filter: mlp, value: [0.5, -0.1]}
    - {value: 0.5, fliter: x}
    - 0.5
dtype: float64
out_dtype: bf16
";
    let known = "weight, density, rescale, lambda, normalize, trim_scope, int8_mask";
    assert_eq!(
        problems("many.yml", text),
        [
            "many.yml:3:1: unknown key `name`; expected one of merge_method, base_model, models, slices, modules, \
             parameters, dtype, out_dtype, tokenizer, tokenizer_source, chat_template",
            &format!(
                "many.yml:8:7: models[1].parameters: unknown parameter of ties `denstiy` (did you mean `density`?); \
                 expected one of {known}"
            ),
            "many.yml:9:15: models[1].parameters.weight: expected a finite number, got the text \"heavy\"",
            "many.yml:10:16: models[1].parameters.density: expected a number from 0 to 1, got the number 1.7",
            "many.yml:11:5: models[2].model: expected each model of a slice once, got `e1` again after many.yml:6:5",
            "many.yml:13:21: models[2].parameters.weight[1]: expected a finite number, got true",
            "many.yml:13:27: models[2].parameters.weight[2]: expected a finite number, got the number NaN",
            "many.yml:14:15: models[2].parameters.lambda: expected it in `parameters` of the whole recipe, a module or a \
             slice, as all models share it, got it on one model",
            "many.yml:16:14: parameters.normalize: expected true or false, got the text \"maybe\"",
            &format!(
                "many.yml:17:3: parameters: unknown parameter of ties `scale` (did you mean `lambda`?); expected one of \
                 {known}"
            ),
            "many.yml:19:34: parameters.density[0].value[1]: expected a number from 0 to 1, got the number -0.1",
            "many.yml:20:20: parameters.density[1]: unknown key `fliter` (did you mean `filter`?); expected one of filter, \
             value",
            "many.yml:21:7: parameters.density[2]: expected a table with `value` and possibly `filter`, got the number 0.5",
            "many.yml:22:8: dtype: expected float32, float16 or bfloat16, as merges are computed in float32, got the text \
             \"float64\"",
            "many.yml:23:12: out_dtype: expected float32, float16 or bfloat16, got the text \"bf16\"",
        ]
    );
}

#[test]
fn toml_has_the_same_checks_with_its_own_names_and_kinds() {
    let text = r#"merge_method = "task_arithmetic"
base_model = "b"
dtype = "bfloat16"
[[models]]
model = "e1"
parameters = { weight = "0.5" }
[[models]]
model = "e2"
layers = 3
[parameters]
lambda = 0.5
normalize = 1
scale = 2020-01-01
"#;
    assert_eq!(
        problems("r.toml", text),
        [
            "r.toml:6:25: models[0].parameters.weight: expected a finite number, got the text \"0.5\"",
            "r.toml:7:1: models[1].parameters.weight: expected a value, as other models have one, got nothing",
            "r.toml:9:1: models[1]: unknown key `layers`; expected one of model, role, parameters",
            "r.toml:11:1: parameters: unknown parameter of task_arithmetic `lambda` (did you mean `scale`?); expected one \
             of weight, scale, normalize",
            "r.toml:12:13: parameters.normalize: expected true or false, got the number 1",
            "r.toml:13:9: parameters.scale: expected a finite number, got the date 2020-01-01",
        ]
    );
    let text = "merge_method = \"linear\"\nmerge_method = \"ties\"\nbase_model = [\"\u{fc}\", x]\n";
    assert_eq!(
        problems("dup.toml", text),
        [
            "dup.toml:2:1: expected TOML, got an error: duplicate key",
            "dup.toml:3:20: expected TOML, got an error: string values must be quoted, expected literal string",
        ]
    );
}

#[test]
fn names_of_the_other_notation_are_translated() {
    let hint = |file: &str, method: &str, name: &str, is: &str| {
        let text = match is {
            ":" => format!("merge_method: {method}\nmodels: [{{model: a, parameters: {{{name}: 1}}}}]\n"),
            _ => {
                format!("merge_method = \"{method}\"\nmodels = [{{ model = \"a\", parameters = {{ {name} = 1 }} }}]\n")
            }
        };
        problems(file, &text).into_iter().find(|problem| problem.contains("unknown parameter")).unwrap_or_default()
    };
    assert!(hint("r.toml", "passthrough", "scale", "=").contains("`scale` (did you mean `weight`?)"));
    assert!(hint("r.yml", "passthrough", "weight", ":").contains("`weight` (did you mean `scale`?)"));
    assert!(hint("r.yml", "karcher", "tolerance", ":").contains("`tolerance` (did you mean `tol`?)"));
}

#[test]
fn text_that_is_not_one_document_is_refused() {
    assert_eq!(
        problem("merge_method: [ties\nmodels: a\n"),
        "r.yml:2:7: expected YAML, got an error: illegal placement of ':' indicator"
    );
    let several = problem("a: 1\n---\nb: 2\n");
    assert!(several.starts_with("r.yml:2:1: expected one document, as one recipe is one merge"), "{several}");
    assert!(several.ends_with("got a second one"), "{several}");
    assert_eq!(problem(""), "r.yml:1:1: expected a table with `merge_method`, got nothing");
    assert_eq!(problem("- a\n"), "r.yml:1:1: expected a table with `merge_method`, got a list of 1");
    assert_eq!(problem("a: \u{0}"), "r.yml:1:4: expected text, got the control character '\\0'");
    assert_eq!(problem(&" ".repeat((1 << 20) + 1)), "r.yml:1:1: expected at most 1048576 bytes, got 1048577");
    assert_eq!(problem("? [a]\n: 1\n"), "r.yml:1:3: expected a key, got a list of 1");
    assert_eq!(problem("a: !secret b\n"), "r.yml:1:4: expected no tag, got the tag !secret");
    assert_eq!(
        problem("a: &a [*a]\n"),
        "r.yml:1:8: expected an alias of something that is complete, got one of what it is part of"
    );
    assert_eq!(problem("<<: 5\n"), "r.yml:1:5: expected a table to merge with `<<`, got the number 5");
}

#[test]
fn nesting_and_repetition_are_limited() {
    let deep = format!("a: {}{}\n", "[".repeat(70), "]".repeat(70));
    assert_eq!(problem(&deep), "r.yml:1:67: expected at most 64 levels, got more");
    let deeper: String = (0..5000).map(|level| format!("{}a:\n", " ".repeat(level % 400))).collect();
    assert!(!problems("r.yml", &deeper).is_empty());
    let block: String = (0..300).map(|level| format!("{}- \n", " ".repeat(level))).collect();
    assert_eq!(problem(&block), "r.yml:65:65: expected at most 64 levels, got more");

    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        laughs += &format!("a{level}: &a{level} [{aliases}]\n");
    }
    assert_eq!(problem(&laughs), "r.yml:5:45: expected at most 100000 values, repeated ones included, got more");

    let mut chain = "a0: &a0 x\n".to_owned();
    for level in 1..200 {
        chain += &format!("a{level}: &a{level} [*a{}]\n", level - 1);
    }
    assert_eq!(problem(&chain), "r.yml:64:12: expected at most 64 levels, got more");

    for nested in [format!("a = {}{}", "[".repeat(500), "]".repeat(500)), format!("{}x = 1", "a.".repeat(5000))] {
        assert!(problems("r.toml", &nested).iter().any(|problem| problem.contains("recurs")), "{nested:.40}");
    }
}

#[test]
fn keys_that_are_there_twice_are_refused() {
    let text = linear("dtype: float32\nmodels: x\ndtype: float16\n");
    assert_eq!(
        problems("r.yml", &text),
        [
            "r.yml:6:1: expected each key once, got `models` again after r.yml:2:1",
            "r.yml:7:1: expected each key once, got `dtype` again after r.yml:5:1",
        ]
    );
}

#[test]
fn the_method_must_be_known() {
    let message = problem("merge_method: tees\nmodels:\n- {model: a, parameters: {what: 1}}\n");
    let start =
        "r.yml:1:15: merge_method: unknown merge method `tees` (did you mean `ties`?); expected one of linear, ";
    assert!(message.starts_with(start), "{message}");
    assert!(problem("models: [{model: a}]\n").starts_with("r.yml:1:1: merge_method: expected one of linear, "));
    let message = problem("merge_method:\nmodels: [{model: a}]\n");
    assert!(message.starts_with("r.yml:1:1: merge_method: expected one of ") && message.ends_with(", got nothing"));
    assert_eq!(
        problem("merge_method: 5\nmodels: [{model: a}]\n"),
        "r.yml:1:15: merge_method: expected the name of a merge method, got the number 5"
    );
}

#[test]
fn exactly_one_form_must_be_given() {
    let forms = "exactly one of models, slices, modules";
    assert_eq!(problem("merge_method: linear\n"), format!("r.yml:1:1: expected {forms}, got nothing"));
    assert_eq!(
        problem(&linear("slices: []\nmodules:\n")),
        format!("r.yml:5:9: slices: expected {forms}, got models and slices")
    );
    assert_eq!(
        problem("merge_method: linear\nmodels: []\n"),
        "r.yml:2:9: models: expected a list of models that is not empty, got an empty list"
    );
    assert_eq!(
        problem("merge_method: linear\nmodules:\n  a: {parameters: {weight: 1}}\n"),
        "r.yml:3:6: modules.a: expected exactly one of models, slices, got nothing"
    );
    let module = "{models: [{model: m, parameters: {weight: 1}}]}";
    assert_eq!(
        problem(&format!("merge_method: linear\nmodules:\n  a: {module}\n  b: {module}\n")),
        "r.yml:3:3: modules: expected one module, as only one can be merged so far, got 2 modules"
    );
}

#[test]
fn models_must_be_written_as_models() {
    let model = |model: &str| problem(&format!("merge_method: linear\nparameters: {{weight: 1}}\nmodels: [{model}]\n"));
    let start = "r.yml:3:18: models[0].model: expected a model";
    assert_eq!(model("{model: a+b+c}"), format!("{start} with at most one `+`, got the text \"a+b+c\""));
    assert_eq!(model("{model: a@1@2}"), format!("{start} with at most one `@` in each part, got the text \"a@1@2\""));
    let notation = "path[@revision][+lora[@revision]]";
    assert_eq!(model("{model: a@+b}"), format!("{start} as `{notation}` without empty parts, got the text \"a@+b\""));
    assert_eq!(model("{model: 7}"), format!("{start} as `{notation}`, got the number 7"));
    assert_eq!(model("{parameters: {}}"), "r.yml:3:10: models[0].model: expected a model, got nothing");
    assert_eq!(model("a"), "r.yml:3:10: models[0]: expected a table with `model`, got the text \"a\"");
    assert_eq!(
        model("{model: {model: a, lora: {path: b, rev: c}}}"),
        "r.yml:3:45: models[0].model.lora: unknown key `rev`; expected one of path, revision"
    );
    assert_eq!(
        model("{model: {lora: b}}"),
        "r.yml:3:18: models[0].model.model: expected the model below the adapter, got nothing"
    );
    assert_eq!(
        problem("merge_method: ties\nbase_model: [a]\nmodels: [{model: b, parameters: {weight: 1}}]\n"),
        format!("r.yml:2:13: base_model: expected a model as `{notation}`, got a list of 1")
    );
}

#[test]
fn a_method_gets_the_base_and_the_experts_it_needs() {
    let two = "models:\n- {model: a, parameters: {weight: 1}}\n- {model: b, parameters: {weight: 1}}\n";
    assert_eq!(
        problem(&format!("merge_method: ties\n{two}")),
        "r.yml:1:1: base_model: expected a base model, as ties needs one, got nothing"
    );
    let models = "models: [{model: a}, {model: b}]\nparameters: {t: 0.5}\n";
    assert_eq!(
        problem(&format!("merge_method: slerp\nbase_model: c\n{models}")),
        "r.yml:3:9: models: expected exactly one expert for slerp besides the base, got 2"
    );
    assert_eq!(
        problem("merge_method: ties\nbase_model: a\nmodels: [{model: a}]\n"),
        "r.yml:3:9: models: expected one expert or more for ties besides the base, got 0"
    );
    let slices = "slices:\n- sources:\n  - {model: a, layer_range: [0, 1]}\n  - {model: b, layer_range: [0, 1]}\n";
    assert_eq!(
        problem(&format!("merge_method: slerp\nbase_model: c\n{slices}parameters: {{t: 1}}\n")),
        "r.yml:4:3: slices[0].sources: expected the base c among the sources, got a, b"
    );
    assert_eq!(
        problem(&format!(
            "merge_method: slerp\n{slices}  base_model: a\n- sources: [{{model: a, layer_range: [0, 1]}}]\nparameters: {{t: 1}}\n"
        )),
        "r.yml:1:1: base_model: expected a base model, as slerp needs one, got nothing"
    );
}

#[test]
fn required_parameters_must_be_set() {
    let needs = "expected a value, as linear needs one for each model, got nothing";
    assert_eq!(
        problem("merge_method: linear\nmodels:\n- model: a\n- {model: b, parameters: {weight: 1}}\n"),
        format!("r.yml:3:3: models[0].parameters.weight: {needs}")
    );
    assert_eq!(
        problem("merge_method: linear\nbase_model: b\nmodels:\n- {model: a, parameters: {weight: 1}}\n"),
        format!("r.yml:2:13: base_model.parameters.weight: {needs}")
    );
    assert_eq!(
        problem("merge_method: slerp\nbase_model: a\nmodels: [{model: a}, {model: b}]\n"),
        "r.yml:1:1: parameters.t: expected a value, as slerp needs one, got nothing"
    );
}
