//! A model's tensors by where they stand.

use std::collections::BTreeMap;

use bunch_checkpoint::TensorName;

use crate::input_model::InputModel;

/// The names of one model's tensors by place.
#[derive(Default)]
pub(crate) struct NamesByPlace {
    /// Before the layers: embeddings, and all layers of other modules than the language model.
    pub(crate) before: Vec<String>,
    /// By layer: the list that it is in, and what follows its index in each name.
    pub(crate) layers: BTreeMap<usize, Vec<(String, String)>>,
    /// Layers beyond those that config.json counts: the list, how many layers beyond the last, and what follows.
    pub(crate) further: Vec<(String, usize, String)>,
    /// After the layers: the final norm, the output projection.
    pub(crate) after: Vec<String>,
}

impl NamesByPlace {
    pub(crate) fn new(model: &InputModel) -> Self {
        let mut names = Self::default();
        let count = model.layers();
        for name in model.names() {
            let parsed = TensorName::of(name);
            let is_before = parsed.is_before_layers();
            match parsed.layer {
                Some(layer) if !model.lists.contains(&layer.list) => names.before.push(name.to_owned()),
                Some(layer) if layer.index >= count => {
                    names.further.push((layer.list, layer.index - count, parsed.suffix));
                }
                Some(layer) => names.layers.entry(layer.index).or_default().push((layer.list, parsed.suffix)),
                None if is_before => names.before.push(name.to_owned()),
                None => names.after.push(name.to_owned()),
            }
        }
        names
    }
}
