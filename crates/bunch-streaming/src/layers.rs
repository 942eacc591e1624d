//! Where a tensor stands in a model, read from its name.

/// Where a tensor stands in a model: whatever the architecture, layers are numbered in the names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// Before the layers: embeddings.
    Before,
    /// In a layer: its index, and the name around it.
    Layer {
        /// Counted from 0.
        index: usize,
        /// The name up to the index: `model.layers.`.
        prefix: String,
        /// The name after the index: `.mlp.up_proj.weight`.
        suffix: String,
    },
    /// After the layers: the final norm, the output projection.
    After,
}

/// What comes right before a layer's index in the names of the architectures in use.
const LAYER_LISTS: [&str; 5] = ["layers", "h", "blocks", "block", "layer"];

/// What the names of input embeddings hold.
const EMBEDDINGS: [&str; 6] = ["embed_tokens", "embed_in", "word_embeddings", "tok_embeddings", "wte", "wpe"];

/// What the names of output projections onto the vocabulary begin or end with.
const OUTPUTS: [&str; 3] = ["lm_head.weight", "embed_out.weight", "output.weight"];

impl Place {
    /// The place of the tensor of this name.
    pub(crate) fn of(tensor: &str) -> Self {
        let mut start = 0;
        let mut previous = "";
        for part in tensor.split('.') {
            if LAYER_LISTS.contains(&previous)
                && let Ok(index) = part.parse()
            {
                let (prefix, rest) = tensor.split_at(start);
                let suffix = &rest[part.len()..];
                return Self::Layer { index, prefix: prefix.into(), suffix: suffix.into() };
            }
            start += part.len() + 1;
            previous = part;
        }
        if is_embedding(tensor) { Self::Before } else { Self::After }
    }
}

fn is_embedding(tensor: &str) -> bool {
    tensor.split('.').any(|part| EMBEDDINGS.contains(&part))
}

/// Whether the tensor's rows are the vocabulary's tokens.
pub(crate) fn is_vocabulary(tensor: &str) -> bool {
    let is_output = |name: &&str| tensor == *name || tensor.ends_with(&format!(".{name}"));
    let in_layer = matches!(Place::of(tensor), Place::Layer { .. });
    let is_position = tensor.split('.').any(|part| part == "wpe");
    !in_layer && !is_position && (is_embedding(tensor) || OUTPUTS.iter().any(is_output))
}

/// The tensor that stands in for an output projection which the model shares with its input embeddings.
pub(crate) fn tied_to<'a>(tensor: &str, mut names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let is_output = OUTPUTS.iter().any(|name| tensor.ends_with(name)) && !is_embedding(tensor);
    names.find(|name| is_output && is_embedding(name) && is_vocabulary(name) && name.ends_with(".weight"))
}

#[cfg(test)]
mod tests {
    use super::{Place, is_vocabulary, tied_to};

    fn layer(index: usize, prefix: &str, suffix: &str) -> Place {
        Place::Layer { index, prefix: prefix.into(), suffix: suffix.into() }
    }

    #[test]
    fn names_of_several_architectures() {
        assert_eq!(Place::of("model.layers.12.mlp.up_proj.weight"), layer(12, "model.layers.", ".mlp.up_proj.weight"));
        assert_eq!(Place::of("transformer.h.3.attn.c_attn.bias"), layer(3, "transformer.h.", ".attn.c_attn.bias"));
        assert_eq!(Place::of("gpt_neox.layers.0.mlp.w"), layer(0, "gpt_neox.layers.", ".mlp.w"));
        // Of an expert's number and a layer's, the layer's counts.
        let mixture = "model.layers.1.block_sparse_moe.experts.7.w1.weight";
        assert_eq!(Place::of(mixture), layer(1, "model.layers.", ".block_sparse_moe.experts.7.w1.weight"));
        assert_eq!(Place::of("model.embed_tokens.weight"), Place::Before);
        assert_eq!(Place::of("model.norm.weight"), Place::After);
        assert_eq!(Place::of("lm_head.weight"), Place::After);
        assert_eq!(Place::of(""), Place::After);
    }

    #[test]
    fn vocabulary_tensors_are_known_by_name() {
        for name in ["model.embed_tokens.weight", "lm_head.weight", "transformer.wte.weight", "embed_out.weight"] {
            assert!(is_vocabulary(name), "{name}");
        }
        for name in ["model.norm.weight", "transformer.wpe.weight", "model.layers.0.attention.output.weight"] {
            assert!(!is_vocabulary(name), "{name}");
        }
        let names = ["model.norm.weight", "model.embed_tokens.weight"];
        assert_eq!(tied_to("lm_head.weight", names.into_iter()), Some("model.embed_tokens.weight"));
        assert_eq!(tied_to("model.norm.weight", names.into_iter()), None);
    }
}
