//! A piece of one tensor in all models, small enough for the fastest cache.

use std::array;

/// The number of entries of a block, at most: a few arrays of this length fit the fastest cache. A block that is a row is
/// as long as the row.
pub const BLOCK: usize = 1024;

/// A piece of one tensor in all models: what a [`Kernel`](crate::Kernel) merges at a time.
#[derive(Debug, Clone, Copy)]
pub struct Block<'a> {
    pub(crate) start: usize,
    pub(crate) offset: usize,
    pub(crate) len: usize,
    pub(crate) base: Option<&'a [f32]>,
    pub(crate) experts: &'a [&'a [f32]],
}

impl<'a> Block<'a> {
    /// The row-major index of the block's first entry in the tensor.
    pub fn start(&self) -> usize {
        self.start
    }

    /// The number of entries: at most [`BLOCK`], one row, or a band of rows.
    #[expect(clippy::len_without_is_empty, reason = "a block is never empty")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is a base.
    pub fn has_base(&self) -> bool {
        self.base.is_some()
    }

    /// The base's values; nothing if there is no base.
    pub fn base(&self) -> &'a [f32] {
        self.base.map_or(&[], |values| &values[self.offset..self.offset + self.len])
    }

    /// The number of experts.
    pub fn experts(&self) -> usize {
        self.experts.len()
    }

    /// The values of an expert, counted from 0.
    ///
    /// # Panics
    /// There is no such expert.
    pub fn expert(&self, expert: usize) -> &'a [f32] {
        &self.experts[expert][self.offset..self.offset + self.len]
    }

    /// Writes the entries of an expert's task vector to `deltas`, which is at least as long as the block: expert minus
    /// base, or the expert itself if there is no base. Returns the part that was written.
    pub(crate) fn task_vector<'d>(&self, expert: usize, deltas: &'d mut [f32]) -> &'d [f32] {
        let (values, deltas) = (self.expert(expert), &mut deltas[..self.len]);
        if self.base.is_none() {
            deltas.copy_from_slice(values);
            return deltas;
        }
        subtract(values, self.base(), deltas);
        deltas
    }
}

/// What is left of a block after its whole chunks, filled up with zeros.
#[inline(always)]
pub(crate) fn pad<const LANES: usize>(rest: &[f32]) -> [f32; LANES] {
    array::from_fn(|lane| rest.get(lane).copied().unwrap_or_default())
}

/// Writes the differences of two slices.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
pub(crate) fn subtract(values: &[f32], base: &[f32], deltas: &mut [f32]) {
    for ((delta, value), base) in deltas.iter_mut().zip(values).zip(base) {
        *delta = value - base;
    }
}
