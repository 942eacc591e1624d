//! What somebody should know about a merge, beside what is wrong with it.

use std::collections::BTreeMap;

use bunch_checkpoint::TensorName;

use crate::input_model::InputModel;
use crate::planned_tensor::PlannedTensor;

/// Which computed buffers the models have, which are in no merge.
pub(crate) fn of_buffers(models: &[&InputModel]) -> Option<String> {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for (kind, count) in models.iter().flat_map(|model| model.buffers()) {
        *kinds.entry(kind).or_default() += count;
    }
    let listed: Vec<String> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    (!listed.is_empty()).then(|| {
        format!("left out, as they are computed from config.json when a model is loaded: {}", listed.join(", "))
    })
}

/// Which lists of layers are not the language model's, where slices put together the language model's.
pub(crate) fn of_other_modules(models: &[&InputModel]) -> Option<String> {
    let mut lists: Vec<String> = Vec::new();
    for model in models {
        for layer in model.names().filter_map(|name| TensorName::of(name).layer) {
            if !model.lists.contains(&layer.list) && !lists.contains(&layer.list) {
                lists.push(layer.list);
            }
        }
    }
    (!lists.is_empty()).then(|| {
        let of_text: Vec<&str> = models.iter().flat_map(|model| &model.lists).map(String::as_str).collect();
        format!(
            "slices are of the layers {}.*; other lists of layers ({}.*) are in the output once, as in the first slice",
            of_text.first().unwrap_or(&""),
            lists.join(".*, ")
        )
    })
}

/// Whose vocabulary has another size than the output's.
pub(crate) fn of_vocabulary(
    tensors: &BTreeMap<String, PlannedTensor>,
    models: &[InputModel],
    is_cut: bool,
) -> Option<String> {
    let planned = tensors.values().find(|tensor| TensorName::of(&tensor.name).is_vocabulary())?;
    let new = *planned.shape.first()?;
    let mut others: Vec<String> = Vec::new();
    let mut shrinks = false;
    for input in &planned.inputs {
        let model = &models[input.model];
        let old = model.shape(&input.tensor).and_then(|shape| shape.first().copied()).unwrap_or(new);
        let text = format!("{old} of {}", model.name());
        if old != new && !others.contains(&text) {
            others.push(text);
            shrinks |= old > new;
        }
    }
    let what = if is_cut {
        "rows beyond those of the smallest are cut off"
    } else if shrinks {
        "rows that no token needs are left out; tokenizer.pad_to_multiple_of adds some"
    } else {
        "rows are added for further tokens"
    };
    (!others.is_empty())
        .then(|| format!("the vocabulary has {new} rows in place of {} (vocab_size): {what}", others.join(" and ")))
}
