//! Bad input: a clear error that names model and tensor, no output, and the inputs as they were.

use bunch_checkpoint::{Checkpoint, Dtype, ModelDirectory, StateDict, Tensor};
use bunch_progress::{Progress, Quiet};
use bunch_recipe::Recipe;
use bunch_streaming::{InputModel, MergeOptions, MergePlan, StreamingError};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// A folder with models that are merged.
struct Pool {
    folder: tempfile::TempDir,
}

impl Pool {
    /// Two models of one architecture, `a` and `b`.
    fn new() -> Self {
        let pool = Self { folder: tempfile::tempdir().expect("a folder") };
        for (name, offset) in [("a", 0.0), ("b", 1.0)] {
            pool.write(name, config(), &weights(offset));
        }
        pool
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, config: Value, weights: &StateDict) {
        let directory = ModelDirectory { replace: true, ..ModelDirectory::new(config, weights) };
        directory.write(&self.path(name)).expect("a model");
    }

    /// Changes a tensor of a model.
    fn change(&self, name: &str, tensor: &str, change: impl FnOnce(&mut Tensor)) {
        let checkpoint = Checkpoint::open(&self.path(name)).expect("a model");
        let mut weights = checkpoint.state_dict().expect("weights");
        change(weights.get_mut(tensor).expect("a tensor"));
        self.write(name, checkpoint.config().clone(), &weights);
    }

    fn recipe(&self, text: &str) -> Recipe {
        let text = text.replace("$a", &self.path("a").display().to_string());
        let text = text.replace("$b", &self.path("b").display().to_string());
        Recipe::parse(Path::new("recipe.yml"), &text).expect("a recipe")
    }

    fn linear(&self) -> Recipe {
        self.recipe(LINEAR)
    }

    fn merge(&self, options: &MergeOptions) -> Result<(), StreamingError> {
        merge(&self.linear(), &self.path("out"), options)
    }

    /// The message of the only thing that is wrong with the default merge, which leaves nothing behind.
    fn error(&self) -> String {
        let before = self.listing();
        let error = self.merge(&MergeOptions::default()).expect_err("a mistake").to_string();
        assert_eq!(self.listing(), before, "nothing comes and nothing goes");
        error.replace(&format!("{}/", self.folder.path().display()), "")
    }

    /// Names of the folder's entries and what is in the models.
    fn listing(&self) -> Vec<(String, Vec<u8>)> {
        let mut files = Vec::new();
        let mut folders = vec![self.folder.path().to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    files.push((path.display().to_string(), Vec::new()));
                    folders.push(path);
                } else {
                    files.push((path.display().to_string(), std::fs::read(&path).expect("a file")));
                }
            }
        }
        files.sort();
        files
    }
}

const LINEAR: &str = "
merge_method: linear
models:
- {model: $a, parameters: {weight: 1}}
- {model: $b, parameters: {weight: 3}}
";

fn config() -> Value {
    json!({ "architectures": ["LlamaForCausalLM"], "num_hidden_layers": 1, "vocab_size": 3, "torch_dtype": "float32" })
}

fn tensor(shape: &[usize], offset: f32) -> Tensor {
    let values = (0..shape.iter().product()).map(|index: usize| index as f32 + offset);
    Tensor { shape: shape.to_vec(), data: Arc::new(values.collect()) }
}

fn weights(offset: f32) -> StateDict {
    StateDict::from([
        ("lm_head.weight".into(), tensor(&[3, 2], offset)),
        ("model.embed_tokens.weight".into(), tensor(&[3, 2], offset)),
        ("model.layers.0.mlp.up_proj.weight".into(), tensor(&[4, 2], offset)),
        ("model.norm.weight".into(), tensor(&[2], offset)),
    ])
}

