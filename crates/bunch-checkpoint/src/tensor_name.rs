//! What a tensor's name says: its layer, its module, and whether it belongs to the vocabulary.

use std::fmt;

/// A tensor's name, taken apart: whatever the architecture, layers are numbered in the names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TensorName {
    /// The layer it belongs to; None outside of the layers.
    pub layer: Option<Layer>,
    /// What it is there: the name after the layer's index, without `.weight` (`self_attn.q_proj`, `mlp.up_proj.bias`);
    /// outside of the layers the name without `.weight` and without `model.` or `transformer.` in front (`embed_tokens`,
    /// `norm`, `lm_head`).
    pub module: String,
    /// The name as it goes on after the layer's index (`.mlp.up_proj.weight`); outside of the layers the whole name.
    pub suffix: String,
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

/// What the names of input embeddings contain.
const EMBEDDINGS: [&str; 5] = ["embed_tokens", "embed_in", "word_embeddings", "tok_embeddings", "wte"];

/// What the names of learned position embeddings contain.
const POSITION_EMBEDDING: &str = "wpe";

/// What the names of output projections onto the vocabulary are or end with.
const OUTPUTS: [&str; 3] = ["lm_head.weight", "embed_out.weight", "output.weight"];

/// Prefixes of names outside of the layers that carry no meaning.
const WRAPPERS: [&str; 2] = ["model.", "transformer."];

impl TensorName {
    /// Takes a tensor's name apart.
    pub fn of(tensor: &str) -> Self {
        let (mut start, mut previous) = (0, "");
        for part in tensor.split('.') {
            if LAYER_LISTS.contains(&previous)
                && part.bytes().all(|byte| byte.is_ascii_digit())
                && let Ok(index) = part.parse()
            {
                let (list, rest) = tensor.split_at(start);
                let list = list.trim_end_matches('.').to_owned();
                let suffix = &rest[part.len()..];
                let module = without_weight(suffix.trim_start_matches('.')).to_owned();
                return Self { layer: Some(Layer { list, index }), module, suffix: suffix.to_owned() };
            }
            start += part.len() + 1;
            previous = part;
        }
        let bare = WRAPPERS.iter().find_map(|wrapper| tensor.strip_prefix(wrapper)).unwrap_or(tensor);
        Self { layer: None, module: without_weight(bare).to_owned(), suffix: tensor.to_owned() }
    }

    /// Whether the tensor embeds the vocabulary's tokens: its rows are the tokens'.
    pub fn is_embedding(&self) -> bool {
        self.layer.is_none() && self.suffix.split('.').any(|part| EMBEDDINGS.contains(&part))
    }

    /// Whether the tensor projects onto the vocabulary: its rows are the tokens'.
    pub fn is_output(&self) -> bool {
        let is_one =
            |name: &&str| self.suffix.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        self.layer.is_none() && OUTPUTS.iter().any(is_one) && !self.is_embedding()
    }

    /// Whether the tensor's rows are the vocabulary's tokens.
    pub fn is_vocabulary(&self) -> bool {
        self.is_embedding() || self.is_output()
    }

    /// Whether a model uses the tensor before its layers: the embeddings, of tokens and of positions.
    pub fn is_before_layers(&self) -> bool {
        self.is_embedding() || self.layer.is_none() && self.suffix.split('.').any(|part| part == POSITION_EMBEDDING)
    }
}

fn without_weight(name: &str) -> &str {
    name.strip_suffix(".weight").unwrap_or(name)
}

/// Whether `name`, of one or more parts between dots, occurs in a tensor's name: `mlp`, `layers.0` and
/// `embed_tokens` do where the whole parts do.
pub fn names_module(tensor: &str, name: &str) -> bool {
    format!(".{tensor}.").contains(&format!(".{name}."))
}

