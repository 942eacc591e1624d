//! One tensor across base and experts.

use crate::block::{BLOCK, Block};
use crate::cache::TensorCache;
use crate::error::{MergeError, Source};
use crate::gram::{Gram, Vectors};
use crate::survey::Survey;
use crate::values::Values;
use std::any::Any;
use std::cell::Cell;
use std::ops::Range;
use std::sync::Arc;

/// Values that are asked for at a time from each model: those of a few models fit the fastest cache.
const SEGMENT: usize = 2 * BLOCK;

/// The same where some are read: each time costs a call of the operating system.
const READ_SEGMENT: usize = 16 * BLOCK;

thread_local! {
    /// What is read and not merged yet, kept for the next visit: clearing fresh memory would take as long as merging it.
    static BUFFERS: Cell<Vec<Vec<f32>>> = const { Cell::new(Vec::new()) };
}

/// One tensor as it is in the base and in each expert: what a merge method sees.
#[derive(Debug, Clone, Copy)]
pub struct TensorAcrossModels<'a> {
    /// Hugging Face name; random choices are keyed by it.
    pub name: &'a str,
    /// Dimensions, outermost first; the product is the number of values of every model.
    pub shape: &'a [usize],
    /// Values in the base; methods that need no base ignore them.
    pub base: Option<Values<'a>>,
    /// Values in each expert.
    pub experts: &'a [Values<'a>],
    /// What earlier merges of the same tensor of the same models have left; results do not depend on it.
    pub cache: Option<&'a TensorCache>,
    /// The result of the method's first pass over the whole model, for methods that have one.
    pub survey: Option<&'a Survey>,
    /// Whether values that are infinite or not numbers are merged like any other; else they are an error.
    pub allows_non_finite: bool,
}

/// How a tensor is cut into blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Anywhere, at most [`BLOCK`] entries.
    Anywhere,
    /// One row: as many entries as the last dimension says.
    Rows,
    /// Bands of so many rows; the last one may have fewer.
    Bands(usize),
}

