//! The merged model's config.json.

use std::collections::BTreeMap;

use bunch_checkpoint::{Dtype, StoredDtype, TensorName};
use serde_json::Value;

use super::{Planning, tied_to};
use crate::configuration::{Changes, is_tied};
use crate::input_model::InputModel;
use crate::planned_tensor::{Input, PlannedTensor};

impl Planning<'_> {
    /// config.json: the base's, or the first model's, with what must change.
    pub(super) fn config(&self) -> Value {
        let Some(donor) = self.models.first() else { return Value::Null };
        let layers = self.slices.iter().flat_map(|slice| {
            // The layers of the donor where it takes part, else of the slice's first model.
            let of_donor = slice.models.iter().find(|merged| merged.model == donor.reference);
            let first = of_donor.or(slice.models.first()).map_or(0, |merged| merged.first_layer);
            first..first + slice.layers
        });
        let mut bytes: BTreeMap<&str, (usize, Dtype)> = BTreeMap::new();
        for tensor in self.tensors.values() {
            if let StoredDtype::Float(dtype) = tensor.dtype {
                bytes.entry(dtype.name()).or_insert((0, dtype)).0 += tensor.len() * dtype.size();
            }
        }
        let vocabulary_tensor = self.tensors.values().find(|tensor| TensorName::of(&tensor.name).is_vocabulary());
        let has_more_rows = |model: &InputModel| model.adapter.as_ref().is_some_and(|a| a.vocabulary_rows().is_some());
        let is_resized = self.merged.is_some() || self.is_truncated || self.models.iter().any(has_more_rows);
        // An output projection that is none of the donor's must not be overwritten with the embeddings when it is read.
        let is_head =
            |tensor: &&PlannedTensor| tied_to(&tensor.name, self.tensors.keys().map(String::as_str)).is_some();
        let head = self.tensors.values().find(is_head);
        let new_output = |input: &Input| self.models[input.model].adapter.as_ref()?.new_output();
        let is_own =
            |input: &Input| is_tied(self.models[input.model].config()) == Some(false) || new_output(input).is_some();
        let gains_output = head.is_some_and(|head| head.inputs.iter().any(|input| new_output(input).is_some()));
        let changes = Changes {
            layers: layers.collect(),
            dtype: bytes.into_values().max_by_key(|(bytes, _)| *bytes).map(|(_, dtype)| dtype),
            vocabulary: vocabulary_tensor.filter(|_| is_resized).and_then(|tensor| tensor.shape.first().copied()),
            is_untied: gains_output
                || is_tied(donor.config()) == Some(true) && head.is_some_and(|head| head.inputs.iter().any(is_own)),
        };
        changes.apply(donor.config().clone())
    }
}
