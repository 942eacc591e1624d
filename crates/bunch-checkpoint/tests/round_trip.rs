//! What is written is what is read.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use bunch_checkpoint::{
    Checkpoint, CheckpointError, Dtype, ModelDirectory, StateDict, Tensor, sha256_bytes, sha256_of_state_dict,
};
use proptest::prelude::*;
use safetensors::tensor::TensorView;
use serde_json::json;

fn tensor(shape: &[usize], data: Vec<f32>) -> Tensor {
    assert_eq!(shape.iter().product::<usize>(), data.len());
    Tensor { shape: shape.to_vec(), data: Arc::new(data) }
}

/// Three tensors of 24, 8 and 48 bytes in f32.
fn small() -> StateDict {
    StateDict::from([
        ("lm_head.weight".to_owned(), tensor(&[2, 3], vec![1.0, -2.0, 0.5, 0.1, 1e-3, 7.0])),
        ("model.embed_tokens.weight".to_owned(), tensor(&[2], vec![-0.0, 1e30])),
        ("model.norm.weight".to_owned(), tensor(&[2, 2, 3], (0..12).map(|i| i as f32 / 3.0).collect())),
    ])
}

/// File names in `dir`, sorted.
fn files(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn contents(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    files(dir).into_iter().map(|name| (name.clone(), fs::read(dir.join(name)).unwrap())).collect()
}

/// Values as bits, to distinguish zeros and NaNs.
fn bits(weights: &StateDict) -> BTreeMap<&str, (Vec<usize>, Vec<u32>)> {
    let tensor_bits = |tensor: &Tensor| (tensor.shape.clone(), tensor.data.iter().map(|x| x.to_bits()).collect());
    weights.iter().map(|(name, tensor)| (name.as_str(), tensor_bits(tensor))).collect()
}

/// A tensor's bytes as they are on disk.
fn stored_bytes(checkpoint: &Checkpoint, name: &str) -> Vec<u8> {
    let reader = checkpoint.raw_reader(name).unwrap();
    let mut bytes = vec![0; reader.byte_length()];
    reader.read_bytes(0, &mut bytes).unwrap();
    bytes
}

fn any_state_dict() -> impl Strategy<Value = StateDict> {
    let any_tensor = prop::collection::vec(0_usize..5, 0..4).prop_flat_map(|shape| {
        let length = shape.iter().product::<usize>();
        prop::collection::vec(any::<u32>().prop_map(f32::from_bits), length).prop_map(move |data| tensor(&shape, data))
    });
    prop::collection::btree_map(r#"[a-z."\\é]{0,12}"#, any_tensor, 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn f32_comes_back_bit_for_bit_whatever_the_sharding(weights in any_state_dict(), max_shard_size in 0_u64..600) {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("model");
        ModelDirectory { max_shard_size, ..ModelDirectory::new(json!({}), &weights) }.write(&dir).unwrap();
        let back = Checkpoint::open(&dir).unwrap().state_dict().unwrap();
        prop_assert_eq!(bits(&back), bits(&weights));
        prop_assert_eq!(sha256_of_state_dict(&back), sha256_of_state_dict(&weights));
    }

    #[test]
    fn halves_come_back_rounded_once(weights in any_state_dict(), max_shard_size in 0_u64..300) {
        let parent = tempfile::tempdir().unwrap();
        for dtype in [Dtype::F16, Dtype::BF16] {
            let dir = parent.path().join(dtype.name());
            ModelDirectory { dtype, max_shard_size, ..ModelDirectory::new(json!({}), &weights) }.write(&dir).unwrap();
            let checkpoint = Checkpoint::open(&dir).unwrap();
            let rounded = checkpoint.state_dict().unwrap();
            for (name, tensor) in &weights {
                let mut bytes = Vec::new();
                dtype.encode(&tensor.data, &mut bytes);
                prop_assert_eq!(stored_bytes(&checkpoint, name), bytes);
                prop_assert_eq!(checkpoint.info(name).unwrap().dtype, dtype);
            }
            let again = parent.path().join("again");
            ModelDirectory { dtype, replace: true, ..ModelDirectory::new(json!({}), &rounded) }.write(&again).unwrap();
            let twice = Checkpoint::open(&again).unwrap().state_dict().unwrap();
            prop_assert_eq!(bits(&twice), bits(&rounded));
        }
    }
}

#[test]
fn the_file_is_the_one_that_the_safetensors_crate_writes() {
    let weights = small();
    let parent = tempfile::tempdir().unwrap();
    for (dtype, theirs) in [(Dtype::F32, safetensors::Dtype::F32), (Dtype::BF16, safetensors::Dtype::BF16)] {
        let dir = parent.path().join(dtype.name());
        ModelDirectory { dtype, ..ModelDirectory::new(json!({}), &weights) }.write(&dir).unwrap();
        let encoded: BTreeMap<&str, Vec<u8>> = weights
            .iter()
            .map(|(name, tensor)| {
                let mut bytes = Vec::new();
                dtype.encode(&tensor.data, &mut bytes);
                (name.as_str(), bytes)
            })
            .collect();
        let views = encoded
            .iter()
            .map(|(name, bytes)| (*name, TensorView::new(theirs, weights[*name].shape.clone(), bytes).unwrap()));
        #[expect(clippy::disallowed_types, reason = "what safetensors takes; one entry has no order")]
        let format = std::collections::HashMap::from([("format".to_owned(), "pt".to_owned())]);
        let reference = safetensors::serialize(views, Some(format)).unwrap();
        assert_eq!(fs::read(dir.join("model.safetensors")).unwrap(), reference);
    }
}

#[test]
fn a_small_model_is_one_file_with_its_companions() {
    let weights = small();
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("model");
    let config = json!({ "model_type": "llama", "rope_theta": 1e4, "torch_dtype": "bfloat16" });
    let companions = BTreeMap::from([("tokenizer.json".to_owned(), b"{\"a\": 1}".to_vec())]);
    let model = ModelDirectory { files: companions, max_shard_size: 80, ..ModelDirectory::new(config, &weights) };
    model.write(&dir).unwrap();

    assert_eq!(files(parent.path()), ["model"]);
    assert_eq!(files(&dir), ["config.json", "model.safetensors", "tokenizer.json"]);
    assert_eq!(fs::read(dir.join("tokenizer.json")).unwrap(), b"{\"a\": 1}");
    let text = fs::read_to_string(dir.join("config.json")).unwrap();
    assert_eq!(
        text,
        "{\n  \"model_type\": \"llama\",\n  \"rope_theta\": 10000.0,\n  \"torch_dtype\": \"float32\"\n}\n"
    );

    let checkpoint = Checkpoint::open(&dir).unwrap();
    assert_eq!(checkpoint.dir(), dir);
    assert_eq!(checkpoint.config()["model_type"], "llama");
    assert_eq!(
        checkpoint.names().collect::<Vec<_>>(),
        ["lm_head.weight", "model.embed_tokens.weight", "model.norm.weight"]
    );
    let info = checkpoint.info("model.norm.weight").unwrap();
    assert_eq!((info.shape.as_slice(), info.dtype), ([2, 2, 3].as_slice(), Dtype::F32));
    assert_eq!(info.shard, dir.join("model.safetensors"));
    assert_eq!(stored_bytes(&checkpoint, "model.embed_tokens.weight"), [0, 0, 0, 0x80, 0xca, 0xf2, 0x49, 0x71]);
    assert_eq!(checkpoint.tensor("lm_head.weight").unwrap(), weights["lm_head.weight"]);
    assert!(checkpoint.info("nothing").is_none());
    assert!(
        matches!(checkpoint.tensor("nothing"), Err(CheckpointError::TensorNotFound { tensor, .. }) if tensor == "nothing")
    );
}

#[test]
fn the_dtype_in_the_config_is_the_one_on_disk() {
    let weights = small();
    let parent = tempfile::tempdir().unwrap();
    let bf16 = |config| {
        let dir = parent.path().join("model");
        ModelDirectory { dtype: Dtype::BF16, replace: true, ..ModelDirectory::new(config, &weights) }
            .write(&dir)
            .unwrap();
        Checkpoint::open(&dir).unwrap().config().clone()
    };
    assert_eq!(bf16(json!({})), json!({ "torch_dtype": "bfloat16" }));
    assert_eq!(bf16(json!({ "dtype": "float32" })), json!({ "dtype": "bfloat16" }));
    let both = json!({ "dtype": "bfloat16", "torch_dtype": "bfloat16" });
    assert_eq!(bf16(json!({ "dtype": "float32", "torch_dtype": "float16" })), both);
}

#[test]
fn a_large_model_is_sharded_in_the_order_of_names() {
    let weights = small();
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("model");
    // 24 + 8 bytes fit, and 48 more do not; a tensor over the limit has a shard of its own.
    ModelDirectory { max_shard_size: 32, ..ModelDirectory::new(json!({}), &weights) }.write(&dir).unwrap();
    let shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    assert_eq!(files(&dir), ["config.json", shards[0], shards[1], "model.safetensors.index.json"]);
    let index: serde_json::Value =
        serde_json::from_slice(&fs::read(dir.join("model.safetensors.index.json")).unwrap()).unwrap();
    let expected = json!({
        "metadata": { "total_size": 80 },
        "weight_map": {
            "lm_head.weight": shards[0],
            "model.embed_tokens.weight": shards[0],
            "model.norm.weight": shards[1],
        }
    });
    assert_eq!(index, expected);
    let checkpoint = Checkpoint::open(&dir).unwrap();
    assert_eq!(checkpoint.state_dict().unwrap(), weights);
    assert_eq!(checkpoint.info("model.norm.weight").unwrap().shard, dir.join(shards[1]));
}

#[test]
fn equal_models_give_equal_bytes() {
    let weights = small();
    let parent = tempfile::tempdir().unwrap();
    let write = |name: &str, max_shard_size| {
        let dir = parent.path().join(name);
        ModelDirectory { max_shard_size, dtype: Dtype::F16, ..ModelDirectory::new(json!({ "a": 1 }), &weights) }
            .write(&dir)
            .unwrap();
        (contents(&dir), Checkpoint::open(&dir).unwrap().sha256().unwrap())
    };
    assert_eq!(write("one", 1 << 20), write("two", 1 << 20));
    assert_eq!(write("three", 10), write("four", 10));
    assert_ne!(write("five", 1 << 20), write("six", 10));
}

#[test]
fn the_only_weights_may_have_any_name_and_any_alignment() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("config.json"), "{}").unwrap();
    for padding in 0..4 {
        let header = r#"{"w":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"v":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#;
        let header = format!("{header}{}", " ".repeat(padding));
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend([0x00, 0x3c, 0x00, 0xc0, 0x00, 0x00, 0x40, 0x40]);
        fs::write(dir.path().join("weights.safetensors"), bytes).unwrap();
        let checkpoint = Checkpoint::open(dir.path()).unwrap();
        assert_eq!(*checkpoint.tensor("w").unwrap().data, [1.0, -2.0]);
        assert_eq!(*checkpoint.tensor("v").unwrap().data, [3.0]);
    }
}

