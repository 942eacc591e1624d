//! One tensor across base and experts.

use crate::cache::TensorCache;
use crate::error::{MergeError, Source};
use crate::info::Info;
use crate::survey::Survey;

/// One tensor as it is in the base and in each expert: what a merge method sees.
#[derive(Debug, Clone, Copy)]
pub struct TensorAcrossModels<'a> {
    /// Hugging Face name; random choices are keyed by it.
    pub name: &'a str,
    /// Dimensions, outermost first; the product is the number of values in every slice.
    pub shape: &'a [usize],
    /// Values in the base, row-major; methods that need no base ignore them.
    pub base: Option<&'a [f32]>,
    /// Values in each expert, row-major.
    pub experts: &'a [&'a [f32]],
    /// What earlier merges of the same tensor of the same models have left; results do not depend on it.
    pub cache: Option<&'a TensorCache>,
    /// The result of the method's first pass over the whole model, for methods that have one.
    pub survey: Option<&'a Survey>,
}

impl TensorAcrossModels<'_> {
    /// The number of values: the product of the shape.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether the tensor has no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The base's values, or an error that names the method that needs them.
    pub fn base_for(&self, info: &Info) -> Result<&[f32], MergeError> {
        self.base.ok_or_else(|| MergeError::MissingBase { method: info.name, tensor: self.name.into() })
    }

    /// Demands that every slice is as long as the shape says and holds finite values only.
    pub(crate) fn check(&self) -> Result<(), MergeError> {
        if let Some(cache) = self.cache {
            let (expected, got) = (self.experts.len(), cache.len());
            if expected != got {
                return Err(MergeError::CacheMismatch { tensor: self.name.into(), expected, got });
            }
        }
        let base = self.base.map(|values| (Source::Base, values));
        let experts = self.experts.iter().enumerate().map(|(index, values)| (Source::Expert(index), *values));
        for (from, values) in base.into_iter().chain(experts) {
            self.check_length(from, values.len())?;
            if !self.cache.is_some_and(TensorCache::is_checked) {
                self.check_finite(from, 0, values)?;
            }
        }
        if let Some(cache) = self.cache {
            cache.mark_checked();
        }
        Ok(())
    }

    /// Demands that `got` is the number of values the shape gives.
    pub(crate) fn check_length(&self, from: Source, got: usize) -> Result<(), MergeError> {
        let expected = self.len();
        if got == expected { Ok(()) } else { Err(MergeError::Length { tensor: self.name.into(), from, expected, got }) }
    }

    /// Demands finite values; `start` is the index of the first.
    pub(crate) fn check_finite(&self, from: Source, start: usize, values: &[f32]) -> Result<(), MergeError> {
        // 0 * x is 0 for finite x and NaN otherwise; unlike a search that stops early, this runs in parallel lanes.
        if values.iter().fold(true, |finite, value| finite & (value * 0.0 == 0.0)) {
            return Ok(());
        }
        let found = values.iter().enumerate().find(|(_, value)| !value.is_finite());
        found.map_or(Ok(()), |(index, &value)| {
            Err(MergeError::NonFinite { tensor: self.name.into(), from, index: start + index, value })
        })
    }

    /// The whole task vector of an expert: the expert's values minus the base's.
    pub(crate) fn compute_task_vector(&self, base: &[f32], expert: usize) -> Result<Vec<f32>, MergeError> {
        let deltas: Vec<f32> = self.experts[expert].iter().zip(base).map(|(expert, base)| expert - base).collect();
        self.check_finite(Source::TaskVector(expert), 0, &deltas)?;
        Ok(deltas)
    }
}
