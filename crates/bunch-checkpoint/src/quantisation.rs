//! Quantised checkpoints: which there are, and which of them are read by value.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::config::text_setting;
use crate::float8::{Float8, ScaleGrid};
use crate::stored_tensor::{Format, StoredTensor, TensorInfo};
use crate::{CheckpointError, Dtype, UnreadableModel};

/// Where a configuration describes the quantisation.
const KEYS: [&str; 2] = ["quantization_config", "compression_config"];

/// Methods whose weights may be 8-bit floating point with scales.
const FLOAT8_METHODS: [&str; 4] = ["fp8", "fbgemm_fp8", "compressed-tensors", "modelopt"];

/// Ends of the names of packed weights and of what belongs to them.
const PACKED_ENDS: [&str; 7] =
    [".qweight", ".qzeros", ".weight_packed", ".weight.absmax", ".weight.quant_map", ".SCB", "_blocks"];

/// The last parts of the names of scales of activations and caches, which weights do not need.
const ACTIVATION_SCALES: [&str; 8] = [
    "input_scale",
    "input_scale_inv",
    "input_scale_ub",
    "activation_scale",
    "output_scale",
    "q_scale",
    "k_scale",
    "v_scale",
];

/// How a checkpoint is quantised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quantisation {
    /// As config.json calls it, with the number of bits if it says one: `gptq, 4 bits`.
    pub method: String,
    /// Whether values are packed in a way that is not read here.
    pub is_packed: bool,
}

impl std::fmt::Display for Quantisation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let read = if self.is_packed { "which no command reads by value" } else { "read by value" };
        write!(f, "{} ({read})", self.method)
    }
}

/// Finds out whether a checkpoint is quantised. Tensors of 8-bit floating point get their scales, which are no tensors of
/// their own then, and `config` loses the description of what the reader has undone.
pub(crate) fn resolve(
    dir: &Path,
    config: &mut Value,
    tensors: &mut BTreeMap<String, StoredTensor>,
) -> Result<Option<Quantisation>, CheckpointError> {
    let described = KEYS.iter().find_map(|key| text_setting(config, key)).cloned();
    let method = described.as_ref().and_then(|described| described["quant_method"].as_str());
    let is_float8_method = method.is_none_or(|method| FLOAT8_METHODS.contains(&method));
    let scale_of = |name: &str| ["_scale_inv", "_scale"].map(|end| format!("{name}{end}"));
    let scales_of = |name: &str| scale_of(name).into_iter().find(|scale| tensors.contains_key(scale));
    let is_packed = |(name, tensor): (&String, &StoredTensor)| {
        let is_matrix = name.ends_with(".weight") && tensor.shape.len() > 1 && tensor.info.is_none();
        let is_scaled = Float8::from_name(&tensor.dtype_name).is_some() && scales_of(name).is_some();
        PACKED_ENDS.iter().any(|end| name.ends_with(end)) || described.is_some() && is_matrix && !is_scaled
    };
    if !is_float8_method || tensors.iter().any(is_packed) {
        return Ok(Some(Quantisation { method: in_words(method, described.as_ref()), is_packed: true }));
    }
    let float8 = tensors.iter().filter_map(|(name, tensor)| {
        let format = Float8::from_name(&tensor.dtype_name)?;
        Some((name.clone(), format, scales_of(name)?))
    });
    let float8: Vec<(String, Float8, String)> = float8.collect();
    if float8.is_empty() {
        return Ok(None);
    }
    let block = described.as_ref().and_then(block_size);
    for (name, format, scale) in float8 {
        let scales = tensors.remove(&scale);
        let (Some(scales), Some(tensor)) = (scales, tensors.get_mut(&name)) else { continue };
        let (got, shape) = (scales.shape.clone(), tensor.shape.clone());
        let Some(grid) = ScaleGrid::new(scales, &shape, block) else {
            let dir = dir.to_path_buf();
            return Err(UnreadableModel::Scales { dir, tensor: name, shape, scale, got }.into());
        };
        tensor.format = Format::Float8(format);
        // 32 bits hold the products of value and scale; none of the 16-bit types does.
        let shard = dir.to_path_buf();
        tensor.info = Some(TensorInfo { shape, dtype: Dtype::F32, shard });
        tensor.scales = Some(Box::new(grid));
    }
    tensors.retain(|name, _| !name.rsplit('.').next().is_some_and(|last| ACTIVATION_SCALES.contains(&last)));
    for part in [None, crate::config::text_part(config, KEYS[0]), crate::config::text_part(config, KEYS[1])] {
        let table = match part {
            None => config.as_object_mut(),
            Some(part) => config[part].as_object_mut(),
        };
        if let Some(table) = table {
            KEYS.iter().for_each(|key| _ = table.shift_remove(*key));
        }
    }
    Ok(Some(Quantisation { method: in_words(method.or(Some("fp8")), described.as_ref()), is_packed: false }))
}

/// The size of a block, where the configuration says one.
fn block_size(described: &Value) -> Option<[usize; 2]> {
    let size = |value: &Value| -> Option<[usize; 2]> {
        let sizes: Vec<usize> =
            value.as_array()?.iter().filter_map(|size| usize::try_from(size.as_u64()?).ok()).collect();
        sizes.try_into().ok()
    };
    let groups = described["config_groups"].as_object().into_iter().flat_map(serde_json::Map::values);
    size(&described["weight_block_size"])
        .or_else(|| groups.filter_map(|group| size(&group["weights"]["block_structure"])).next())
}

fn in_words(method: Option<&str>, described: Option<&Value>) -> String {
    let method = method.unwrap_or("packed tensors");
    let bits = described.and_then(|described| match described {
        _ if described["load_in_4bit"] == true => Some(4),
        _ if described["load_in_8bit"] == true => Some(8),
        _ => described["bits"].as_u64().or(described["w_bit"].as_u64()),
    });
    bits.map_or_else(|| method.to_owned(), |bits| format!("{method}, {bits} bits"))
}
