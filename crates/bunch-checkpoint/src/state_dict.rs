//! The weights of one model in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use safetensors::{SafeTensorError, SafeTensors};
use sha2::{Digest, Sha256};

use crate::Dtype;
use crate::digest::hex;

/// One tensor in memory: `data.len()` is the product of `shape`, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Dimensions, outermost first; empty for a scalar.
    pub shape: Vec<usize>,
    /// Values in row-major order, shared so that pools of models and caches do not copy weights.
    pub data: Arc<Vec<f32>>,
}

/// The weights of one model in memory, keyed and ordered by Hugging Face tensor name.
pub type StateDict = BTreeMap<String, Tensor>;

/// The SHA-256, in hexadecimal, over each tensor's name, shape and values; two models have the same one exactly if all
/// of these are the same, bit for bit.
pub fn sha256_of_state_dict(state_dict: &StateDict) -> String {
    let mut hash = Sha256::new();
    for (name, tensor) in state_dict {
        // Lengths come first, so that no two state dicts give the same sequence of bytes.
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name.as_bytes());
        hash.update((tensor.shape.len() as u64).to_le_bytes());
        for &dimension in &tensor.shape {
            hash.update((dimension as u64).to_le_bytes());
        }
        hash.update((tensor.data.len() as u64).to_le_bytes());
        hash.update(bytemuck::cast_slice::<f32, u8>(&tensor.data));
    }
    hex(hash)
}

/// The weights in a safetensors file that is in memory, of 32- or 16-bit floats.
///
/// # Errors
/// Bytes that are no such file.
pub fn state_dict_of_bytes(bytes: &[u8]) -> Result<StateDict, SafeTensorError> {
    let mut state_dict = StateDict::new();
    for (name, view) in SafeTensors::deserialize(bytes)?.iter() {
        let dtype = match view.dtype() {
            safetensors::Dtype::F32 => Dtype::F32,
            safetensors::Dtype::F16 => Dtype::F16,
            safetensors::Dtype::BF16 => Dtype::BF16,
            _ => return Err(SafeTensorError::InvalidTensorView(view.dtype(), view.shape().to_vec(), 0)),
        };
        let data = Arc::new(dtype.decode(view.data()));
        state_dict.insert(name.to_owned(), Tensor { shape: view.shape().to_vec(), data });
    }
    Ok(state_dict)
}

#[cfg(test)]
mod tests {
    use super::{StateDict, Tensor, sha256_of_state_dict};
    use crate::sha256_bytes;
    use std::sync::Arc;

    fn one(name: &str, shape: &[usize], data: &[f32]) -> StateDict {
        StateDict::from([(name.to_owned(), Tensor { shape: shape.to_vec(), data: Arc::new(data.to_vec()) })])
    }

    #[test]
    fn the_digest_is_that_of_the_documented_bytes() {
        let mut bytes = Vec::new();
        bytes.extend(1_u64.to_le_bytes());
        bytes.extend(b"w");
        bytes.extend(2_u64.to_le_bytes());
        bytes.extend(1_u64.to_le_bytes());
        bytes.extend(2_u64.to_le_bytes());
        bytes.extend(2_u64.to_le_bytes());
        bytes.extend([0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0]); // 1, -2
        assert_eq!(sha256_of_state_dict(&one("w", &[1, 2], &[1.0, -2.0])), sha256_bytes(&bytes));
    }

    #[test]
    fn name_shape_and_each_bit_count() {
        let all = [
            one("w", &[1, 2], &[1.0, 0.0]),
            one("v", &[1, 2], &[1.0, 0.0]),
            one("w", &[2, 1], &[1.0, 0.0]),
            one("w", &[2], &[1.0, 0.0]),
            one("w", &[1, 2], &[1.0, -0.0]),
            StateDict::new(),
        ];
        let digests: std::collections::BTreeSet<String> = all.iter().map(sha256_of_state_dict).collect();
        assert_eq!(digests.len(), all.len());
    }
}
