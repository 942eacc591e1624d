//! LoRA adapters in PEFT's layout (Hu et al. 2021): low-rank products that are added to a model's weights.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use crate::{Checkpoint, CheckpointError, Tensor};

/// File name of an adapter's configuration.
pub const ADAPTER_CONFIG: &str = "adapter_config.json";

/// File name of an adapter's weights.
pub const ADAPTER_WEIGHTS: &str = "adapter_model.safetensors";

/// What PEFT puts before the names of the model's own modules.
const PREFIX: &str = "base_model.model.";

/// Ends of the names of both factors.
const FACTORS: [&str; 2] = [".lora_A.weight", ".lora_B.weight"];

/// Keys that make an adapter something else than low-rank products where they are set.
const UNSUPPORTED: [&str; 6] =
    ["use_dora", "use_qalora", "use_bdlora", "alora_invocation_tokens", "layer_replication", "trainable_token_indices"];

/// What is read of adapter_config.json. PEFT writes dozens of keys; an adapter is rejected where one that changes the
/// result and is not read here is set.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct AdapterConfig {
    /// Rank of the products.
    #[serde(rename = "r")]
    pub rank: usize,
    /// The products are scaled by `alpha / rank`.
    #[serde(rename = "lora_alpha")]
    pub alpha: f64,
    /// Whether they are scaled by `alpha / sqrt(rank)` instead (rank-stabilised LoRA, Kalajdzievski 2023).
    #[serde(default)]
    pub use_rslora: bool,
    /// Whether the model's weights are stored `[in, out]`.
    #[serde(default)]
    pub fan_in_fan_out: bool,
    /// Other ranks, by the end of the module's name.
    #[serde(default)]
    pub rank_pattern: BTreeMap<String, usize>,
    /// Other alphas, by the end of the module's name.
    #[serde(default)]
    pub alpha_pattern: BTreeMap<String, f64>,
    #[serde(default)]
    peft_type: Option<String>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

/// An adapter, opened for reading.
#[derive(Debug)]
pub struct PeftAdapter {
    dir: PathBuf,
    config: AdapterConfig,
    weights: Checkpoint,
    /// For each module of the model, the names of the factors A and B.
    factors: BTreeMap<String, [String; 2]>,
    /// Tensors of the model that the adapter replaces as a whole (PEFT's `modules_to_save`): name there, name here.
    replaced: BTreeMap<String, String>,
}

/// Name of the factor that reads the module's input, `[rank, in]`.
pub fn factor_a(module: &str) -> String {
    format!("{PREFIX}{module}{}", FACTORS[0])
}

/// Name of the factor that writes the module's output, `[out, rank]`.
pub fn factor_b(module: &str) -> String {
    format!("{PREFIX}{module}{}", FACTORS[1])
}

/// The module that the factor `name` is for, if it is a factor.
pub fn module_of_factor(name: &str) -> Option<&str> {
    let module = name.strip_prefix(PREFIX)?;
    FACTORS.iter().find_map(|end| module.strip_suffix(end))
}

impl AdapterConfig {
    fn read(dir: &Path) -> Result<Self, String> {
        let text = std::fs::read(dir.join(ADAPTER_CONFIG)).map_err(|error| error.to_string())?;
        let config: Self = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
        let is_set = |key: &&str| !matches!(config.others.get(*key), None | Some(Value::Null | Value::Bool(false)));
        if let Some(key) = UNSUPPORTED.into_iter().find(|key| is_set(key)) {
            return Err(format!("{key} is set, which is not supported: only plain LoRA is"));
        }
        if let Some(kind) = config.peft_type.as_ref().filter(|kind| *kind != "LORA") {
            return Err(format!("peft_type is {kind:?}, expected \"LORA\""));
        }
        if config.rank == 0 || !config.alpha.is_finite() {
            return Err(format!("r is {} and lora_alpha {}, expected r >= 1", config.rank, config.alpha));
        }
        Ok(config)
    }

    /// The rank of a module's product.
    fn rank_of(&self, module: &str) -> usize {
        pattern(&self.rank_pattern, module).unwrap_or(self.rank)
    }

    /// What a module's product is multiplied by: alpha / rank, or alpha / sqrt(rank) for rank-stabilised LoRA.
    fn scale_of(&self, module: &str) -> f64 {
        let alpha = pattern(&self.alpha_pattern, module).unwrap_or(self.alpha);
        let rank = self.rank_of(module) as f64;
        alpha / if self.use_rslora { rank.sqrt() } else { rank }
    }
}

/// The entry of a pattern that names a module, as PEFT matches it: at the end, after a dot.
fn pattern<T: Copy>(patterns: &BTreeMap<String, T>, module: &str) -> Option<T> {
    let is_match = |key: &str| module == key || module.ends_with(&format!(".{key}"));
    patterns.iter().find(|(key, _)| is_match(key.trim_start_matches('^'))).map(|(_, value)| *value)
}

