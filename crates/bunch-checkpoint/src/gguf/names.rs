//! llama.cpp's names of tensors and Hugging Face's.

/// What a tensor of a GGUF file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Role {
    /// A weight with its Hugging Face name, stored as it is there.
    Weight(String),
    /// A weight of queries, or of keys, with its Hugging Face name; llama.cpp stores its rows in another order.
    Queries(String),
    Keys(String),
    /// What the rotary frequencies are divided by.
    RopeFactors,
}

/// The parts of a layer by both names.
const LAYER: [(&str, &str); 9] = [
    ("attn_q", "self_attn.q_proj"),
    ("attn_k", "self_attn.k_proj"),
    ("attn_v", "self_attn.v_proj"),
    ("attn_output", "self_attn.o_proj"),
    ("ffn_gate", "mlp.gate_proj"),
    ("ffn_up", "mlp.up_proj"),
    ("ffn_down", "mlp.down_proj"),
    ("attn_norm", "input_layernorm"),
    ("ffn_norm", "post_attention_layernorm"),
];

/// What the tensor that llama.cpp calls `name` is in a model of `layers` layers; None if there is no such one.
pub(super) fn role(name: &str, layers: u64) -> Option<Role> {
    match name {
        "token_embd.weight" => return Some(Role::Weight("model.embed_tokens.weight".to_owned())),
        "output_norm.weight" => return Some(Role::Weight("model.norm.weight".to_owned())),
        "output.weight" => return Some(Role::Weight("lm_head.weight".to_owned())),
        "rope_freqs.weight" => return Some(Role::RopeFactors),
        _ => {}
    }
    let (layer, part) = name.strip_prefix("blk.")?.split_once('.')?;
    // In the one spelling that a number has, so that no two names become one.
    let number: u64 = layer.parse().ok().filter(|number: &u64| *number < layers && number.to_string() == layer)?;
    let (part, kind) = part.split_once('.').filter(|(_, kind)| matches!(*kind, "weight" | "bias"))?;
    let (_, theirs) = LAYER.iter().find(|(ours, _)| *ours == part)?;
    let name = format!("model.layers.{number}.{theirs}.{kind}");
    Some(match part {
        "attn_q" => Role::Queries(name),
        "attn_k" => Role::Keys(name),
        _ => Role::Weight(name),
    })
}

#[cfg(test)]
mod tests {
    use super::{Role, role};

    #[test]
    fn names_of_layers_and_of_what_is_around_them() {
        let weight = |name: &str| Some(Role::Weight(name.to_owned()));
        assert_eq!(role("token_embd.weight", 1), weight("model.embed_tokens.weight"));
        assert_eq!(role("output.weight", 1), weight("lm_head.weight"));
        assert_eq!(role("blk.11.ffn_norm.weight", 12), weight("model.layers.11.post_attention_layernorm.weight"));
        assert_eq!(role("blk.0.attn_v.bias", 12), weight("model.layers.0.self_attn.v_proj.bias"));
        let (q, k) = ("model.layers.3.self_attn.q_proj.weight", "model.layers.3.self_attn.k_proj.bias");
        assert_eq!(role("blk.3.attn_q.weight", 12), Some(Role::Queries(q.to_owned())));
        assert_eq!(role("blk.3.attn_k.bias", 12), Some(Role::Keys(k.to_owned())));
    }

    #[test]
    fn other_names_are_refused() {
        for name in ["blk.12.attn_q.weight", "blk.03.attn_q.weight", "blk.+3.attn_q.weight", "blk.3.attn_q", "blk.3"] {
            assert_eq!(role(name, 12), None, "{name}");
        }
        for name in ["blk.3.ffn_gate_exps.weight", "blk.3.attn_q.weight.x", "output.bias", ""] {
            assert_eq!(role(name, 12), None, "{name}");
        }
    }
}
