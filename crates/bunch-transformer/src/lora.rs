//! LoRA adapters as files, in PEFT's layout.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use rand_distr::{Distribution, Uniform};
use serde::{Deserialize, Serialize};
use serde_json::json;

use bunch_checkpoint::{
    ADAPTER_CONFIG, ADAPTER_WEIGHTS, AdapterConfig, CheckpointError, PeftAdapter, StateDict, Tensor, atomic_write,
    factor_a, factor_b,
};

use crate::tensor_shapes::fused_projections;
use crate::{LlamaConfig, LlamaError};

/// A low-rank adapter's shape (Hu et al. 2021); without dropout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoraConfig {
    /// Rank of the product.
    pub rank: usize,
    /// The product is scaled by `alpha / rank`.
    pub alpha: f64,
    /// Whether it is scaled by `alpha / sqrt(rank)` instead (rank-stabilised LoRA, Kalajdzievski 2023).
    #[serde(default)]
    pub use_rslora: bool,
    /// The projections that get an adapter, in every layer: of `q_proj`, `k_proj`, `v_proj`, `o_proj`, `gate_proj`,
    /// `up_proj` and `down_proj`.
    pub target_modules: BTreeSet<String>,
}

/// An adapter: its shape and its factors.
#[derive(Debug, Clone, PartialEq)]
pub struct LoraAdapter {
    /// Rank, scale and where.
    pub config: LoraConfig,
    /// The factors under PEFT's names: `lora_A` is `[rank, in]`, `lora_B` is `[out, rank]`.
    pub factors: StateDict,
}

impl LoraConfig {
    /// What the product is multiplied by.
    pub(crate) fn scale(&self) -> f64 {
        let rank = self.rank as f64;
        self.alpha / if self.use_rslora { rank.sqrt() } else { rank }
    }

    /// Refuses a rank of nothing, a scale that is no number and modules that no model has.
    ///
    /// # Errors
    /// Any of these.
    pub fn check(&self) -> Result<(), LlamaError> {
        if self.rank == 0 || !self.alpha.is_finite() || self.alpha <= 0.0 {
            let what = format!("rank is {} and alpha {}, expected both above 0", self.rank, self.alpha);
            return Err(LlamaError::Adapter(what));
        }
        let known = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];
        if self.target_modules.is_empty() {
            return Err(LlamaError::Adapter(format!("no target modules, expected some of {}", known.join(", "))));
        }
        match self.target_modules.iter().find(|name| !known.contains(&name.as_str())) {
            Some(name) => {
                Err(LlamaError::Adapter(format!("target module `{name}`, expected some of {}", known.join(", "))))
            }
            None => Ok(()),
        }
    }
}

/// Names of all projections, which are what an adapter can be for.
pub(crate) fn module_names(config: &LlamaConfig) -> Vec<String> {
    let layers = 0..config.num_hidden_layers;
    let modules = layers.flat_map(|index| {
        fused_projections(config).into_iter().flat_map(move |projection| {
            let path = projection.path;
            projection.outputs.into_iter().map(move |(name, _)| format!("model.layers.{index}.{path}.{name}"))
        })
    });
    modules.collect()
}

