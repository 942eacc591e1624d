//! LoRA adapters in PEFT's layout (Hu et al. 2021): a low-rank product that is added to a weight.

use bunch_checkpoint::{Checkpoint, CheckpointError};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

use crate::error::StreamingError;

/// The adapter's configuration.
const CONFIG_FILE: &str = "adapter_config.json";

/// The adapter's weights.
const WEIGHTS_FILE: &str = "adapter_model.safetensors";

/// What PEFT puts before the names of the model's own modules.
const PREFIX: &str = "base_model.model.";

/// What is read of adapter_config.json. PEFT writes dozens of keys; those that change the result and are not read here
/// are refused where they are set.
#[derive(Debug, Deserialize)]
struct Config {
    r: usize,
    lora_alpha: f64,
    #[serde(default)]
    use_rslora: bool,
    #[serde(default)]
    fan_in_fan_out: bool,
    #[serde(default)]
    rank_pattern: BTreeMap<String, usize>,
    #[serde(default)]
    alpha_pattern: BTreeMap<String, f64>,
    #[serde(default)]
    peft_type: Option<String>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

/// Keys that make an adapter something else than a low-rank product where they are set.
const UNSUPPORTED: [&str; 6] =
    ["use_dora", "use_qalora", "use_bdlora", "alora_invocation_tokens", "layer_replication", "trainable_token_indices"];

/// An adapter, opened for reading.
#[derive(Debug)]
pub(crate) struct LoraAdapter {
    config: Config,
    weights: Checkpoint,
    /// For each tensor of the model, the names of the factors A and B.
    factors: BTreeMap<String, (String, String)>,
    /// Tensors of the model that the adapter replaces as a whole (PEFT's `modules_to_save`): name here, name there.
    replaced: BTreeMap<String, String>,
}

/// What an adapter adds to one tensor: scale * B A, rows of B by columns of A.
#[derive(Debug)]
pub(crate) struct LoraDelta {
    /// B, `[out, r]`, times the scale.
    b: Vec<f32>,
    /// A, `[r, in]`.
    a: Vec<f32>,
    rank: usize,
    columns: usize,
    /// Whether the weight is stored `[in, out]`.
    is_transposed: bool,
}

impl LoraAdapter {
    /// Opens the adapter in `dir` and checks that each part belongs to one of the model's tensors.
    pub(crate) fn open(dir: &Path, model: &Checkpoint) -> Result<Self, StreamingError> {
        let refuse = |reason: String| StreamingError::Adapter { dir: dir.to_path_buf(), reason };
        let path = dir.join(CONFIG_FILE);
        let text = std::fs::read(&path).map_err(|error| refuse(format!("{CONFIG_FILE}: {error}")))?;
        let config: Config =
            serde_json::from_slice(&text).map_err(|error| refuse(format!("{CONFIG_FILE}: {error}")))?;
        let is_set = |key: &&str| !matches!(config.others.get(*key), None | Some(Value::Null | Value::Bool(false)));
        if let Some(key) = UNSUPPORTED.into_iter().find(|key| is_set(key)) {
            return Err(refuse(format!("{key} is set, which is not supported: only plain LoRA is")));
        }
        if config.peft_type.as_deref().is_some_and(|kind| kind != "LORA") {
            return Err(refuse(format!("peft_type is {:?}, expected \"LORA\"", config.peft_type.unwrap_or_default())));
        }
        if config.r == 0 || !config.lora_alpha.is_finite() {
            return Err(refuse(format!("r is {} and lora_alpha {}, expected r >= 1", config.r, config.lora_alpha)));
        }
        let weights = Checkpoint::open_weights(&dir.join(WEIGHTS_FILE))?;
        let mut adapter = Self { config, weights, factors: BTreeMap::new(), replaced: BTreeMap::new() };
        let names: Vec<String> = adapter.weights.names().map(str::to_owned).collect();
        for name in names {
            adapter.assign(&name, model).map_err(refuse)?;
        }
        for (tensor, (a, b)) in &adapter.factors {
            if a.is_empty() || b.is_empty() {
                return Err(refuse(format!("tensor {tensor} has only one of lora_A and lora_B")));
            }
            adapter.check(tensor, model).map_err(refuse)?;
        }
        Ok(adapter)
    }

    /// Finds the model's tensor that a tensor of the adapter belongs to.
    fn assign(&mut self, name: &str, model: &Checkpoint) -> Result<(), String> {
        let own = name.strip_prefix(PREFIX).unwrap_or(name);
        for (mark, is_a) in [(".lora_A.weight", true), (".lora_B.weight", false)] {
            if let Some(module) = own.strip_suffix(mark) {
                let tensor = format!("{module}.weight");
                if model.info(&tensor).is_none() {
                    return Err(format!("{name} belongs to {tensor}, which the model does not have"));
                }
                let (a, b) = self.factors.entry(tensor).or_default();
                *(if is_a { a } else { b }) = name.to_owned();
                return Ok(());
            }
        }
        if own.contains("lora_") {
            return Err(format!("{name}: only lora_A and lora_B of linear modules are supported"));
        }
        match (model.info(own), self.weights.info(name)) {
            (Some(expected), Some(got)) if expected.shape == got.shape => {
                self.replaced.insert(own.to_owned(), name.to_owned());
                Ok(())
            }
            (Some(expected), Some(got)) => {
                Err(format!("{name}: expected shape {:?} as in the model, got {:?}", expected.shape, got.shape))
            }
            _ => Err(format!("{name} belongs to no tensor of the model")),
        }
    }

