//! The golden files of training: the model that it starts from, and tensors to compare with.

use std::path::{Path, PathBuf};

use bunch_checkpoint::{Checkpoint, StateDict};
use bunch_transformer::LlamaConfig;

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

pub fn start() -> (LlamaConfig, StateDict) {
    let checkpoint =
        Checkpoint::open(&folder().join("../../../bunch-transformer/tests/golden/gqa-tied/model")).expect("model");
    (LlamaConfig::from_json(checkpoint.config()).expect("a Llama"), checkpoint.state_dict().expect("weights"))
}

/// Compares named tensors with a safetensors file.
pub fn close(got: &StateDict, file: &str, tolerance: f32) {
    let expected = Checkpoint::open_weights(&folder().join(file)).expect("a golden file").state_dict().expect("f32");
    assert_eq!(got.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{file}");
    for (name, tensor) in got {
        assert_eq!(tensor.shape, expected[name].shape, "{file}, {name}");
        let pairs = tensor.data.iter().zip(expected[name].data.iter());
        let worst = pairs.map(|(g, e)| (g - e).abs()).fold(0.0, f32::max);
        assert!(worst <= tolerance, "{file}, {name}: off by {worst:e}");
    }
}
