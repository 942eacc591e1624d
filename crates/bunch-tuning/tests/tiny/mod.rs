//! A model small enough to be trained in a test, and its adapter.

use bunch_transformer::{Family, LlamaConfig, LlamaModel, LoraConfig};
use bunch_tuning::{Decision, SftConfig, TuningError};

/// What a test looks at on the way.
pub type Check<'a> = &'a mut dyn FnMut(usize, &LlamaModel) -> Result<Decision, TuningError>;

pub fn config() -> LlamaConfig {
    LlamaConfig {
        family: Family::Llama,
        vocab_size: 40,
        hidden_size: 32,
        intermediate_size: 48,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        head_dim: 8,
        max_position_embeddings: 32,
        rms_norm_eps: 1e-5,
        rope_theta: 10_000.0,
        rope_scaling: None,
        tie_word_embeddings: true,
        qkv_bias: false,
        o_bias: false,
        mlp_bias: false,
        sliding_windows: Vec::new(),
    }
}

/// The same training, of an adapter.
pub fn of_adapter(sft: SftConfig) -> SftConfig {
    let target_modules = ["q_proj", "v_proj", "down_proj"].map(String::from).into();
    SftConfig { lora: Some(LoraConfig { rank: 4, alpha: 8.0, use_rslora: false, target_modules }), ..sft }
}
