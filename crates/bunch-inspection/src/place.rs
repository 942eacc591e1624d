//! Where a tensor stands in a model, read from its name.

use std::fmt;

/// Where a tensor stands in a model: whatever the architecture, layers are numbered in the names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TensorPlace {
    /// The layer it belongs to; None outside of the layers.
    pub layer: Option<Layer>,
    /// What it is there: the name after the layer's index, without `.weight` (`self_attn.q_proj`, `mlp.up_proj.bias`);
    /// outside of the layers the name without `.weight` and without `model.` or `transformer.` in front (`embed_tokens`,
    /// `norm`, `lm_head`).
    pub module: String,
}

/// One of a model's layers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Layer {
    /// The name up to the index: `model.layers`. A model with several towers has several lists of layers.
    pub list: String,
    /// Counted from 0.
    pub index: usize,
}

/// As in tensor names: `model.layers.7`.
impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.list, self.index)
    }
}

/// What comes right before a layer's index in the names of the architectures in use.
const LAYER_LISTS: [&str; 5] = ["layers", "h", "blocks", "block", "layer"];

/// What the names of input embeddings hold.
const EMBEDDINGS: [&str; 5] = ["embed_tokens", "embed_in", "word_embeddings", "tok_embeddings", "wte"];

/// What the names of output projections onto the vocabulary are or end with.
const OUTPUTS: [&str; 3] = ["lm_head.weight", "embed_out.weight", "output.weight"];

/// What stands before names outside of the layers and says nothing.
const WRAPPERS: [&str; 2] = ["model.", "transformer."];

impl TensorPlace {
    /// The place of the tensor of this name.
    pub fn of(tensor: &str) -> Self {
        let (mut start, mut previous) = (0, "");
        for part in tensor.split('.') {
            if LAYER_LISTS.contains(&previous)
                && part.bytes().all(|byte| byte.is_ascii_digit())
                && let Ok(index) = part.parse()
            {
                let (list, rest) = tensor.split_at(start);
                let list = list.trim_end_matches('.').to_owned();
                let module = without_weight(rest[part.len()..].trim_start_matches('.')).to_owned();
                return Self { layer: Some(Layer { list, index }), module };
            }
            start += part.len() + 1;
            previous = part;
        }
        let bare = WRAPPERS.iter().find_map(|wrapper| tensor.strip_prefix(wrapper)).unwrap_or(tensor);
        Self { layer: None, module: without_weight(bare).to_owned() }
    }
}

fn without_weight(name: &str) -> &str {
    name.strip_suffix(".weight").unwrap_or(name)
}

/// Whether the tensor of this name embeds the vocabulary's tokens: its rows are theirs.
pub fn is_embedding(tensor: &str) -> bool {
    tensor.split('.').any(|part| EMBEDDINGS.contains(&part)) && TensorPlace::of(tensor).layer.is_none()
}

/// Whether the tensor of this name projects onto the vocabulary: its rows are the tokens'.
pub fn is_output(tensor: &str) -> bool {
    let is_one = |name: &str| tensor.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    OUTPUTS.iter().any(|name| is_one(name)) && TensorPlace::of(tensor).layer.is_none() && !is_embedding(tensor)
}

/// Whether the rows of the tensor of this name are the vocabulary's tokens.
pub fn is_vocabulary(tensor: &str) -> bool {
    is_embedding(tensor) || is_output(tensor)
}

/// The embedding that stands in for an output projection where a model shares the two, among the model's tensor
/// `names`. None if there is none, or if there are several, as in models with an encoder.
pub fn embedding_for_output<'a>(names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut embeddings = names.filter(|name| is_embedding(name) && name.ends_with(".weight"));
    let first = embeddings.next()?;
    embeddings.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(list: &str, index: usize, module: &str) -> TensorPlace {
        TensorPlace { layer: Some(Layer { list: list.into(), index }), module: module.into() }
    }

    #[test]
    fn names_of_several_architectures() {
        assert_eq!(
            TensorPlace::of("model.layers.12.self_attn.q_proj.weight"),
            place("model.layers", 12, "self_attn.q_proj")
        );
        assert_eq!(TensorPlace::of("model.layers.0.mlp.up_proj.bias"), place("model.layers", 0, "mlp.up_proj.bias"));
        assert_eq!(TensorPlace::of("transformer.h.3.attn.c_attn.bias"), place("transformer.h", 3, "attn.c_attn.bias"));
        // Of an expert's number and a layer's, the layer's counts.
        let mixture = "model.layers.1.block_sparse_moe.experts.7.w1.weight";
        assert_eq!(TensorPlace::of(mixture), place("model.layers", 1, "block_sparse_moe.experts.7.w1"));
        assert_eq!(TensorPlace::of("layers.2"), place("layers", 2, ""));
        for (name, module) in [
            ("model.embed_tokens.weight", "embed_tokens"),
            ("model.norm.weight", "norm"),
            ("lm_head.weight", "lm_head"),
            ("transformer.wte.weight", "wte"),
            ("model.layers.+1.x", "layers.+1.x"),
            ("model.layers.x", "layers.x"),
            ("", ""),
        ] {
            assert_eq!(TensorPlace::of(name), TensorPlace { layer: None, module: module.into() }, "{name}");
        }
        assert_eq!(Layer { list: "model.layers".into(), index: 3 }.to_string(), "model.layers.3");
    }

    #[test]
    fn vocabulary_tensors_are_known_by_name() {
        for name in ["model.embed_tokens.weight", "transformer.wte.weight"] {
            assert!(is_embedding(name) && is_vocabulary(name) && !is_output(name), "{name}");
        }
        for name in ["lm_head.weight", "embed_out.weight", "language_model.lm_head.weight"] {
            assert!(is_output(name) && is_vocabulary(name) && !is_embedding(name), "{name}");
        }
        for name in
            ["model.norm.weight", "transformer.wpe.weight", "encoder.layer.0.output.weight", "my_lm_head.weight"]
        {
            assert!(!is_vocabulary(name), "{name}");
        }
        let names = ["model.norm.weight", "model.embed_tokens.weight"];
        assert_eq!(embedding_for_output(names.into_iter()), Some("model.embed_tokens.weight"));
        assert_eq!(embedding_for_output(["norm.weight"].into_iter()), None);
        let two = ["encoder.embed_tokens.weight", "decoder.embed_tokens.weight"];
        assert_eq!(embedding_for_output(two.into_iter()), None);
    }
}
