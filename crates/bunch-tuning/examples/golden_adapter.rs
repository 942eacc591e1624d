//! Writes the adapter from which tests/golden/make_preference_golden.py starts:
//! `cargo run -p bunch-tuning --example golden_adapter`.

use std::path::Path;

use bunch_checkpoint::Checkpoint;
use bunch_transformer::{LlamaConfig, LoraAdapter, LoraConfig};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let checkpoint = Checkpoint::open(&root.join("../bunch-transformer/tests/golden/gqa-tied/model"))?;
    let target_modules = ["q_proj", "v_proj", "down_proj"].map(String::from).into();
    let lora = LoraConfig { rank: 2, alpha: 4.0, use_rslora: false, target_modules };
    let adapter = LoraAdapter::initial(&lora, &LlamaConfig::from_json(checkpoint.config())?, 0)?;
    let folder = tempfile::tempdir()?;
    adapter.write(folder.path(), "gqa-tied")?;
    let file = folder.path().join("adapter_model.safetensors");
    std::fs::copy(file, root.join("tests/golden/lora_start.safetensors"))?;
    Ok(())
}