impl LoraAdapter {
    /// A fresh adapter, which adds nothing: B is 0, and A uniform within `1 / sqrt(in)`, Kaiming's bound with PEFT's
    /// `a = sqrt(5)`. Each A draws from its own stream, keyed by `seed` and its name.
    ///
    /// # Errors
    /// An adapter's shape that is out of range.
    pub fn initial(lora: &LoraConfig, config: &LlamaConfig, seed: u64) -> Result<Self, LlamaError> {
        lora.check()?;
        let mut factors = StateDict::new();
        for index in 0..config.num_hidden_layers {
            for projection in fused_projections(config) {
                for (name, out) in projection.outputs.iter().filter(|(name, _)| lora.target_modules.contains(*name)) {
                    let module = format!("model.layers.{index}.{}.{name}", projection.path);
                    let (rank, input) = (lora.rank, projection.input);
                    let bound = 1.0 / (input as f32).sqrt();
                    let uniform = Uniform::new(-bound, bound).expect("finite bounds");
                    let mut stream = bunch_random::stream(seed, &["init", &factor_a(&module)]);
                    let a = (0..rank * input).map(|_| uniform.sample(&mut stream)).collect();
                    factors.insert(factor_a(&module), Tensor { shape: vec![rank, input], data: Arc::new(a) });
                    let b = vec![0.0; out * rank];
                    factors.insert(factor_b(&module), Tensor { shape: vec![*out, rank], data: Arc::new(b) });
                }
            }
        }
        Ok(Self { config: lora.clone(), factors })
    }

    /// Reads an adapter in PEFT's layout, whose factors all have one rank and scale.
    ///
    /// # Errors
    /// Files that are missing or cannot be understood, and an adapter that is more than that.
    pub fn open(dir: &Path) -> Result<Self, LlamaError> {
        let adapter = PeftAdapter::open(dir)?;
        if !adapter.is_uniform() {
            let what = "has ranks or scales by module, or more than low-rank products, which only merging supports";
            return Err(LlamaError::Adapter(format!("{}: {what}", dir.display())));
        }
        // What `target_modules` says may be a pattern; the modules with factors are what it came to.
        let target_modules = adapter.modules().filter_map(|module| module.rsplit('.').next()).map(str::to_owned);
        let &AdapterConfig { rank, alpha, use_rslora, .. } = adapter.config();
        let config = LoraConfig { rank, alpha, use_rslora, target_modules: target_modules.collect() };
        config.check()?;
        Ok(Self { config, factors: adapter.factors()? })
    }

    /// Writes the adapter in PEFT's layout to the folder `dir`, which is made if it is not there; `base_model` is what the
    /// configuration names as the model that it belongs to. Each file is there in full or not at all.
    ///
    /// # Errors
    /// Factors that do not fill their shapes; failing I/O.
    pub fn write(&self, dir: &Path, base_model: &str) -> Result<(), LlamaError> {
        let io = |source| CheckpointError::Io { path: dir.to_path_buf(), source };
        std::fs::create_dir_all(dir).map_err(io)?;
        let mut views = BTreeMap::new();
        for (name, tensor) in &self.factors {
            let bytes: &[u8] = bytemuck::cast_slice(&tensor.data);
            let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, tensor.shape.clone(), bytes);
            views.insert(name.clone(), view.map_err(|error| LlamaError::Adapter(format!("{name}: {error}")))?);
        }
        let metadata = [("format".to_string(), "pt".to_string())].into();
        let bytes = safetensors::serialize(views, Some(metadata)).map_err(|e| LlamaError::Adapter(e.to_string()))?;
        atomic_write(&dir.join(ADAPTER_WEIGHTS), &bytes)?;
        let LoraConfig { rank, alpha, use_rslora, target_modules } = &self.config;
        // Python's integers and floats are one type to PEFT; whole numbers are written as it writes them.
        let alpha = if alpha.fract() == 0.0 { json!(*alpha as i64) } else { json!(alpha) };
        let config = json!({
            "peft_type": "LORA",
            "task_type": "CAUSAL_LM",
            "base_model_name_or_path": base_model,
            "r": rank,
            "lora_alpha": alpha,
            "lora_dropout": 0.0,
            "use_rslora": use_rslora,
            "use_dora": false,
            "bias": "none",
            "fan_in_fan_out": false,
            "inference_mode": true,
            "init_lora_weights": true,
            "modules_to_save": null,
            "target_modules": target_modules,
        });
        let text = serde_json::to_string_pretty(&config).expect("plain data") + "\n";
        Ok(atomic_write(&dir.join(ADAPTER_CONFIG), text.as_bytes())?)
    }
}
