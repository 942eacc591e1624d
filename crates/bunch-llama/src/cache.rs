//! Keys and values of the tokens seen so far.

use burn::tensor::{Device, Int, Tensor, TensorData, s};

use crate::LlamaConfig;
use crate::attention::MASKED;

/// Keys and values of a batch of sequences of different length.
///
/// Slots `0..prompt_slots` hold the prompts, padded on the right; each further slot holds one generated token of every
/// sequence. A slot's number is therefore not the token's position: positions live in the rotation of the keys.
pub(crate) struct Cache {
    keys: Vec<Tensor<4>>,
    values: Vec<Tensor<4>>,
    lengths: Vec<usize>,
    prompt_slots: usize,
    used: usize,
}

impl Cache {
    /// An empty cache for sequences of `lengths` tokens and `new` generated ones.
    pub(crate) fn new(lengths: Vec<usize>, new: usize, config: &LlamaConfig, device: &Device) -> Self {
        let prompt_slots = lengths.iter().copied().max().unwrap_or(0);
        let shape = [lengths.len(), config.num_key_value_heads, prompt_slots + new, config.head_dim];
        let empty = || (0..config.num_hidden_layers).map(|_| Tensor::zeros(shape, device)).collect();
        Self { keys: empty(), values: empty(), lengths, prompt_slots, used: 0 }
    }

    /// Writes `k` and `v` `[batch, kv_heads, tokens, head_dim]` of one layer into the next free slots and returns all up to there.
    pub(crate) fn append(&mut self, layer: usize, k: Tensor<4>, v: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
        let end = self.used + k.dims()[2];
        // Taking the tensor out leaves no second owner, so that the write happens in place.
        let write = |store: &mut Tensor<4>, new: Tensor<4>| {
            let placeholder = Tensor::zeros([1, 1, 1, 1], &new.device());
            let full = std::mem::replace(store, placeholder).slice_assign(s![.., .., self.used..end, ..], new);
            *store = full.clone();
            full.narrow(2, 0, end)
        };
        (write(&mut self.keys[layer], k), write(&mut self.values[layer], v))
    }

    /// Marks `tokens` slots as written, once every layer has appended.
    pub(crate) fn advance(&mut self, tokens: usize) {
        self.used += tokens;
    }

    /// Position of the token that comes next in each sequence.
    pub(crate) fn next_positions(&self) -> impl ExactSizeIterator<Item = usize> {
        let generated = self.used - self.prompt_slots;
        self.lengths.iter().map(move |length| length + generated)
    }

    /// `[batch, 1, 1, slots]`: hides the padding of the shorter prompts; `slots` counts the token being written.
    pub(crate) fn padding_mask(&self, device: &Device) -> Tensor<4> {
        let slots = self.used + 1;
        let mask: Vec<f32> = (self.lengths.iter())
            .flat_map(|&length| {
                (0..slots).map(move |slot| if slot >= length && slot < self.prompt_slots { MASKED } else { 0.0 })
            })
            .collect();
        Tensor::from_data(TensorData::new(mask, [self.lengths.len(), 1, 1, slots]), device)
    }

    /// Keeps the sequences at `rows`, in that order.
    pub(crate) fn keep(&mut self, rows: &[usize]) {
        let Some(first) = self.keys.first() else { return };
        let ids: Vec<i32> = rows.iter().map(|&row| row as i32).collect();
        let index = Tensor::<1, Int>::from_data(TensorData::new(ids, [rows.len()]), &first.device());
        for store in self.keys.iter_mut().chain(&mut self.values) {
            *store = store.clone().select(0, index.clone());
        }
        self.lengths = rows.iter().map(|&row| self.lengths[row]).collect();
    }
}