    /// Checks the shapes of a tensor's factors.
    fn check(&self, tensor: &str, model: &Checkpoint) -> Result<(), String> {
        let (a, b) = &self.factors[tensor];
        let shape = |checkpoint: &Checkpoint, name: &str| checkpoint.info(name).map(|info| info.shape.clone());
        let (a, b, weight) = (shape(&self.weights, a), shape(&self.weights, b), shape(model, tensor));
        if let (Some(&[rank, columns]), Some(&[rows, rank_of_b]), Some(&[mut out, mut input])) =
            (a.as_deref(), b.as_deref(), weight.as_deref())
        {
            if self.config.fan_in_fan_out {
                (out, input) = (input, out);
            }
            if rank == rank_of_b && rank == self.rank(tensor) && rows == out && columns == input {
                return Ok(());
            }
        }
        Err(format!(
            "{tensor} has shape {weight:?}, which lora_A {a:?} and lora_B {b:?} of rank {} do not fit",
            self.rank(tensor)
        ))
    }

    /// The entry of a pattern that names the module of a tensor, as PEFT matches it: at the end, after a dot.
    fn pattern<T: Copy>(patterns: &BTreeMap<String, T>, tensor: &str) -> Option<T> {
        let module = tensor.strip_suffix(".weight").unwrap_or(tensor);
        let is_match = |key: &str| module == key || module.ends_with(&format!(".{key}"));
        patterns.iter().find(|(key, _)| is_match(key.trim_start_matches('^'))).map(|(_, value)| *value)
    }

    fn rank(&self, tensor: &str) -> usize {
        Self::pattern(&self.config.rank_pattern, tensor).unwrap_or(self.config.r)
    }

    /// lora_alpha / r, or lora_alpha / sqrt(r) for rank-stabilised LoRA.
    fn scale(&self, tensor: &str) -> f64 {
        let alpha = Self::pattern(&self.config.alpha_pattern, tensor).unwrap_or(self.config.lora_alpha);
        let rank = self.rank(tensor) as f64;
        alpha / if self.config.use_rslora { rank.sqrt() } else { rank }
    }

    /// The adapter's own tensor in place of the model's, if it replaces it.
    pub(crate) fn replacement(&self, tensor: &str) -> Option<(&Checkpoint, &str)> {
        self.replaced.get(tensor).map(|name| (&self.weights, name.as_str()))
    }

    /// What is added to a tensor of the model, if anything. Reads both factors.
    pub(crate) fn delta(&self, tensor: &str) -> Result<Option<LoraDelta>, CheckpointError> {
        let Some((a, b)) = self.factors.get(tensor) else { return Ok(None) };
        let (a, b) = (self.weights.tensor(a)?, self.weights.tensor(b)?);
        let (rank, columns) = (a.shape[0], a.shape[1]);
        let scale = self.scale(tensor) as f32;
        let b = b.data.iter().map(|value| value * scale).collect();
        let is_transposed = self.config.fan_in_fan_out;
        Ok(Some(LoraDelta { b, a: a.data.to_vec(), rank, columns, is_transposed }))
    }

    /// The adapter's weights.
    pub(crate) fn weights(&self) -> &Checkpoint {
        &self.weights
    }
}

impl LoraDelta {
    /// Adds the entries from index `start` on to `out`.
    pub(crate) fn add_to(&self, start: usize, out: &mut [f32]) {
        if self.is_transposed {
            let rows = self.b.len() / self.rank;
            for (index, out) in (start..).zip(out) {
                let (column, row) = (index / rows, index % rows);
                let terms = (0..self.rank).map(|k| self.b[row * self.rank + k] * self.a[k * self.columns + column]);
                *out += terms.sum::<f32>();
            }
            return;
        }
        let (mut start, mut out) = (start, out);
        let mut sums = Vec::new();
        while !out.is_empty() {
            let (row, column) = (start / self.columns, start % self.columns);
            let len = (self.columns - column).min(out.len());
            let (now, later) = out.split_at_mut(len);
            sums.clear();
            sums.resize(len, 0.0_f32);
            for k in 0..self.rank {
                let factor = self.b[row * self.rank + k];
                let a = &self.a[k * self.columns + column..][..len];
                sums.iter_mut().zip(a).for_each(|(sum, a)| *sum += factor * a);
            }
            now.iter_mut().zip(&sums).for_each(|(out, sum)| *out += sum);
            (start, out) = (start + len, later);
        }
    }
}
