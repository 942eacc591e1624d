//! GGUF files are read as transformers reads them.

use std::fs;
use std::path::{Path, PathBuf};

use bunch_checkpoint::{
    Checkpoint, CheckpointError, Dtype, ModelDirectory, StateDict, inspect_directory, sha256_bytes, sha256_file,
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn golden_json(architecture: &str) -> Value {
    serde_json::from_slice(&fs::read(golden(&format!("{architecture}.json"))).unwrap()).unwrap()
}

/// A directory with a golden model alone.
fn directory(architecture: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::copy(golden(&format!("{architecture}.gguf")), dir.path().join("model-q4.gguf")).unwrap();
    dir
}

#[test]
fn names_shapes_and_values_are_those_that_transformers_loads() {
    for architecture in ["llama", "qwen2"] {
        let golden_json = golden_json(architecture);
        let expected = golden_json["tensors"].as_object().unwrap();
        let checkpoint = Checkpoint::open(&golden(&format!("{architecture}.gguf"))).unwrap();
        let mut names: Vec<&str> = expected.keys().map(String::as_str).collect();
        names.sort();
        assert_eq!(checkpoint.names().collect::<Vec<_>>(), names);
        for (name, expected) in expected {
            let tensor = checkpoint.tensor(name).unwrap();
            assert_eq!(json!(tensor.shape), expected["shape"], "{name}");
            let bytes: Vec<u8> = tensor.data.iter().flat_map(|value| value.to_le_bytes()).collect();
            assert_eq!(sha256_bytes(&bytes), expected["sha256"].as_str().unwrap(), "{architecture} {name}");
        }
    }
}

#[test]
fn the_configuration_is_the_one_that_transformers_makes() {
    for (architecture, class) in [("llama", "LlamaForCausalLM"), ("qwen2", "Qwen2ForCausalLM")] {
        let golden_json = golden_json(architecture);
        let checkpoint = Checkpoint::open(&golden(&format!("{architecture}.gguf"))).unwrap();
        let config = checkpoint.config();
        for (key, expected) in golden_json["config"].as_object().unwrap() {
            match key.as_str() {
                // transformers sets this one when it saves.
                "architectures" => assert_eq!(config[key], json!([class])),
                // transformers takes the f32 as it is.
                "rms_norm_eps" => {
                    assert_eq!(config[key].as_f64().unwrap() as f32, expected.as_f64().unwrap() as f32);
                    assert_eq!(config[key], if architecture == "llama" { 1e-5 } else { 1e-6 });
                }
                // Written only where it differs from what the other sizes give.
                "head_dim" if architecture == "qwen2" => assert!(config.get(key).is_none()),
                _ => assert_eq!(&config[key], expected, "{architecture} {key}"),
            }
        }
        assert_eq!(config["rope_theta"], golden_json["rope_parameters"]["rope_theta"]);
        assert_eq!(config["rope_scaling"], Value::Null);
    }
}

#[test]
fn a_directory_with_one_gguf_file_is_a_model() {
    let dir = directory("llama");
    let checkpoint = Checkpoint::open(dir.path()).unwrap();
    assert_eq!(checkpoint.dir(), dir.path());
    assert_eq!(checkpoint.weight_files().collect::<Vec<_>>(), [dir.path().join("model-q4.gguf")]);
    let query = "model.layers.0.self_attn.q_proj.weight";
    assert_eq!(checkpoint.stored_dtype(query), Some("Q4_K"));
    let info = checkpoint.info(query).unwrap();
    assert_eq!((info.shape.as_slice(), info.dtype), ([32, 256].as_slice(), Dtype::F32));
    assert_eq!(checkpoint.stored_dtype("model.layers.1.self_attn.v_proj.weight"), Some("BF16"));
    assert_eq!(checkpoint.reader("model.layers.1.self_attn.v_proj.weight").unwrap().dtype(), Dtype::BF16);
    checkpoint.check_unchanged().unwrap();

    let line = format!("{}  model-q4.gguf\n", sha256_file(&golden("llama.gguf")).unwrap());
    assert_eq!(checkpoint.sha256().unwrap(), sha256_bytes(line.as_bytes()));

    let inspection = inspect_directory(dir.path());
    assert!(inspection.problems.is_empty(), "{:?}", inspection.problems);
    assert_eq!(inspection.tensors, 21);
    assert_eq!(inspection.shards[0].dtypes["Q4_K"], 2);
    let parameters: usize = checkpoint.state_dict().unwrap().values().map(|tensor| tensor.data.len()).sum();
    assert_eq!(inspection.parameters, parameters as u64);

    fs::copy(golden("qwen2.gguf"), dir.path().join("other.gguf")).unwrap();
    let error = Checkpoint::open(dir.path()).unwrap_err();
    assert!(
        matches!(&error, CheckpointError::AmbiguousWeights { files, .. } if files == &["model-q4.gguf", "other.gguf"]),
        "{error}"
    );
    assert!(Checkpoint::open(&dir.path().join("other.gguf")).is_ok());
}

#[test]
fn metadata_are_there_with_all_elements_of_arrays() {
    let dir = directory("llama");
    let metadata = Checkpoint::open(dir.path()).unwrap().gguf_metadata().unwrap().unwrap();
    assert_eq!(metadata.len(), 18);
    assert_eq!(metadata.keys().next().unwrap(), "general.architecture");
    assert_eq!(metadata["llama.rope.freq_base"], 500_000.0);
    assert_eq!(metadata["llama.attention.layer_norm_rms_epsilon"], 1e-5);
    assert_eq!(metadata["tokenizer.ggml.tokens"], json!(["<0>", "<1>", "<2>", "<3>", "<4>", "<5>"]));
    assert_eq!(metadata["tokenizer.ggml.merges"], json!(["a b"]));
    assert_eq!(metadata["tokenizer.ggml.eos_token_id"], 2);

    let parent = tempfile::tempdir().unwrap();
    let safetensors = parent.path().join("model");
    ModelDirectory::new(json!({}), &StateDict::new()).write(&safetensors).unwrap();
    assert_eq!(Checkpoint::open(&safetensors).unwrap().gguf_metadata().unwrap(), None);
}

#[test]
fn safetensors_in_the_same_directory_have_precedence() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("model");
    let weights = StateDict::new();
    ModelDirectory::new(json!({}), &weights).write(&dir).unwrap();
    fs::copy(golden("llama.gguf"), dir.join("llama.gguf")).unwrap();
    assert_eq!(Checkpoint::open(&dir).unwrap().names().count(), 0);
}

