//! Descriptions of small model directories.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bunch_checkpoint::{
    Checkpoint, CheckpointError, ConfigMismatch, DigestCache, Dtype, ModelDirectory, StateDict, Tensor, sha256_bytes,
};
use bunch_inspection::describe::{DescribeOptions, Description, Problem, describe};
use proptest::prelude::*;
use serde_json::{Value, json};

const EMBEDDING: &str = "model.embed_tokens.weight";
const OUTPUT: &str = "lm_head.weight";

fn tensor(shape: &[usize]) -> Tensor {
    Tensor { shape: shape.to_vec(), data: Arc::new(vec![0.5; shape.iter().product()]) }
}

/// A model of two layers, four tokens and width two.
struct Model {
    parent: tempfile::TempDir,
    config: Value,
    weights: StateDict,
    files: BTreeMap<String, Vec<u8>>,
    dtype: Dtype,
}

impl Model {
    fn new() -> Self {
        let shapes: [(&str, &[usize]); 7] = [
            (EMBEDDING, &[4, 2]),
            (OUTPUT, &[4, 2]),
            ("model.norm.weight", &[2]),
            ("model.layers.0.mlp.up_proj.weight", &[3, 2]),
            ("model.layers.0.input_layernorm.weight", &[2]),
            ("model.layers.1.mlp.up_proj.weight", &[3, 2]),
            ("model.layers.1.input_layernorm.weight", &[2]),
        ];
        let config = json!({
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "hidden_size": 2,
            "vocab_size": 4,
            "num_hidden_layers": 2,
            "tie_word_embeddings": false,
        });
        let tokenizer = json!({"model": {"type": "WordLevel", "vocab": {"a": 0, "b": 1, "c": 2}}});
        let files = [
            ("tokenizer.json", tokenizer.to_string()),
            ("tokenizer_config.json", json!({"chat_template": "{{ messages }}"}).to_string()),
            ("generation_config.json", json!({"eos_token_id": 2}).to_string()),
        ];
        Self {
            parent: tempfile::tempdir().unwrap(),
            config,
            weights: shapes.map(|(name, shape)| (name.to_owned(), tensor(shape))).into(),
            files: files.map(|(name, text)| (name.to_owned(), text.into_bytes())).into(),
            dtype: Dtype::F32,
        }
    }

    fn dir(&self) -> PathBuf {
        self.parent.path().join("model")
    }

    /// Writes the directory, replacing it if it is there.
    fn write(&self) -> PathBuf {
        let directory = ModelDirectory {
            dtype: self.dtype,
            files: self.files.clone(),
            replace: true,
            ..ModelDirectory::new(self.config.clone(), &self.weights)
        };
        directory.write(&self.dir()).unwrap();
        self.dir()
    }

    fn describe(&self) -> Description {
        describe(&self.write(), &DescribeOptions { check_values: true, threads: 2, ..DescribeOptions::default() })
    }

    fn problems(&self) -> Vec<String> {
        messages(&self.describe())
    }

    fn file(&mut self, name: &str, value: &Value) {
        self.files.insert(name.to_owned(), value.to_string().into_bytes());
    }
}

fn messages(description: &Description) -> Vec<String> {
    description.problems.iter().map(ToString::to_string).collect()
}