impl PeftAdapter {
    /// Opens the adapter in `dir`: reads the configuration and the header of the weights.
    ///
    /// # Errors
    /// Files that are missing or broken; an adapter that is more than low-rank products and whole tensors; a product with
    /// one factor only.
    pub fn open(dir: &Path) -> Result<Self, CheckpointError> {
        let reject = |what: String| CheckpointError::Adapter { dir: dir.to_path_buf(), what };
        let config = AdapterConfig::read(dir).map_err(|what| reject(format!("{ADAPTER_CONFIG}: {what}")))?;
        let weights = Checkpoint::open_weights(&dir.join(ADAPTER_WEIGHTS))?;
        let (mut factors, mut replaced) = (BTreeMap::<String, [String; 2]>::new(), BTreeMap::new());
        for name in weights.names() {
            let own = name.strip_prefix(PREFIX).unwrap_or(name);
            let factor = FACTORS.iter().enumerate().find_map(|(at, end)| Some((at, own.strip_suffix(end)?)));
            if let Some((at, module)) = factor {
                factors.entry(module.to_owned()).or_default()[at] = name.to_owned();
            } else if own.contains("lora_") {
                return Err(reject(format!("{name}: only lora_A and lora_B of linear modules are supported")));
            } else {
                replaced.insert(own.to_owned(), name.to_owned());
            }
        }
        if let Some((module, _)) = factors.iter().find(|(_, names)| names.iter().any(String::is_empty)) {
            return Err(reject(format!("tensor {module}.weight has only one of lora_A and lora_B")));
        }
        Ok(Self { dir: dir.to_path_buf(), config, weights, factors, replaced })
    }

    /// Checks that each part belongs to one of the model's tensors and has a shape that fits it.
    ///
    /// # Errors
    /// The first part that does not.
    pub fn check_fits(&self, model: &Checkpoint) -> Result<(), CheckpointError> {
        let factors = self.factors.iter().map(|(module, factors)| self.check_factors(module, factors, model));
        let replaced = self.replaced.iter().map(|(tensor, name)| self.check_replaced(tensor, name, model));
        let what = factors.chain(replaced).find_map(Result::err);
        what.map_or(Ok(()), |what| Err(CheckpointError::Adapter { dir: self.dir.clone(), what }))
    }

    fn check_factors(&self, module: &str, [a, b]: &[String; 2], model: &Checkpoint) -> Result<(), String> {
        let tensor = format!("{module}.weight");
        let shape = |checkpoint: &Checkpoint, name: &str| checkpoint.info(name).map(|info| info.shape.clone());
        let Some(weight) = shape(model, &tensor) else {
            return Err(format!("{a} belongs to {tensor}, which the model does not have"));
        };
        let (a, b) = (shape(&self.weights, a), shape(&self.weights, b));
        let expected = self.config.rank_of(module);
        if let (Some(&[rank, columns]), Some(&[rows, rank_of_b]), &[mut out, mut input]) =
            (a.as_deref(), b.as_deref(), &weight[..])
        {
            if self.config.fan_in_fan_out {
                (out, input) = (input, out);
            }
            if rank == rank_of_b && rank == expected && rows == out && columns == input {
                return Ok(());
            }
        }
        Err(format!("{tensor} has shape {weight:?}, which lora_A {a:?} and lora_B {b:?} of rank {expected} do not fit"))
    }

    fn check_replaced(&self, tensor: &str, name: &str, model: &Checkpoint) -> Result<(), String> {
        match (model.info(tensor), self.weights.info(name)) {
            (Some(expected), Some(got)) if expected.shape == got.shape => Ok(()),
            (Some(expected), Some(got)) => {
                Err(format!("{name}: expected shape {:?} as in the model, got {:?}", expected.shape, got.shape))
            }
            _ => Err(format!("{name} belongs to no tensor of the model")),
        }
    }

    /// What adapter_config.json says.
    pub fn config(&self) -> &AdapterConfig {
        &self.config
    }

    /// The adapter's weights.
    pub fn weights(&self) -> &Checkpoint {
        &self.weights
    }

    /// The modules that get a product.
    pub fn modules(&self) -> impl Iterator<Item = &str> {
        self.factors.keys().map(String::as_str)
    }

    /// Whether it is nothing but products of one rank and scale, for weights stored `[out, in]`.
    pub fn is_uniform(&self) -> bool {
        let AdapterConfig { fan_in_fan_out, rank_pattern, alpha_pattern, .. } = &self.config;
        !fan_in_fan_out && rank_pattern.is_empty() && alpha_pattern.is_empty() && self.replaced.is_empty()
    }

    /// The adapter's own tensor in place of the model's, if it replaces it.
    pub fn replacement(&self, tensor: &str) -> Option<(&Checkpoint, &str)> {
        self.replaced.get(tensor).map(|name| (&self.weights, name.as_str()))
    }

