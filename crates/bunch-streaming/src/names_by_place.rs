//! A model's tensors by where they stand.

use std::collections::BTreeMap;

use crate::input_model::InputModel;
use crate::layers::Place;

/// The tensors' names of one model by place: those before the layers, of each layer, after the layers.
pub(crate) struct NamesByPlace {
    pub(crate) outside: BTreeMap<Place, Vec<String>>,
    /// By layer: prefix and suffix of each name.
    pub(crate) layers: BTreeMap<usize, Vec<(String, String)>>,
}

impl NamesByPlace {
    pub(crate) fn new(model: &InputModel) -> Self {
        let mut names = Self { outside: BTreeMap::new(), layers: BTreeMap::new() };
        for name in model.checkpoint.names() {
            match Place::of(name) {
                Place::Layer { index, prefix, suffix } => {
                    names.layers.entry(index).or_default().push((prefix, suffix));
                }
                place => names.outside.entry(place).or_default().push(name.to_owned()),
            }
        }
        names
    }
}