impl<'a> TensorAcrossModels<'a> {
    /// A tensor of these models, without cache and survey, in which every value must be finite.
    pub fn new(name: &'a str, shape: &'a [usize], base: Option<Values<'a>>, experts: &'a [Values<'a>]) -> Self {
        Self { name, shape, base, experts, cache: None, survey: None, allows_non_finite: false }
    }

    /// The number of values: the product of the shape.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether the tensor has no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of values of a row: the last dimension; 1 for a scalar.
    pub(crate) fn row_len(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    /// Calls `visit` with every block in order, each of at most [`BLOCK`] entries. Each call is one pass over the data
    /// of all models, which are read again.
    pub(crate) fn each_block(&self, visit: impl FnMut(&Block<'_>)) -> Result<(), MergeError> {
        let mut visit = visit;
        self.visit(0..self.len(), Cut::Anywhere, |block| {
            visit(block);
            Ok(())
        })
    }

    /// As [`each_block`](Self::each_block), but each block is one row.
    pub(crate) fn each_row(&self, visit: impl FnMut(&Block<'_>)) -> Result<(), MergeError> {
        let mut visit = visit;
        self.visit(0..self.len(), Cut::Rows, |block| {
            visit(block);
            Ok(())
        })
    }

    /// What was found under this name and number in an earlier merge of the same models, or else what `find` finds now:
    /// a type of the method's own. What is found must depend on the models alone.
    pub(crate) fn remember<T: Any + Send + Sync>(
        &self,
        name: &'static str,
        number: usize,
        find: impl FnOnce() -> Result<T, MergeError>,
    ) -> Result<Arc<T>, MergeError> {
        match self.cache {
            Some(cache) => cache.remember(name, number, find),
            None => find().map(Arc::new),
        }
    }

    /// As [`remember`](Self::remember) for what is as large as the tensor: where only what is small is kept, it is found each time.
    pub(crate) fn remember_large<T: Any + Send + Sync>(
        &self,
        name: &'static str,
        number: usize,
        find: impl FnOnce() -> Result<T, MergeError>,
    ) -> Result<Arc<T>, MergeError> {
        match self.cache.filter(|cache| !cache.is_small()) {
            Some(cache) => cache.remember(name, number, find),
            None => find().map(Arc::new),
        }
    }

    /// The inner products of the models' vectors: from the cache, or one pass.
    pub(crate) fn gram(&self, vectors: Vectors) -> Result<Arc<Gram>, MergeError> {
        self.remember("gram", vectors as usize, || {
            let mut gram = Gram::zero(self.experts.len() + usize::from(vectors == Vectors::Models));
            let mut deltas = vec![0.0; self.experts.len() * BLOCK];
            self.each_block(|block| gram.add_block(block, vectors, &mut deltas))?;
            gram.mirror();
            Ok(gram)
        })
    }

    /// The task vectors if there is a base, else the experts: what methods look at that work with a base and without.
    pub(crate) fn vectors_from_base(&self) -> Vectors {
        if self.base.is_some() { Vectors::TaskVectors } else { Vectors::Experts }
    }

    /// Calls `visit` with the blocks of `range` in order; with rows, the range begins and ends with a row.
    pub(crate) fn visit(
        &self,
        range: Range<usize>,
        cut: Cut,
        visit: impl FnMut(&Block<'_>) -> Result<(), MergeError>,
    ) -> Result<(), MergeError> {
        let is_read = self.base.iter().chain(self.experts).any(|values| matches!(values, Values::Stream(_)));
        let most = if is_read { READ_SEGMENT } else { SEGMENT };
        let (step, segment) = match cut {
            Cut::Anywhere => (BLOCK, most),
            Cut::Rows => (self.row_len(), (most / self.row_len().max(1)).max(1) * self.row_len()),
            Cut::Bands(rows) => (rows * self.row_len(), rows * self.row_len()),
        };
        // Taken, so that a visit within a visit has its own, and given back for the next.
        let mut buffers = BUFFERS.take();
        buffers.resize_with(buffers.len().max(1 + self.experts.len()), Vec::new);
        let result = self.visit_with(&mut buffers, range, step, segment, visit);
        BUFFERS.set(buffers);
        result
    }

    /// [`visit`](Self::visit) with blocks of `step` entries out of segments that are read into the buffers: one for the
    /// base, then one for each expert.
    fn visit_with(
        &self,
        buffers: &mut [Vec<f32>],
        range: Range<usize>,
        step: usize,
        segment: usize,
        mut visit: impl FnMut(&Block<'_>) -> Result<(), MergeError>,
    ) -> Result<(), MergeError> {
        let Some((base_buffer, buffers)) = buffers.split_first_mut() else { return Ok(()) };
        let mut start = range.start;
        while start < range.end {
            let len = segment.min(range.end - start);
            let read = |from| move |reason| MergeError::Read { tensor: self.name.into(), from, reason };
            let base = self.base.map(|base| base.get(start, len, base_buffer)).transpose();
            let base = base.map_err(read(Source::Base))?;
            let models = self.experts.iter().zip(&mut *buffers).enumerate();
            let experts = models
                .map(|(index, (expert, buffer))| expert.get(start, len, buffer).map_err(read(Source::Expert(index))));
            let experts: Vec<&[f32]> = experts.collect::<Result<_, _>>()?;
            for offset in (0..len).step_by(step) {
                let len = step.min(len - offset);
                visit(&Block { start: start + offset, offset, len, base, experts: &experts })?;
            }
            start += len;
        }
        Ok(())
    }

    /// Demands that every model has as many values as the shape says.
    pub(crate) fn check(&self) -> Result<(), MergeError> {
        if let Some(cache) = self.cache {
            let (expected, got) = (self.experts.len(), cache.len());
            if expected != got {
                return Err(MergeError::CacheMismatch { tensor: self.name.into(), expected, got });
            }
        }
        let base = self.base.map(|values| (Source::Base, values));
        let experts = self.experts.iter().enumerate().map(|(index, values)| (Source::Expert(index), *values));
        base.into_iter().chain(experts).try_for_each(|(from, values)| self.check_length(from, values.len()))
    }

    /// Demands that `got` is the number of values the shape gives.
    pub(crate) fn check_length(&self, from: Source, got: usize) -> Result<(), MergeError> {
        let expected = self.len();
        if got == expected { Ok(()) } else { Err(MergeError::Length { tensor: self.name.into(), from, expected, got }) }
    }

    /// Demands that base and experts of a block are finite, unless that is not asked for or known.
    pub(crate) fn check_block(&self, block: &Block<'_>) -> Result<(), MergeError> {
        if self.allows_non_finite || self.cache.is_some_and(TensorCache::is_checked) {
            return Ok(());
        }
        self.check_finite(Source::Base, block.start, block.base())?;
        (0..block.experts())
            .try_for_each(|expert| self.check_finite(Source::Expert(expert), block.start, block.expert(expert)))
    }

    /// Demands that base and experts are finite, unless that is not asked for or known.
    pub(crate) fn check_all(&self) -> Result<(), MergeError> {
        self.visit(0..self.len(), Cut::Anywhere, |block| self.check_block(block))
    }

    /// Demands finite values; `start` is the index of the first.
    pub(crate) fn check_finite(&self, from: Source, start: usize, values: &[f32]) -> Result<(), MergeError> {
        if are_finite(values) {
            return Ok(());
        }
        let found = values.iter().enumerate().find(|(_, value)| !value.is_finite());
        found.map_or(Ok(()), |(index, &value)| {
            Err(MergeError::NonFinite { tensor: self.name.into(), from, index: start + index, value })
        })
    }
}

/// Whether all values are finite: the exponent of infinities and NaN has all bits set. Unlike a search that stops early,
/// this runs in parallel lanes.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn are_finite(values: &[f32]) -> bool {
    values.iter().map(|value| value.to_bits() & 0x7fff_ffff).fold(0, u32::max) < f32::INFINITY.to_bits()
}