    /// What is added to a tensor of the model, if anything. Reads both factors.
    ///
    /// # Errors
    /// A factor cannot be read.
    pub fn delta(&self, tensor: &str) -> Result<Option<LowRankDelta>, CheckpointError> {
        let Some(module) = tensor.strip_suffix(".weight") else { return Ok(None) };
        let Some([a, b]) = self.factors.get(module) else { return Ok(None) };
        let (a, b) = (self.weights.tensor(a)?, self.weights.tensor(b)?);
        let scale = self.config.scale_of(module) as f32;
        Ok(Some(LowRankDelta { is_transposed: self.config.fan_in_fan_out, ..LowRankDelta::new(&a, &b, scale) }))
    }
}

/// What an adapter adds to one tensor: scale * B A, rows of B by columns of A.
#[derive(Debug)]
pub struct LowRankDelta {
    /// B, `[out, rank]`, times the scale.
    b: Vec<f32>,
    /// A, `[rank, in]`.
    a: Arc<Vec<f32>>,
    rank: usize,
    columns: usize,
    /// Whether the weight is stored `[in, out]`.
    is_transposed: bool,
}

impl LowRankDelta {
    /// `scale * B A` of the factors A `[rank, in]` and B `[out, rank]`, for a weight stored `[out, in]`.
    pub fn new(a: &Tensor, b: &Tensor, scale: f32) -> Self {
        let (rank, columns) = (a.shape[0], a.shape[1]);
        let b = b.data.iter().map(|value| value * scale).collect();
        Self { b, a: Arc::clone(&a.data), rank, columns, is_transposed: false }
    }

    /// Adds the entries from index `start` on to `out`.
    pub fn add_to(&self, start: usize, out: &mut [f32]) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Result<AdapterConfig, String> {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(ADAPTER_CONFIG), text).expect("written");
        AdapterConfig::read(folder.path())
    }

    #[test]
    fn patterns_name_modules_by_their_ends() {
        let text =
            r#"{"r": 4, "lora_alpha": 8, "rank_pattern": {"q_proj": 2}, "alpha_pattern": {"^mlp.up_proj": 1.0}}"#;
        let config = config(text).expect("a configuration");
        let scale = |module: &str| (config.rank_of(module), config.scale_of(module));
        assert_eq!(scale("model.layers.0.self_attn.q_proj"), (2, 4.0));
        assert_eq!(scale("model.layers.0.mlp.up_proj"), (4, 0.25));
        assert_eq!(scale("model.layers.0.self_attn.xq_proj"), (4, 2.0));
        let stabilised = AdapterConfig { use_rslora: true, ..config };
        assert_eq!(stabilised.scale_of("model.layers.0.mlp.down_proj"), 4.0);
    }

    #[test]
    fn what_is_not_plain_lora_is_rejected() {
        for (text, what) in [
            (r#"{"lora_alpha": 8}"#, "missing field `r`"),
            (r#"{"r": 0, "lora_alpha": 8}"#, "expected r >= 1"),
            (r#"{"r": 4, "lora_alpha": 8, "use_dora": true}"#, "use_dora is set"),
            (r#"{"r": 4, "lora_alpha": 8, "peft_type": "IA3"}"#, "peft_type is \"IA3\""),
        ] {
            let message = config(text).unwrap_err();
            assert!(message.contains(what), "{text}: {message}");
        }
        assert!(config(r#"{"r": 4, "lora_alpha": 8, "use_dora": false, "layer_replication": null}"#).is_ok());
    }

    #[test]
    fn factors_are_named_as_in_peft() {
        let [a, b] = [factor_a("m.q_proj"), factor_b("m.q_proj")];
        assert_eq!(
            [a.as_str(), b.as_str()],
            ["base_model.model.m.q_proj.lora_A.weight", "base_model.model.m.q_proj.lora_B.weight"]
        );
        assert_eq!([&a, &b].map(|name| module_of_factor(name)), [Some("m.q_proj"); 2]);
        assert_eq!(module_of_factor("m.q_proj.lora_A.weight"), None);
    }

    #[test]
    fn a_product_is_added_in_any_pieces_and_transposed() {
        let tensor = |shape: [usize; 2], data: &[f32]| Tensor { shape: shape.into(), data: Arc::new(data.to_vec()) };
        let (a, b) = (tensor([1, 3], &[1.0, 2.0, 3.0]), tensor([2, 1], &[10.0, -1.0]));
        let delta = LowRankDelta::new(&a, &b, 2.0);
        let mut whole = [1.0, 0.0, 0.0, 0.0, 0.0, 0.5];
        let mut pieces = whole;
        delta.add_to(0, &mut whole);
        assert_eq!(whole, [21.0, 40.0, 60.0, -2.0, -4.0, -5.5]);
        pieces.chunks_mut(4).enumerate().for_each(|(at, piece)| delta.add_to(4 * at, piece));
        assert_eq!(pieces, whole);
        let mut turned = [0.0; 6];
        LowRankDelta { is_transposed: true, ..delta }.add_to(0, &mut turned);
        assert_eq!(turned, [20.0, -2.0, 40.0, -4.0, 60.0, -6.0]);
    }
}
