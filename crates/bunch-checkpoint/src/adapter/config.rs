//! adapter_config.json, as PEFT reads it.

use std::path::Path;

use fancy_regex::Regex;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::ADAPTER_CONFIG;

/// Keys that make an adapter something else than low-rank products where they are set.
const UNSUPPORTED: [&str; 9] = [
    "use_dora",
    "use_qalora",
    "use_bdlora",
    "alora_invocation_tokens",
    "layer_replication",
    "trainable_token_indices",
    "target_parameters",
    "lora_bias",
    "arrow_config",
];

/// The values of `init_lora_weights` that leave the base as it is when training begins. true and false do, too.
const HARMLESS_STARTS: [&str; 3] = ["gaussian", "orthogonal", "eva"];

/// What is read of adapter_config.json. PEFT writes dozens of keys; an adapter is rejected where one that changes the
/// result and is not read here is set.
#[derive(Debug, Clone)]
pub struct AdapterConfig {
    /// Rank of the products.
    pub rank: usize,
    /// The products are scaled by `alpha / rank`.
    pub alpha: f64,
    /// Whether they are scaled by `alpha / sqrt(rank)` instead (rank-stabilised LoRA, Kalajdzievski 2023).
    pub use_rslora: bool,
    /// Whether the model's weights are stored `[in, out]`.
    pub fan_in_fan_out: bool,
    /// Whether an output projection that shares its weights with the embedding is trained with it.
    pub(super) ensure_weight_tying: bool,
    rank_pattern: Patterns<usize>,
    alpha_pattern: Patterns<f64>,
}

/// The file as it is written: every key may be null, which stands for its absence.
#[derive(Deserialize)]
struct Written {
    #[serde(rename = "r")]
    rank: Option<usize>,
    #[serde(rename = "lora_alpha")]
    alpha: Option<f64>,
    use_rslora: Option<bool>,
    fan_in_fan_out: Option<bool>,
    ensure_weight_tying: Option<bool>,
    rank_pattern: Option<Map<String, Value>>,
    alpha_pattern: Option<Map<String, Value>>,
    peft_type: Option<String>,
    init_lora_weights: Option<Value>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

/// Values by patterns of module names, in the order of the file.
#[derive(Debug, Clone)]
struct Patterns<T>(Vec<(Regex, T)>);

impl<T: Copy> Patterns<T> {
    /// Compiles the patterns of `key`; JSON objects keep the order of the file.
    fn new(
        key: &str,
        written: Option<Map<String, Value>>,
        number: impl Fn(&Value) -> Option<T>,
    ) -> Result<Self, String> {
        let compile = |(pattern, value): (String, Value)| {
            let number = number(&value);
            let value = number.ok_or_else(|| format!("{key}: expected a number for {pattern:?}, got {value}"))?;
            // PEFT calls re.match with this, which begins at the beginning.
            let regex = Regex::new(&format!(r"^(?:(?:.*\.)?({pattern})$)"));
            let regex = regex.map_err(|error| {
                format!("{key}: {pattern:?} is expected to be a regular expression of module names: {error}")
            })?;
            Ok((regex, value))
        };
        let patterns: Result<_, String> = written.into_iter().flatten().map(compile).collect();
        patterns.map(Self)
    }

    /// The value of the first pattern that matches a module's whole name, or the end of it after a dot.
    fn find(&self, module: &str) -> Option<T> {
        // A pattern that backtracks without end counts as one that does not match, as it would never return in Python.
        self.0.iter().find(|(regex, _)| regex.is_match(module).unwrap_or(false)).map(|(_, value)| *value)
    }
}

impl AdapterConfig {
    pub(super) fn read(dir: &Path) -> Result<Self, String> {
        let text = std::fs::read(dir.join(ADAPTER_CONFIG)).map_err(|error| error.to_string())?;
        let written: Written = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
        if let Some(kind) = written.peft_type.as_ref().filter(|kind| *kind != "LORA") {
            return Err(format!("peft_type is {kind:?}, expected \"LORA\""));
        }
        check_start(written.init_lora_weights.as_ref())?;
        let is_set = |key: &&str| written.others.get(*key).is_some_and(is_set);
        if let Some(key) = UNSUPPORTED.into_iter().find(|key| is_set(key)) {
            return Err(format!("{key} is set, which is not supported: only plain LoRA is"));
        }
        let missing = |key: &str| format!("missing field `{key}`");
        let (rank, alpha) =
            (written.rank.ok_or_else(|| missing("r"))?, written.alpha.ok_or_else(|| missing("lora_alpha"))?);
        if rank == 0 || !alpha.is_finite() {
            return Err(format!("r is {rank} and lora_alpha {alpha}, expected r >= 1"));
        }
        Ok(Self {
            rank,
            alpha,
            use_rslora: written.use_rslora.unwrap_or(false),
            fan_in_fan_out: written.fan_in_fan_out.unwrap_or(false),
            ensure_weight_tying: written.ensure_weight_tying.unwrap_or(false),
            rank_pattern: Patterns::new("rank_pattern", written.rank_pattern, |value| {
                usize::try_from(value.as_u64()?).ok().filter(|rank| *rank > 0)
            })?,
            alpha_pattern: Patterns::new("alpha_pattern", written.alpha_pattern, Value::as_f64)?,
        })
    }