#[test]
fn a_model_in_order_is_described() {
    let model = Model::new();
    let description = model.describe();
    assert_eq!(messages(&description), [""; 0]);
    assert_eq!(description.config.architectures, ["LlamaForCausalLM"]);
    assert_eq!(description.tensors, 7);
    let parameters = &description.parameters;
    let layers: Vec<(&str, u64)> =
        parameters.layers.iter().map(|layer| (layer.layer.as_str(), layer.parameters)).collect();
    assert_eq!(layers, [("model.layers.0", 8), ("model.layers.1", 8)]);
    assert_eq!((parameters.total, parameters.embedding, parameters.output, parameters.other), (34, 8, 8, 2));
    assert_eq!((description.dtypes["F32"].tensors, description.dtypes["F32"].bytes), (7, Some(136)));
    assert_eq!(description.shards.len(), 1);
    assert_eq!(description.tied, Some(false));
    let rows = &description.vocabulary;
    assert_eq!((rows.embedding, rows.output, rows.config), (Some(4), Some(4), Some(4)));
    assert_eq!((rows.tokenizer, rows.highest_id), (Some(3), Some(2)));
    assert!(description.has_chat_template && description.values_checked);
    assert_eq!(description.generation_config, Some(json!({"eos_token_id": 2})));
    let memory = description.memory.unwrap();
    assert_eq!((memory.as_stored, memory.in_16_bits, memory.in_32_bits), (136, 68, 136));
    let names: Vec<&str> = description.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(
        names,
        ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
    );
    assert!(description.files.iter().all(|file| file.sha256.is_none()));
}

#[test]
fn text_and_json_say_it_all() {
    let model = Model::new();
    let mut description = model.describe();
    description.path = "model".into();
    // These have a length that the writer may change.
    description.files.retain(|file| file.name.starts_with("tokenizer"));
    description.shards[0].bytes = 1000;
    let golden = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
        fs::read_to_string(path).unwrap()
    };
    assert_eq!(description.to_string(), golden("description.txt"), "\n{description}");
    let json = serde_json::to_string_pretty(&description).unwrap() + "\n";
    assert_eq!(json, golden("description.json"), "\n{json}");
}

#[test]
fn digests_are_computed_when_asked_for() {
    let model = Model::new();
    let dir = model.write();
    let cache = DigestCache::open(&model.parent.path().join("digests.json")).unwrap();
    for digest_cache in [None, Some(&cache)] {
        let options = DescribeOptions { digests: true, digest_cache, ..DescribeOptions::default() };
        let description = describe(&dir, &options);
        assert!(!description.values_checked);
        for file in &description.files {
            let bytes = fs::read(dir.join(&file.name)).unwrap();
            assert_eq!((file.bytes, file.sha256.clone()), (bytes.len() as u64, Some(sha256_bytes(&bytes))));
        }
        assert!(description.to_string().contains(description.files[0].sha256.as_deref().unwrap()));
    }
    assert!(cache.get(&dir.join("model.safetensors")).is_some());
}

#[test]
fn config_and_weights_that_disagree_are_problems() {
    let changed = |change: fn(&mut Value)| {
        let mut model = Model::new();
        change(&mut model.config);
        model.problems()
    };
    let row = |tensor: &str| {
        format!("tensor `{tensor}`: config.json says `vocab_size` 5, but dimension 0 of the tensor is 4")
    };
    assert_eq!(changed(|config| config["vocab_size"] = 5.into()), [row(EMBEDDING), row(OUTPUT)]);
    let wide = changed(|config| config["hidden_size"] = 3.into());
    assert!(wide[0].ends_with("`hidden_size` 3, but dimension 1 of the tensor is 2"), "{wide:?}");
    let deep = changed(|config| config["num_hidden_layers"] = 3.into());
    assert_eq!(deep, ["config.json says `num_hidden_layers` 3, but there are 2 layers `model.layers.*`"]);
    let nameless = changed(|config| _ = config.as_object_mut().unwrap().remove("model_type"));
    assert_eq!(nameless, ["config.json: `model_type` is missing"]);
}