#[test]
fn a_dtype_that_weights_cannot_have_is_an_error_when_read_and_only_then() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("config.json"), "{}").unwrap();
    let ids = TensorView::new(safetensors::Dtype::I64, vec![1], &[0; 8]).unwrap();
    let weight = TensorView::new(safetensors::Dtype::F32, vec![1], &[0; 4]).unwrap();
    let bytes = safetensors::serialize([("ids", ids), ("w", weight)], None).unwrap();
    fs::write(dir.path().join("model.safetensors"), bytes).unwrap();
    let checkpoint = Checkpoint::open(dir.path()).unwrap();
    assert_eq!(checkpoint.names().collect::<Vec<_>>(), ["ids", "w"]);
    assert_eq!(*checkpoint.tensor("w").unwrap().data, [0.0]);
    assert!(checkpoint.info("ids").is_none());
    for error in [checkpoint.reader("ids").unwrap_err(), checkpoint.state_dict().unwrap_err()] {
        assert!(error.to_string().ends_with("tensor `ids`: expected dtype F32, F16 or BF16, got I64"), "{error}");
    }
}

#[test]
fn the_digest_is_that_of_the_model_s_own_files() {
    let weights = small();
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("model");
    let companions = BTreeMap::from([
        ("chat_template.jinja".to_owned(), b"{{ messages }}".to_vec()),
        ("README.md".to_owned(), b"hello".to_vec()),
    ]);
    let model = ModelDirectory { files: companions, max_shard_size: 32, ..ModelDirectory::new(json!({}), &weights) };
    model.write(&dir).unwrap();
    let mut lines = String::new();
    for (name, bytes) in contents(&dir) {
        if name != "README.md" {
            lines += &format!("{}  {name}\n", sha256_bytes(&bytes));
        }
    }
    assert_eq!(lines.lines().count(), 5);
    let digest = || Checkpoint::open(&dir).unwrap().sha256().unwrap();
    let before = digest();
    assert_eq!(before, sha256_bytes(lines.as_bytes()));
    fs::write(dir.join("README.md"), "changed").unwrap();
    assert_eq!(digest(), before);
    fs::write(dir.join("chat_template.jinja"), "changed").unwrap();
    assert_ne!(digest(), before);
    fs::write(dir.join("chat_template.jinja"), "{{ messages }}").unwrap();
    fs::write(dir.join("tokenizer.model"), "new").unwrap();
    assert_ne!(digest(), before);
}
