//! What a model will take in memory, known before it is loaded.

use burn::tensor::Device;

use bunch_checkpoint::Checkpoint;

use crate::cache::Cache;
use crate::tensor_shapes::{FusedProjection, fused_projections};
use crate::weights::keeps_bf16;
use crate::{LlamaConfig, LlamaError, generate, loglikelihood};

/// Bytes that a model takes, from the headers of its files alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryNeed {
    /// The weights as they are kept: matrices of bfloat16 files stay so on `flex`, everything else is f32.
    pub weights: u64,
    /// Keys and values of one token of a sequence that is being continued.
    pub cache_per_token: u64,
    /// About what scoring or reading prompts takes besides weights and cache: one forward pass over a full batch.
    pub pass: u64,
}

impl MemoryNeed {
    /// The need of the model that `checkpoint` holds, on `device`.
    ///
    /// # Errors
    /// An unsupported configuration. Tensors that are missing or have other shapes are found when the model is loaded.
    pub fn of(checkpoint: &Checkpoint, device: &Device) -> Result<Self, LlamaError> {
        let config = LlamaConfig::from_json(checkpoint.config())?;
        let narrow = |names: &[String]| {
            keeps_bf16(device) && names.iter().all(|name| checkpoint.stored_dtype(name) == Some("BF16"))
        };
        // What is narrow saves half of its f32.
        let mut weights = config.parameters() as u64 * 4;
        for index in 0..config.num_hidden_layers {
            for FusedProjection { path, outputs, input, .. } in fused_projections(&config) {
                let name = |name: &str| format!("model.layers.{index}.{path}.{name}.weight");
                if narrow(&outputs.iter().map(|(output, _)| name(output)).collect::<Vec<_>>()) {
                    weights -= outputs.iter().map(|(_, rows)| (rows * input) as u64 * 2).sum::<u64>();
                }
            }
        }
        let tables = if config.tie_word_embeddings { 1 } else { 2 };
        for name in ["model.embed_tokens.weight", "lm_head.weight"].into_iter().take(tables) {
            if narrow(&[name.to_string()]) {
                weights -= (config.vocab_size * config.hidden_size) as u64 * 2;
            }
        }
        Ok(Self { weights, cache_per_token: Cache::bytes_per_slot(&config) as u64, pass: loglikelihood::pass(&config) })
    }

    /// What scoring continuations takes in all.
    pub fn scoring(&self) -> u64 {
        self.weights + self.pass
    }

    /// What continuing `prompts` prompts takes in all, if none is longer than `tokens` tokens, those that are added included.
    pub fn generating(&self, prompts: usize, tokens: usize) -> u64 {
        let one = tokens as u64 * self.cache_per_token;
        self.weights + self.pass + (prompts as u64 * one).min(one.max(generate::CACHE as u64))
    }
}

/// Bytes of memory that programs can still have on this machine without swapping; nothing where that is not known.
pub fn available_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemAvailable:"))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1024)
}