fn merge(recipe: &Recipe, out: &Path, options: &MergeOptions) -> Result<(), StreamingError> {
    let models = InputModel::open_all(recipe)?;
    MergePlan::new(recipe, &models, options)?.run(out, &Quiet, &AtomicBool::new(false)).map(|_| ())
}

#[test]
fn good_input_is_merged() {
    let pool = Pool::new();
    pool.merge(&MergeOptions::default()).expect("a merge");
    let merged = Checkpoint::open(&pool.path("out")).expect("the merged model");
    assert_eq!(*merged.tensor("model.norm.weight").expect("values").data, [0.75, 1.75]);
    assert_eq!(merged.config(), &config());
}

#[test]
fn values_that_are_not_finite_are_counted_and_refused_unless_allowed() {
    let pool = Pool::new();
    pool.change("b", "model.layers.0.mlp.up_proj.weight", |tensor| {
        let values = Arc::make_mut(&mut tensor.data);
        (values[1], values[6], values[7]) = (f32::NAN, f32::INFINITY, f32::NEG_INFINITY);
    });
    assert_eq!(
        pool.error(),
        "b: tensor model.layers.0.mlp.up_proj.weight has 1 NaN and 2 infinite values of 8, expected finite numbers (allow \
         them with --allow-non-finite)"
    );
    pool.merge(&MergeOptions { allow_non_finite: true, ..MergeOptions::default() }).expect("allowed");
    let merged = Checkpoint::open(&pool.path("out")).expect("the merged model");
    let values = merged.tensor("model.layers.0.mlp.up_proj.weight").expect("values");
    assert!(values.data[1].is_nan() && values.data[6] == f32::INFINITY && values.data[0] == 0.75);
}

#[test]
fn shapes_missing_tensors_and_architectures_are_all_reported_at_once() {
    let pool = Pool::new();
    let mut weights = weights(1.0);
    weights.remove("model.norm.weight");
    weights.insert("model.layers.0.mlp.up_proj.weight".into(), tensor(&[2, 4], 0.0));
    let mut config = config();
    config["architectures"] = json!(["MistralForCausalLM"]);
    config["num_hidden_layers"] = json!(1);
    pool.write("b", config, &weights);
    let error = pool.error();
    let lines: Vec<&str> = error.lines().collect();
    assert_eq!(
        lines,
        [
            "b: expected architecture LlamaForCausalLM as in a, got MistralForCausalLM (allow it with \
             --allow-mixed-architectures)",
            "b: expected a tensor model.norm.weight as in a, got none",
            "b: tensor model.layers.0.mlp.up_proj.weight: expected shape [4, 2] as in a, got [2, 4]",
        ]
    );
}

#[test]
fn vocabularies_of_different_size_need_a_decision() {
    let pool = Pool::new();
    let mut weights = weights(1.0);
    for name in ["lm_head.weight", "model.embed_tokens.weight"] {
        weights.insert(name.into(), tensor(&[5, 2], 1.0));
    }
    let mut config = config();
    config["vocab_size"] = json!(5);
    pool.write("b", config, &weights);
    let error = pool.error();
    assert!(error.contains("b: tensor lm_head.weight: expected shape [3, 2] as in a, got [5, 2]; align"), "{error}");
    assert_eq!(error.lines().count(), 2);
    pool.merge(&MergeOptions { truncate_embeddings: true, ..MergeOptions::default() }).expect("cut");
    let merged = Checkpoint::open(&pool.path("out")).expect("the merged model");
    assert_eq!(merged.tensor("lm_head.weight").expect("values").shape, [3, 2]);
    assert_eq!(merged.config()["vocab_size"], 3);
}

#[test]
fn layers_that_config_and_weights_count_differently_are_an_error() {
    let pool = Pool::new();
    let mut config = config();
    config["num_hidden_layers"] = json!(2);
    pool.write("a", config.clone(), &weights(0.0));
    pool.write("b", config, &weights(1.0));
    assert!(
        pool.error().contains("a: config.json says `num_hidden_layers` 2, but there are 1 layers `model.layers.*`")
    );
}

