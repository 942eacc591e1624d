//! What does not change between merges of the same models.

use crate::error::MergeError;
use crate::gram::{Gram, Vectors};
use crate::tensor::TensorAcrossModels;
use std::sync::OnceLock;

/// Memoises what does not change between merges of one tensor of the same models with different coefficients: task
/// vectors' ranks, angles.
///
/// It fills as methods ask and is safe to share between threads. It belongs to one tensor of one list of models: using
/// it with other models gives wrong results. Results with and without a cache are bit-identical.
#[derive(Debug)]
pub struct TensorCache {
    checked: OnceLock<()>,
    experts: Vec<ExpertCache>,
    grams: [OnceLock<Gram>; 3],
}

#[derive(Debug, Default)]
struct ExpertCache {
    ranks: OnceLock<Vec<u32>>,
}

impl TensorCache {
    /// An empty cache for a tensor with this number of experts.
    pub fn new(experts: usize) -> Self {
        let experts = (0..experts).map(|_| ExpertCache::default()).collect();
        Self { checked: OnceLock::new(), experts, grams: Default::default() }
    }

    /// The number of experts the cache is for.
    pub fn len(&self) -> usize {
        self.experts.len()
    }

    /// Whether the cache is for no experts at all.
    pub fn is_empty(&self) -> bool {
        self.experts.is_empty()
    }

    /// Whether all inputs are known to be finite.
    pub(crate) fn is_checked(&self) -> bool {
        self.checked.get().is_some()
    }

    /// Remembers that all inputs are finite.
    pub(crate) fn mark_checked(&self) {
        self.checked.get_or_init(|| ());
    }

    /// For each entry of an expert's task vector, how many entries come before it by magnitude, largest first and equal
    /// magnitudes by index. There must be at most 2^32 entries.
    pub(crate) fn ranks(&self, tensor: &TensorAcrossModels<'_>, expert: usize) -> Result<&[u32], MergeError> {
        let cell = &self.experts[expert].ranks;
        if let Some(ranks) = cell.get() {
            return Ok(ranks);
        }
        let mut deltas = vec![0.0; tensor.len()];
        tensor.each_block(|block| {
            block.task_vector(expert, &mut deltas[block.start()..]);
        })?;
        Ok(cell.get_or_init(|| {
            // Sorting (inverted magnitude, index) pairs packed into one integer is several times faster than sorting
            // indices by a key looked up in memory. The bits of non-negative floats are ordered as the floats are.
            let mut order: Vec<u64> = deltas
                .iter()
                .enumerate()
                .map(|(index, delta)| u64::from(!delta.abs().to_bits()) << 32 | index as u64)
                .collect();
            order.sort_unstable();
            let mut ranks = vec![0; deltas.len()];
            for (rank, packed) in order.into_iter().enumerate() {
                ranks[packed as u32 as usize] = rank as u32;
            }
            ranks
        }))
    }

    /// The inner products of these vectors.
    pub(crate) fn gram(&self, tensor: &TensorAcrossModels<'_>, vectors: Vectors) -> Result<&Gram, MergeError> {
        let cell = &self.grams[vectors as usize];
        if let Some(gram) = cell.get() {
            return Ok(gram);
        }
        let gram = Gram::of_tensor(tensor, vectors)?;
        Ok(cell.get_or_init(|| gram))
    }
}