#[test]
fn layers_that_are_unlike_are_problems() {
    let mut model = Model::new();
    model.weights.remove("model.layers.0.input_layernorm.weight");
    model.weights.insert("model.layers.1.mlp.up_proj.weight".into(), tensor(&[4, 2]));
    assert_eq!(
        model.problems(),
        [
            "tensor `model.layers.0.input_layernorm.weight` is missing, which 1 other layers have",
            "tensor `model.layers.1.mlp.up_proj.weight` has shape [4, 2], expected [3, 2] as in \
             `model.layers.0.mlp.up_proj.weight`",
        ]
    );
    // Layers of other architectures may differ.
    model.config["model_type"] = "jamba".into();
    assert_eq!(model.problems(), [""; 0]);

    let mut model = Model::new();
    model.weights.retain(|name, _| !name.contains("layers.0"));
    assert!(matches!(
        &model.describe().problems[..],
        [
            Problem::MissingLayer { index: 0, count: 1, .. },
            Problem::Config(ConfigMismatch::LayerCount { expected: 2, got: 1, .. })
        ]
    ));
}

#[test]
fn output_projections_are_held_against_the_configuration() {
    let mut model = Model::new();
    model.weights.remove(OUTPUT);
    let description = model.describe();
    assert!(
        matches!(&description.problems[..], [Problem::Config(ConfigMismatch::MissingOutput { is_default: false })]),
        "{:?}",
        description.problems
    );
    assert_eq!(description.tied, Some(false));

    model.config["tie_word_embeddings"] = true.into();
    let description = model.describe();
    assert_eq!((messages(&description), description.tied), (vec![], Some(true)));
    assert!(description.to_string().contains("(tied: the embedding)"));

    // Stored although tied: the same values do no harm.
    model.weights.insert(OUTPUT.into(), tensor(&[4, 2]));
    assert_eq!(model.problems(), [""; 0]);
    let mut other = tensor(&[4, 2]);
    Arc::make_mut(&mut other.data)[7] = 0.75;
    model.weights.insert(OUTPUT.into(), other);
    let problems = model.problems();
    assert!(problems[0].ends_with("but `lm_head.weight` has other values"), "{problems:?}");
    let unread = describe(&model.dir(), &DescribeOptions::default());
    assert_eq!(messages(&unread), [""; 0]);
    assert!(unread.to_string().ends_with("none (values were not looked at)\n"));
}

#[test]
fn a_tokenizer_that_does_not_fit_is_a_problem() {
    let mut model = Model::new();
    model.file("tokenizer.json", &json!({"model": {"type": "WordLevel", "vocab": {"a": 0, "z": 4}}}));
    assert_eq!(
        model.problems(),
        ["tensor `model.embed_tokens.weight` has 4 rows, but the tokenizer's highest id is 4 (token \"z\")"]
    );
    model.file("tokenizer.json", &json!([]));
    let problems = model.describe().problems;
    assert!(matches!(&problems[..], [Problem::Tokenizer(_)]), "{problems:?}");
    model.files.clear();
    let description = model.describe();
    assert_eq!(messages(&description), [""; 0]);
    assert_eq!(description.vocabulary.tokenizer, None);
    assert!(!description.has_chat_template);
    model.files.insert("chat_template.jinja".into(), b"{{ messages }}".to_vec());
    model.files.insert("generation_config.json".into(), b"{".to_vec());
    let description = model.describe();
    assert!(description.has_chat_template);
    let problems = messages(&description);
    assert!(problems.len() == 1 && problems[0].contains("generation_config.json: EOF"), "{problems:?}");
}

#[test]
fn a_dtype_that_is_not_the_configured_one_is_a_problem() {
    let model = Model { dtype: Dtype::BF16, ..Model::new() };
    assert_eq!(model.problems(), [""; 0]);
    let rewrite = |config: Value| fs::write(model.dir().join("config.json"), config.to_string()).unwrap();
    let mut config = model.config.clone();
    config["torch_dtype"] = "float16".into();
    rewrite(config.clone());
    let problems = || messages(&describe(&model.dir(), &DescribeOptions::default()));
    assert_eq!(problems(), ["config.json says `torch_dtype` float16, but most of the weights are stored as BF16"]);
    // What quantised weights are stored as is another matter.
    config["quantization_config"] = json!({});
    rewrite(config);
    assert_eq!(problems(), [""; 0]);
}

