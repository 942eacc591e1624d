//! Keys and values of the tokens seen so far, and one step of the model over new tokens.

use std::sync::Arc;

use burn::tensor::{Device, Tensor};

use bunch_lm::TokenId;

use crate::attention::cached;
use crate::kernels::{CachedShape, Segment};
use crate::rope::Rope;
use crate::{Llama, LlamaConfig};

/// Per layer, slots of one token each.
///
/// Which slots belong to which sequence is the caller's business; a slot's number is not the token's position.
pub(crate) struct Cache {
    layers: Vec<Tensor<2>>,
}

impl Cache {
    /// Bytes of one slot in all layers.
    pub(crate) fn bytes_per_slot(config: &LlamaConfig) -> usize {
        config.num_hidden_layers * 2 * config.num_key_value_heads * config.head_dim * size_of::<f32>()
    }

    /// An empty cache for generation.
    pub(crate) fn new(slots: usize, config: &LlamaConfig, device: &Device) -> Self {
        Self { layers: (0..config.num_hidden_layers).map(|_| Self::empty(slots, config, device)).collect() }
    }

    /// A cache for a single step: all layers use the same slots, one after the other.
    pub(crate) fn for_one_step(slots: usize, config: &LlamaConfig, device: &Device) -> Self {
        Self { layers: vec![Self::empty(slots, config, device)] }
    }

    fn empty(slots: usize, config: &LlamaConfig, device: &Device) -> Tensor<2> {
        Tensor::zeros([slots, 2 * config.num_key_value_heads * config.head_dim], device)
    }
}

impl Llama {
    /// Reads new tokens into the cache: `ids` segment by segment. Gives the residual stream at the rows `wanted`.
    pub(crate) fn step(&self, ids: &[TokenId], wanted: &[i32], segments: Vec<Segment>, cache: &mut Cache) -> Tensor<2> {
        let config = &self.config;
        let positions: Vec<usize> =
            segments.iter().flat_map(|segment| segment.start()..segment.start() + segment.rows).collect();
        let rope = Rope::at(positions.into_iter(), config, &self.device());
        let segments = Arc::new(segments);
        let ids: Vec<i32> = ids.iter().map(|&id| id as i32).collect();
        self.run(&ids, wanted, &mut |layer, qkv| {
            let shape = CachedShape {
                segments: segments.clone(),
                heads: config.num_attention_heads,
                kv_heads: config.num_key_value_heads,
                head_dim: config.head_dim,
                window: config.window(layer),
            };
            let slot = layer % cache.layers.len();
            // Taking the tensor out leaves no second owner, so that the write happens in place.
            let before = std::mem::replace(&mut cache.layers[slot], Tensor::zeros([1, 1], &qkv.device()));
            let (out, after) = cached(qkv, &rope, before, shape);
            cache.layers[slot] = after;
            out
        })
    }
}
