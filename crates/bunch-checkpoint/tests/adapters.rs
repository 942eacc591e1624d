//! Adapters on small models: what each changes there.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use bunch_checkpoint::{
    ADAPTER_CONFIG, ADAPTER_WEIGHTS, Checkpoint, CheckpointError, ModelDirectory, PeftAdapter, StateDict, Tensor,
};
use serde_json::{Value, json};

const EMBEDDING: &str = "model.embed_tokens.weight";
const OUTPUT: &str = "lm_head.weight";

fn tensor(shape: &[usize], first: f32) -> Tensor {
    let values = (0..shape.iter().product()).map(|index: usize| first + index as f32);
    Tensor { shape: shape.to_vec(), data: Arc::new(values.collect()) }
}

/// A model of three tokens and width two that shares its embedding, and an adapter with these tensors, fitted to it.
fn fitted(
    tensors: &[(&str, Tensor)],
    more: &Value,
) -> (tempfile::TempDir, Result<(Checkpoint, PeftAdapter), CheckpointError>) {
    let folder = tempfile::tempdir().expect("a folder");
    let (model, adapter) = (folder.path().join("model"), folder.path().join("adapter"));
    let weights = StateDict::from([
        (EMBEDDING.to_owned(), tensor(&[3, 2], 0.0)),
        ("model.layers.0.mlp.up_proj.weight".to_owned(), tensor(&[4, 2], 0.0)),
    ]);
    let config = json!({"architectures": ["LlamaForCausalLM"], "tie_word_embeddings": true});
    ModelDirectory::new(config, &weights).write(&model).expect("written");
    write_adapter(&adapter, tensors, more);
    let fitted = Checkpoint::open(&model).and_then(|model| {
        let mut adapter = PeftAdapter::open(&adapter)?;
        adapter.fit(&model)?;
        Ok((model, adapter))
    });
    (folder, fitted)
}

fn write_adapter(dir: &Path, tensors: &[(&str, Tensor)], more: &Value) {
    let bytes = |tensor: &Tensor| tensor.data.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let stored: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(name, tensor)| (format!("base_model.model.{name}"), tensor.shape.clone(), bytes(tensor)))
        .collect();
    let views = stored.iter().map(|(name, shape, bytes)| {
        let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes);
        (name.clone(), view.expect("a view"))
    });
    let mut config = json!({"r": 1, "lora_alpha": 2, "peft_type": "LORA"});
    config.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    fs::create_dir(dir).expect("made");
    fs::write(dir.join(ADAPTER_WEIGHTS), safetensors::serialize(views, None).expect("bytes")).expect("written");
    fs::write(dir.join(ADAPTER_CONFIG), config.to_string()).expect("written");
}

#[test]
fn a_trained_embedding_parts_from_the_output_projection() {
    let trained = [("model.embed_tokens.weight", tensor(&[3, 2], 10.0))];
    let (_folder, fitted_) = fitted(&trained, &json!({}));
    let (model, adapter) = fitted_.expect("it fits");
    assert_eq!(adapter.new_output(), Some(OUTPUT));
    let values = |tensor: &str| {
        let (checkpoint, name) = adapter.stored(tensor, &model).expect("it is stored");
        checkpoint.tensor(name).expect("it can be read").data[0]
    };
    assert_eq!((values(EMBEDDING), values(OUTPUT)), (10.0, 0.0));
    let (_folder, tied) = fitted(&trained, &json!({"ensure_weight_tying": true}));
    assert_eq!(tied.expect("it fits").1.new_output(), None);
}

#[test]
fn factors_of_an_embedding_are_added_to_its_rows() {
    let factors = [
        ("model.embed_tokens.lora_embedding_A", tensor(&[1, 3], 1.0)),
        ("model.embed_tokens.lora_embedding_B.default", tensor(&[2, 1], 5.0)),
    ];
    let (_folder, fitted) = fitted(&factors, &json!({"ensure_weight_tying": true}));
    let (_, adapter) = fitted.expect("it fits");
    let mut values = [0.0; 6];
    adapter.delta(EMBEDDING).expect("factors").expect("a product").add_to(0, &mut values);
    assert_eq!(values, [10.0, 12.0, 20.0, 24.0, 30.0, 36.0]);
    assert!(!adapter.is_uniform());
    assert_eq!(adapter.factors().expect("factors").len(), 2);
}

#[test]
fn a_larger_vocabulary_is_in_all_its_tensors() {
    let (_folder, larger) = fitted(&[(EMBEDDING, tensor(&[5, 2], 0.0)), (OUTPUT, tensor(&[5, 2], 1.0))], &json!({}));
    let (_, adapter) = larger.expect("it fits");
    assert_eq!((adapter.vocabulary_rows(), adapter.new_output()), (Some(5), Some(OUTPUT)));
    let (_folder, unequal) = fitted(&[(EMBEDDING, tensor(&[5, 2], 0.0)), (OUTPUT, tensor(&[3, 2], 1.0))], &json!({}));
    let message = unequal.expect_err("it does not fit").to_string();
    assert!(message.contains("lm_head.weight: expected shape [5, 2] as in the model, got [3, 2]"), "{message}");
    let (_folder, wider) = fitted(&[(EMBEDDING, tensor(&[3, 4], 0.0))], &json!({}));
    assert!(wider.expect_err("it does not fit").to_string().contains("expected shape [3, 2] as in the model"));
}