#[test]
fn an_output_that_exists_is_replaced_only_if_asked_to_and_only_if_it_is_a_model() {
    let pool = Pool::new();
    pool.write("out", config(), &weights(5.0));
    assert!(pool.error().contains("out: already exists"));
    let replacing = MergeOptions { replace: true, ..MergeOptions::default() };
    pool.merge(&replacing).expect("replaced");
    let merged = Checkpoint::open(&pool.path("out")).expect("the merged model");
    assert_eq!(merged.tensor("model.norm.weight").expect("values").data[0], 0.75);

    let other = pool.path("folder");
    std::fs::create_dir(&other).expect("a folder");
    std::fs::write(other.join("thesis.txt"), "years of work").expect("a file");
    let error = merge(&pool.linear(), &other, &replacing).expect_err("no model").to_string();
    assert!(error.contains("has no config.json"), "{error}");
    assert_eq!(std::fs::read(other.join("thesis.txt")).expect("still there"), b"years of work");
}

#[test]
fn an_input_that_changes_meanwhile_is_an_error() {
    let pool = Pool::new();
    let recipe = pool.linear();
    let models = InputModel::open_all(&recipe).expect("models");
    let options = MergeOptions::default();
    let plan = MergePlan::new(&recipe, &models, &options).expect("a plan");
    let file = pool.path("b").join("model.safetensors");
    let bytes = std::fs::read(&file).expect("a file");
    std::fs::write(&file, &bytes[..bytes.len() - 2]).expect("shortened");
    let out = pool.path("out");
    let error = plan.run(&out, &Quiet, &AtomicBool::new(false)).expect_err("shortened").to_string();
    assert!(error.contains("model.safetensors"), "{error}");
    assert!(!out.exists());
    // As long as before, but written again.
    std::fs::write(&file, &bytes).expect("written again");
    let error = plan.run(&out, &Quiet, &AtomicBool::new(false)).expect_err("changed").to_string();
    assert!(error.contains("model.safetensors"), "{error}");
    assert!(!out.exists());
}

#[test]
fn stopping_leaves_nothing() {
    let pool = Pool::new();
    let recipe = pool.linear();
    let models = InputModel::open_all(&recipe).expect("models");
    let options = MergeOptions::default();
    let plan = MergePlan::new(&recipe, &models, &options).expect("a plan");
    let before = pool.listing();
    let error = plan.run(&pool.path("out"), &Quiet, &AtomicBool::new(true)).expect_err("stopped");
    assert_eq!(error.to_string(), "interrupted; nothing was written");
    assert_eq!(pool.listing(), before);
}

/// Notes the passes, and asks to stop when one of them begins.
struct Stopper {
    passes: Mutex<Vec<String>>,
    at: String,
    stop: AtomicBool,
}

impl Progress for Stopper {
    fn begin(&self, pass: &str, bytes: u64, done: u64) {
        assert!(bytes > 0 && done == 0);
        self.passes.lock().expect("a list").push(pass.to_owned());
        self.stop.fetch_or(pass == self.at, Ordering::Relaxed);
    }
}

#[test]
fn stopping_while_the_models_are_surveyed_leaves_nothing() {
    let pool = Pool::new();
    let recipe = pool.recipe(
        "merge_method: ties\nbase_model: $a\nmodels: [{model: $b, parameters: {weight: 1}}]\n\
         parameters: {density: 0.5, trim_scope: model}\n\
         dtype: float32\n",
    );
    let models = InputModel::open_all(&recipe).expect("models");
    let options = MergeOptions::default();
    let plan = MergePlan::new(&recipe, &models, &options).expect("a plan");
    let before = pool.listing();
    let run = |at| {
        let stopper = Stopper { passes: Mutex::default(), at, stop: AtomicBool::new(false) };
        let result = plan.run(&pool.path("out"), &stopper, &stopper.stop);
        (result.map_err(|error| error.to_string()), stopper.passes.into_inner().expect("a list"))
    };
    let survey = |pass: u32| format!("surveying the models, pass {pass}");
    let surveys: Vec<String> = (1..=3).map(survey).collect();
    let (result, passes) = run(survey(2));
    assert_eq!(result, Err("interrupted; nothing was written".to_owned()));
    assert_eq!(passes, surveys[..2]);
    assert_eq!(pool.listing(), before);
    let (result, passes) = run(survey(9));
    assert!(result.is_ok());
    assert_eq!(passes, [&surveys[..], &[format!("merging into {}", pool.path("out").display())]].concat());
}