/// The embedding that stands in for an output projection where a model shares the two, among the model's tensor
/// `names`. None if there is none, or if there are several, as in models with an encoder.
pub fn embedding_for_output<'a>(names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut embeddings = names.filter(|name| name.ends_with(".weight") && TensorName::of(name).is_embedding());
    let first = embeddings.next()?;
    embeddings.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_layer(list: &str, index: usize, module: &str, suffix: &str) -> TensorName {
        TensorName { layer: Some(Layer { list: list.into(), index }), module: module.into(), suffix: suffix.into() }
    }

    #[test]
    fn names_of_several_architectures() {
        for (name, list, index, module, suffix) in [
            (
                "model.layers.12.self_attn.q_proj.weight",
                "model.layers",
                12,
                "self_attn.q_proj",
                ".self_attn.q_proj.weight",
            ),
            ("model.layers.0.mlp.up_proj.bias", "model.layers", 0, "mlp.up_proj.bias", ".mlp.up_proj.bias"),
            ("transformer.h.3.attn.c_attn.bias", "transformer.h", 3, "attn.c_attn.bias", ".attn.c_attn.bias"),
            ("gpt_neox.layers.0.mlp.w", "gpt_neox.layers", 0, "mlp.w", ".mlp.w"),
            // Of an expert's number and a layer's, the layer's counts.
            (
                "model.layers.1.moe.experts.7.w1.weight",
                "model.layers",
                1,
                "moe.experts.7.w1",
                ".moe.experts.7.w1.weight",
            ),
            ("layers.2", "layers", 2, "", ""),
        ] {
            assert_eq!(TensorName::of(name), in_layer(list, index, module, suffix), "{name}");
        }
        for (name, module) in [
            ("model.embed_tokens.weight", "embed_tokens"),
            ("model.norm.weight", "norm"),
            ("lm_head.weight", "lm_head"),
            ("transformer.wte.weight", "wte"),
            ("model.layers.+1.x", "layers.+1.x"),
            ("model.layers.x", "layers.x"),
            ("", ""),
        ] {
            let expected = TensorName { layer: None, module: module.into(), suffix: name.into() };
            assert_eq!(TensorName::of(name), expected, "{name}");
        }
        assert_eq!(Layer { list: "model.layers".into(), index: 3 }.to_string(), "model.layers.3");
    }

    #[test]
    fn vocabulary_tensors_are_known_by_name() {
        for name in ["model.embed_tokens.weight", "transformer.wte.weight"] {
            let parsed = TensorName::of(name);
            assert!(parsed.is_embedding() && parsed.is_vocabulary() && !parsed.is_output(), "{name}");
            assert!(parsed.is_before_layers(), "{name}");
        }
        for name in ["lm_head.weight", "embed_out.weight", "language_model.lm_head.weight"] {
            let parsed = TensorName::of(name);
            assert!(parsed.is_output() && parsed.is_vocabulary() && !parsed.is_embedding(), "{name}");
            assert!(!parsed.is_before_layers(), "{name}");
        }
        for name in [
            "model.norm.weight",
            "transformer.wpe.weight",
            "encoder.layer.0.output.weight",
            "model.layers.0.attention.output.weight",
            "my_lm_head.weight",
        ] {
            assert!(!TensorName::of(name).is_vocabulary(), "{name}");
        }
        assert!(TensorName::of("transformer.wpe.weight").is_before_layers());
        assert!(!TensorName::of("model.norm.weight").is_before_layers());
        let names = ["model.norm.weight", "model.embed_tokens.weight"];
        assert_eq!(embedding_for_output(names.into_iter()), Some("model.embed_tokens.weight"));
        assert_eq!(embedding_for_output(["norm.weight"].into_iter()), None);
        let two = ["encoder.embed_tokens.weight", "decoder.embed_tokens.weight"];
        assert_eq!(embedding_for_output(two.into_iter()), None);
    }

    #[test]
    fn modules_are_found_by_whole_parts() {
        let name = "model.layers.1.self_attn.q_proj.weight";
        assert!(
            ["q_proj", "self_attn", "layers.1", "self_attn.q_proj"].into_iter().all(|part| names_module(name, part))
        );
        assert!(["q", "layers.0", "proj", "layers.1.q_proj"].into_iter().all(|part| !names_module(name, part)));
    }
}