#[test]
fn values_that_are_not_finite_are_counted_in_order() {
    let mut model = Model::new();
    for (name, values) in [("model.norm.weight", [f32::NAN, f32::INFINITY]), ("extra", [f32::NEG_INFINITY; 2])] {
        model.weights.insert(name.into(), Tensor { shape: vec![2], data: Arc::new(values.to_vec()) });
    }
    let expected = [
        "tensor `extra`: 0 of its values are NaN and 2 infinite",
        "tensor `model.norm.weight`: 1 of its values are NaN and 1 infinite",
    ];
    assert_eq!(model.problems(), expected);
    for threads in [0, 1, 7] {
        let options = DescribeOptions { check_values: true, threads, ..DescribeOptions::default() };
        assert_eq!(messages(&describe(&model.dir(), &options)), expected);
    }
}

#[test]
fn what_is_broken_is_described_as_far_as_it_goes() {
    let model = Model::new();
    let weights = model.write().join("model.safetensors");
    let bytes = fs::read(&weights).unwrap();
    fs::write(&weights, &bytes[..bytes.len() - 1]).unwrap();
    let description = describe(&model.dir(), &DescribeOptions::default());
    assert!(matches!(&description.problems[..], [Problem::Checkpoint(CheckpointError::Truncated { .. })]));
    assert_eq!((description.parameters.total, description.tensors), (34, 7));
    assert_eq!((description.memory.as_ref(), description.parameters.layers.len()), (None, 0));
    assert_eq!((description.dtypes["F32"].tensors, description.dtypes["F32"].bytes), (7, None));
    assert_eq!(description.vocabulary.config, Some(4));
    let text = description.to_string();
    assert!(text.contains("problems            1\n  - ") && text.contains("truncated"), "{text}");

    let nothing = describe(&model.parent.path().join("nothing"), &DescribeOptions::default());
    assert!(!nothing.problems.is_empty() && nothing.files.is_empty());
    assert!(!nothing.to_string().is_empty());
}

#[test]
fn a_gguf_file_is_described() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bunch-checkpoint/tests/golden/llama.gguf");
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("model.gguf");
    fs::copy(source, &file).unwrap();
    let options = DescribeOptions { check_values: true, ..DescribeOptions::default() };
    let (of_file, of_folder) = (describe(&file, &options), describe(parent.path(), &options));
    assert_eq!(messages(&of_file), messages(&of_folder));
    assert_eq!(of_file.config.model_type.as_deref(), Some("llama"));
    assert_eq!(of_file.parameters, of_folder.parameters);
    assert_eq!(of_file.dtypes, of_folder.dtypes);
    assert_eq!(of_file.shards, of_folder.shards);
    assert!(of_file.parameters.total > 0 && of_file.parameters.layers.len() == 2, "{:?}", of_file.parameters);
    assert!(of_file.files.is_empty() && of_folder.files.len() == 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn damage_is_described_whatever_it_is(
        damage in prop::collection::vec((0_usize..5, any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 1..4),
    ) {
        let model = Model::new();
        let dir = model.write();
        let names =
            ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"];
        for (file, at, value, is_cut) in damage {
            let path = dir.join(names[file]);
            let mut bytes = fs::read(&path).unwrap();
            if bytes.is_empty() {
                continue;
            }
            let at = at.index(bytes.len());
            bytes[at] = value;
            if is_cut {
                bytes.truncate(at);
            }
            fs::write(&path, bytes).unwrap();
        }
        let options = DescribeOptions { check_values: true, ..DescribeOptions::default() };
        let description = describe(&dir, &options);
        prop_assert_eq!(description.memory.is_some(), Checkpoint::open(&dir).is_ok());
        prop_assert!(description.memory.is_some() || !description.problems.is_empty());
        let json = serde_json::to_value(&description).unwrap();
        prop_assert_eq!(json["problems"].as_array().unwrap().len(), description.problems.len());
        prop_assert!(description.to_string().contains("problems"));
    }
}