#[test]
fn a_config_beside_the_file_has_precedence_and_is_completed() {
    let dir = directory("llama");
    let write = |config: Value| fs::write(dir.path().join("config.json"), config.to_string()).unwrap();
    let synthesised = Checkpoint::open(dir.path()).unwrap().config().clone();

    write(json!({ "zebra": 1, "model_type": "llama", "vocab_size": 6, "bos_token_id": 3 }));
    let config = Checkpoint::open(dir.path()).unwrap().config().clone();
    assert_eq!(config["bos_token_id"], 3);
    assert_eq!(config["hidden_size"], synthesised["hidden_size"]);
    assert_eq!(config.as_object().unwrap().keys().next().unwrap(), "zebra");

    // transformers 5 has the rotary parameters in one, and another name for the dtype.
    write(json!({ "rope_parameters": { "rope_theta": 7.0 }, "dtype": "bfloat16" }));
    let config = Checkpoint::open(dir.path()).unwrap().config().clone();
    for key in ["rope_theta", "rope_scaling", "torch_dtype"] {
        assert!(config.get(key).is_none(), "{key}");
    }

    write(json!({ "hidden_size": 512 }));
    let message = Checkpoint::open(dir.path()).unwrap_err().to_string();
    assert!(message.ends_with("config.json next to it says `hidden_size` 512, the file itself 256"), "{message}");
    assert_eq!(inspect_directory(dir.path()).problems.len(), 1);
    fs::write(dir.path().join("config.json"), "{").unwrap();
    assert!(matches!(Checkpoint::open(dir.path()), Err(CheckpointError::Json { .. })));
}

#[test]
fn the_bytes_of_queries_are_in_hugging_face_s_order() {
    let checkpoint = Checkpoint::open(&golden("llama.gguf")).unwrap();
    // F32 rows of 256 values: two heads of eight rows.
    let name = "model.layers.1.self_attn.k_proj.weight";
    assert_eq!(checkpoint.stored_dtype(name), Some("F32"));
    let tensor = checkpoint.tensor(name).unwrap();
    let raw = checkpoint.raw_reader(name).unwrap();
    let mut bytes = vec![0; raw.byte_length()];
    raw.read_bytes(0, &mut bytes).unwrap();
    let expected: Vec<u8> = tensor.data.iter().flat_map(|value| value.to_le_bytes()).collect();
    assert_eq!(bytes, expected);
    // Row 2 j + i of the file is row 4 i + j here: the file's second row is our fifth.
    let file = fs::read(golden("llama.gguf")).unwrap();
    let at = |row: usize| {
        let row = &bytes[row * 1024..][..1024];
        file.windows(1024).position(|window| window == row).unwrap()
    };
    assert_eq!(at(4) - at(0), 1024);
    assert_eq!(at(1) - at(0), 2 * 1024);
    assert_eq!(at(8) - at(0), 8 * 1024);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_range_is_the_same_part_of_the_whole(
        tensor in any::<prop::sample::Index>(),
        start in any::<prop::sample::Index>(),
        count in 0_usize..1000,
    ) {
        let checkpoint = Checkpoint::open(&golden("llama.gguf")).unwrap();
        let names: Vec<&str> = checkpoint.names().collect();
        let name = *tensor.get(&names);
        let whole = checkpoint.tensor(name).unwrap();
        let reader = checkpoint.reader(name).unwrap();
        let start = start.index(reader.len() + 1);
        let count = count.min(reader.len() - start);
        let mut part = vec![f32::NAN; count];
        reader.read(start, &mut part).unwrap();
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&part), bits(&whole.data[start..][..count]));
        let mut too_long = vec![0.0; reader.len() - start + 1];
        let error = reader.read(start, &mut too_long).unwrap_err();
        let is_out_of_range = matches!(error, CheckpointError::OutOfRange { .. });
        prop_assert!(is_out_of_range);
    }
}
