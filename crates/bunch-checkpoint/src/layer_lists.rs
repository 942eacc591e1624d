//! Which of a model's tensors are its language model's layers, and which are not learned at all.

use std::collections::{BTreeMap, BTreeSet};

use crate::TensorName;

/// What occurs in the names of lists of layers that do not read or write text, and of layers for further tokens.
const OTHER_MODULES: [&str; 12] = [
    "vision",
    "visual",
    "vit",
    "image",
    "video",
    "audio",
    "speech",
    "tower",
    "projector",
    "resampler",
    "qformer",
    "mtp",
];

/// What occurs in the names of the language model's layers where there are others without a telling name.
const LANGUAGE_MODULES: [&str; 3] = ["language_model", "text_model", "llm"];

/// The lists of layers of the model that writes text, among those in tensor `names`. A model of one list has this one;
/// one with an encoder and a decoder has both.
pub fn text_layer_lists<'a>(names: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    let all: BTreeSet<String> = names.filter_map(|name| TensorName::of(name).layer).map(|layer| layer.list).collect();
    let of_text = |list: &&String| !OTHER_MODULES.iter().any(|module| list.contains(module));
    let text: BTreeSet<String> = all.iter().filter(of_text).cloned().collect();
    if text.is_empty() {
        return all;
    }
    let is_language = |list: &&String| LANGUAGE_MODULES.iter().any(|module| list.contains(module));
    let language: BTreeSet<String> = text.iter().filter(is_language).cloned().collect();
    if language.is_empty() { text } else { language }
}

/// Whether a tensor is computed from config.json when a model is loaded, and not learned: rotary frequencies, causal masks,
/// numbers of positions. Versions of transformers before 4.31 saved them.
pub fn is_computed_buffer(tensor: &str, shape: &[usize]) -> bool {
    let mut parts = tensor.rsplit('.');
    let (Some(last), before) = (parts.next(), parts.next()) else { return false };
    match last {
        "inv_freq" | "original_inv_freq" | "cos_cached" | "sin_cached" | "causal_mask" => true,
        // Sinusoids; learned positions are called `weight`.
        "weights" => before == Some("embed_positions"),
        "position_ids" | "token_type_ids" => before == Some("embeddings"),
        "masked_bias" => matches!(before, Some("attn" | "attention" | "self_attn")),
        // A causal mask; a learned bias has one dimension.
        "bias" => shape.len() == 4 && matches!(before, Some("attn" | "attention" | "self_attn")),
        _ => false,
    }
}

/// How many computed buffers of each kind there are, by the ends of their names: `rotary_emb.inv_freq`.
pub fn computed_buffers<'a>(names: impl Iterator<Item = (&'a str, &'a [usize])>) -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    for (name, _) in names.filter(|(name, shape)| is_computed_buffer(name, shape)) {
        let start = name.rmatch_indices('.').nth(1).map_or(0, |(at, _)| at + 1);
        *kinds.entry(name[start..].to_owned()).or_insert(0) += 1;
    }
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_of_text_are_told_from_others() {
        let lists = |names: &[&str]| text_layer_lists(names.iter().copied()).into_iter().collect::<Vec<_>>();
        assert_eq!(lists(&["model.layers.0.x"]), ["model.layers"]);
        assert_eq!(
            lists(&["model.visual.blocks.3.x", "model.language_model.layers.1.x", "model.norm.weight"]),
            ["model.language_model.layers"]
        );
        assert_eq!(lists(&["encoder.block.0.x", "decoder.block.0.x"]), ["decoder.block", "encoder.block"]);
        assert_eq!(lists(&["vision_model.encoder.layers.0.x"]), ["vision_model.encoder.layers"]);
        assert_eq!(lists(&["mtp.layers.0.x", "model.layers.0.x"]), ["model.layers"]);
        assert_eq!(lists(&["qwen.blocks.0.x", "language_model.model.layers.0.x"]), ["language_model.model.layers"]);
    }

    #[test]
    fn buffers_are_known_by_name_and_shape() {
        for (name, shape) in [
            ("model.layers.0.self_attn.rotary_emb.inv_freq", &[4][..]),
            ("gpt_neox.layers.0.attention.masked_bias", &[]),
            ("transformer.h.0.attn.bias", &[1, 1, 8, 8]),
            ("bert.embeddings.position_ids", &[1, 8]),
        ] {
            assert!(is_computed_buffer(name, shape), "{name}");
        }
        for (name, shape) in [
            ("transformer.h.0.attn.bias", &[8][..]),
            ("transformer.h.0.attn.c_attn.bias", &[8]),
            ("model.position_ids", &[8]),
            ("lm_head.weight", &[4, 4]),
        ] {
            assert!(!is_computed_buffer(name, shape), "{name}");
        }
    }
}