    /// The rank of a module's product.
    pub(super) fn rank_of(&self, module: &str) -> usize {
        self.rank_pattern.find(module).unwrap_or(self.rank)
    }

    /// What a module's product is multiplied by: alpha / rank, or alpha / sqrt(rank) for rank-stabilised LoRA.
    pub(super) fn scale_of(&self, module: &str) -> f64 {
        let alpha = self.alpha_pattern.find(module).unwrap_or(self.alpha);
        let rank = self.rank_of(module) as f64;
        alpha / if self.use_rslora { rank.sqrt() } else { rank }
    }

    /// Whether all products have one rank and scale.
    pub(super) fn is_uniform(&self) -> bool {
        self.rank_pattern.0.is_empty() && self.alpha_pattern.0.is_empty()
    }
}

/// Whether a key is set to something that counts in Python.
fn is_set(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(values) => !values.is_empty(),
        Value::Object(map) => !map.is_empty(),
        Value::Bool(true) | Value::Number(_) => true,
    }
}

/// Rejects an adapter that was trained on a base which its initialisation had changed: its product is relative to that
/// base and not to the published one.
fn check_start(start: Option<&Value>) -> Result<(), String> {
    let name = match start {
        None | Some(Value::Null | Value::Bool(_)) => return Ok(()),
        Some(Value::String(name)) if HARMLESS_STARTS.contains(&name.to_lowercase().as_str()) => return Ok(()),
        Some(Value::String(name)) => name.clone(),
        Some(other) => other.to_string(),
    };
    Err(format!(
        "init_lora_weights is {name:?}, which changes the base before training begins, so that the adapter does not \
         belong to the base as it is published; expected true, false, \"gaussian\", \"orthogonal\" or \"eva\". Convert it \
         with PEFT: save_pretrained(DIR, path_initial_model_for_weight_conversion=INITIAL), or merge it there"
    ))
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
    fn patterns_are_regular_expressions_and_the_first_in_the_file_counts() {
        let text = r#"{"r": 4, "lora_alpha": 8, "rank_pattern": {"q_proj": 2},
            "alpha_pattern": {"z.*": 5, "^mlp.up_proj": 1.0, "mlp\\.(up|gate)_proj": 2.0, "gate_proj": 4.0}}"#;
        let config = config(text).expect("a configuration");
        let scale = |module: &str| (config.rank_of(module), config.scale_of(module));
        assert_eq!(scale("model.layers.0.self_attn.q_proj"), (2, 4.0));
        assert_eq!(scale("model.layers.0.self_attn.xq_proj"), (4, 2.0));
        assert_eq!(scale("model.layers.0.mlp.up_proj"), (4, 0.5));
        assert_eq!(scale("model.layers.0.mlp.gate_proj"), (4, 0.5));
        assert_eq!(scale("mlp.up_proj"), (4, 0.25));
        assert_eq!(scale("x.gate_proj"), (4, 1.0));
        let stabilised = AdapterConfig { use_rslora: true, ..config };
        assert_eq!(stabilised.scale_of("model.layers.0.mlp.down_proj"), 4.0);
    }

    #[test]
    fn what_is_not_plain_lora_is_rejected() {
        for (text, what) in [
            (r#"{"lora_alpha": 8}"#, "missing field `r`"),
            (r#"{"r": 0, "lora_alpha": 8}"#, "expected r >= 1"),
            (r#"{"r": 4, "lora_alpha": 8, "use_dora": true}"#, "use_dora is set"),
            (r#"{"r": 4, "lora_alpha": 8, "lora_bias": true}"#, "lora_bias is set"),
            (r#"{"r": 4, "lora_alpha": 8, "target_parameters": ["x"]}"#, "target_parameters is set"),
            (r#"{"r": 4, "lora_alpha": 8, "peft_type": "IA3"}"#, "peft_type is \"IA3\""),
            (r#"{"r": 4, "lora_alpha": 8, "init_lora_weights": "corda"}"#, "init_lora_weights is \"corda\""),
            (r#"{"r": 4, "lora_alpha": 8, "init_lora_weights": "pissa_niter_4"}"#, "\"pissa_niter_4\""),
            (r#"{"r": 4, "lora_alpha": 8, "alpha_pattern": {"(": 1}}"#, "alpha_pattern: \"(\""),
        ] {
            let message = config(text).unwrap_err();
            assert!(message.contains(what), "{text}: {message}");
        }
        for accepted in [
            r#"{"r": 4, "lora_alpha": 8, "use_dora": false, "layer_replication": null, "target_parameters": []}"#,
            r#"{"r": 4, "lora_alpha": 8, "init_lora_weights": "Gaussian", "rank_pattern": null, "use_rslora": null}"#,
            r#"{"r": 4, "lora_alpha": 8, "init_lora_weights": "eva", "eva_config": {"rho": 2.0}}"#,
        ] {
            assert!(config(accepted).is_ok(), "{accepted}");
        }
    }
}
