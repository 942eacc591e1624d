//! How much work forward passes are, and how long a processor takes for them; docs/paper-scale.md has the formulas.

use std::ops::AddAssign;
use std::path::Path;

use bunch_recipe::open_toml;
use bunch_transformer::LlamaConfig;
use serde::Deserialize;

use crate::ExperimentError;
use crate::planning::checkpoints::Checkpoints;

/// Bytes that cached keys and values, and the logits of a step, may take; with them bunch-transformer decides how many prompts it
/// continues side by side.
const CACHE_BYTES: f64 = (512u64 << 20) as f64;
const LOGITS_BYTES: f64 = (64u64 << 20) as f64;
const MOST_SIDE_BY_SIDE: f64 = 512.0;

/// Floating-point operations of a forward pass that reads `read` tokens after `seen` ones and predicts what follows `scored` of
/// them: two for each parameter of a matrix and token, and four for each head's width, query and key.
pub(crate) fn forward_flops(config: &LlamaConfig, seen: f64, read: f64, scored: f64) -> f64 {
    let (hidden, layers) = (config.hidden_size as f64, config.num_hidden_layers as f64);
    let queries = (config.num_attention_heads * config.head_dim) as f64;
    let keys = (config.num_key_value_heads * config.head_dim) as f64;
    let layer = hidden * (2.0 * queries + 2.0 * keys + 3.0 * config.intermediate_size as f64);
    let pairs = read * seen + read * (read + 1.0) / 2.0;
    2.0 * layers * layer * read + 2.0 * hidden * config.vocab_size as f64 * scored + 4.0 * layers * queries * pairs
}

/// Work that models do, whatever does it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Work {
    pub(crate) read_tokens: f64,
    pub(crate) written_tokens: f64,
    pub(crate) reading_flops: f64,
    pub(crate) writing_flops: f64,
    /// Parameters that writing fetches from memory: all of a model's, for each token of prompts that are continued together.
    pub(crate) fetched_parameters: f64,
}

impl Work {
    /// Reading `count` sequences of `tokens` tokens, of which `scored` are predicted.
    pub(crate) fn reading(config: &LlamaConfig, count: f64, tokens: f64, scored: f64) -> Self {
        let reading_flops = count * forward_flops(config, 0.0, tokens, scored);
        Self { read_tokens: count * tokens, reading_flops, ..Self::default() }
    }

    /// Continuing `count` prompts of `prompt` tokens by `new` tokens each. The first comes of reading the prompt, and nothing
    /// reads the last.
    pub(crate) fn writing(config: &LlamaConfig, count: f64, prompt: f64, new: f64) -> Self {
        let slot = (config.num_hidden_layers * 2 * config.num_key_value_heads * config.head_dim * 4) as f64;
        let by_cache = CACHE_BYTES / slot / (prompt + new);
        let by_logits = LOGITS_BYTES / 4.0 / config.vocab_size as f64;
        let side_by_side = by_cache.min(by_logits).min(MOST_SIDE_BY_SIDE).floor().max(1.0);
        Self {
            written_tokens: count * new,
            writing_flops: count * forward_flops(config, prompt, new - 1.0, new - 1.0),
            fetched_parameters: (count / side_by_side).ceil() * new * config.parameters() as f64,
            ..Self::reading(config, count, prompt, 1.0)
        }
    }

    /// The same `times` over.
    pub(crate) fn times(self, times: f64) -> Self {
        Self {
            read_tokens: times * self.read_tokens,
            written_tokens: times * self.written_tokens,
            reading_flops: times * self.reading_flops,
            writing_flops: times * self.writing_flops,
            fetched_parameters: times * self.fetched_parameters,
        }
    }

    pub(crate) fn flops(&self) -> f64 {
        self.reading_flops + self.writing_flops
    }
}

impl AddAssign for Work {
    fn add_assign(&mut self, other: Self) {
        self.read_tokens += other.read_tokens;
        self.written_tokens += other.written_tokens;
        self.reading_flops += other.reading_flops;
        self.writing_flops += other.writing_flops;
        self.fetched_parameters += other.fetched_parameters;
    }
}

/// `data/hardware.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hardware {
    measured: Measured,
    #[serde(rename = "gpu")]
    gpus: Vec<Gpu>,
}

/// The speed of this code on a processor, and that processor's peaks.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Measured {
    /// The model, by its architecture in `data/checkpoints.toml`.
    architecture: String,
    prompt_tokens: f64,
    reading_tokens_per_second: f64,
    writing_tokens_per_second: f64,
    parameter_bytes: f64,
    peak_flops: f64,
    peak_bytes_per_second: f64,
    /// Input that TIES merges, on one core.
    merged_bytes_per_second: f64,
}

/// A graphics card and its published peaks.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Gpu {
    pub(crate) name: String,
    float32_flops: f64,
    bfloat16_flops: f64,
    bytes_per_second: f64,
    pub(crate) memory_bytes: f64,
    /// How these are known.
    pub(crate) how: String,
}

/// Shares of a processor's peaks that this code reaches, as measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Utilisation {
    /// Of its FLOP/s, while reading.
    pub(crate) flops: f64,
    /// Of the bytes per second of its memory, while writing.
    pub(crate) bytes: f64,
}

impl Hardware {
    /// Reads the file below `root`.
    pub(crate) fn load(root: &Path) -> Result<Self, ExperimentError> {
        Ok(open_toml(&root.join("data/hardware.toml"))?)
    }

    pub(crate) fn gpu(&self, name: &str) -> Result<&Gpu, ExperimentError> {
        self.gpus.iter().find(|gpu| gpu.name == name).ok_or_else(|| ExperimentError::UnknownGpu {
            name: name.into(),
            known: self.gpus.iter().map(|gpu| gpu.name.as_str()).collect::<Vec<_>>().join(", "),
        })
    }

    pub(crate) fn utilisation(&self, checkpoints: &Checkpoints) -> Result<Utilisation, ExperimentError> {
        let measured = &self.measured;
        let config = checkpoints.config(&measured.architecture)?;
        let prompt = forward_flops(config, 0.0, measured.prompt_tokens, 1.0);
        let flops = prompt / measured.prompt_tokens * measured.reading_tokens_per_second;
        let bytes = config.parameters() as f64 * measured.parameter_bytes * measured.writing_tokens_per_second;
        Ok(Utilisation { flops: flops / measured.peak_flops, bytes: bytes / measured.peak_bytes_per_second })
    }

    /// Seconds that one core merges so many bytes of input.
    pub(crate) fn merging_seconds(&self, bytes: f64) -> f64 {
        bytes / self.measured.merged_bytes_per_second
    }
}

impl Gpu {
    /// Seconds in float32, and in bfloat16, at that utilisation.
    pub(crate) fn seconds(&self, work: &Work, utilisation: Utilisation) -> [f64; 2] {
        [(self.float32_flops, 4.0), (self.bfloat16_flops, 2.0)].map(|(peak, parameter_bytes)| {
            let flops = peak * utilisation.flops;
            let fetching = work.fetched_parameters * parameter_bytes / (self.bytes_per_second * utilisation.bytes);
            work.reading_flops / flops + fetching.max(work.writing_flops / flops)
        })
    }
}

#[cfg(test)]
mod tests;