#[test]
fn a_trim_over_the_whole_model_needs_one_choice_of_parameters_which_the_plan_knows() {
    let pool = Pool::new();
    for scope in ["{filter: norm, value: model}, {value: tensor}", "{filter: norm, value: tensor}, {value: model}"] {
        let recipe = pool.recipe(&format!(
            "merge_method: ties\nbase_model: $a\nmodels: [{{model: $b, parameters: {{weight: 1}}}}]\n\
             parameters: {{density: 0.5, trim_scope: [{scope}]}}\n\
             dtype: float32\n",
        ));
        let models = InputModel::open_all(&recipe).expect("models");
        let error = MergePlan::new(&recipe, &models, &MergeOptions::default()).expect_err("two scopes").to_string();
        let expected = "trim_scope \"model\" needs the same parameters for every tensor, got others for model.";
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn models_that_are_not_there_are_named_with_what_to_do() {
    let error = |model: &str| {
        let text = format!("merge_method: passthrough\nmodels: [{{model: {model}}}]\n");
        let recipe = Recipe::parse(Path::new("recipe.yml"), &text).expect("a recipe");
        InputModel::open_all(&recipe).expect_err("not there").to_string()
    };
    assert_eq!(error("/nowhere/model"), "/nowhere/model: no such folder");
    let hint = error("an-organisation/a-model");
    assert!(hint.contains("download it first: hf download an-organisation/a-model"), "{hint}");
}

#[test]
fn an_overflow_of_the_output_dtype_is_an_error() {
    let pool = Pool::new();
    pool.change("b", "model.norm.weight", |tensor| Arc::make_mut(&mut tensor.data)[0] = 1e6);
    let recipe = pool.recipe(&format!("{LINEAR}out_dtype: float16\n"));
    let error = merge(&recipe, &pool.path("out"), &MergeOptions::default()).expect_err("too large").to_string();
    assert!(error.contains("model.norm.weight") && error.contains("float16"), "{error}");
    assert!(!pool.path("out").exists());
    let dtype = Checkpoint::open(&pool.path("a")).expect("a model").info("model.norm.weight").map(|info| info.dtype);
    assert_eq!(dtype, Some(Dtype::F32));
}

#[test]
fn a_limit_of_memory_that_is_too_low_says_what_is_needed() {
    let pool = Pool::new();
    let error = pool.merge(&MergeOptions { max_memory: 1 << 20, ..MergeOptions::default() }).expect_err("too low");
    assert!(error.to_string().contains("a limit of 1048576 bytes of memory is too low"), "{error}");
}

#[test]
fn recipe_and_card_come_with_the_model() {
    let pool = Pool::new();
    pool.merge(&MergeOptions::default()).expect("a merge");
    let read = |name: &str| std::fs::read_to_string(pool.path("out").join(name)).expect("a file");
    assert_eq!(read("mergekit_config.yml"), pool.linear().source);
    let card = read("README.md");
    let digest = Checkpoint::open(&pool.path("a")).expect("a model").sha256().expect("a digest");
    for part in ["`linear`", &digest, "The safety of this merge was not measured", "weight: 3"] {
        assert!(card.contains(part), "{part}\nis not in\n{card}");
    }
}
