//! What does not change between merges of the same models.

use crate::error::MergeError;
use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Memoises what does not change between merges of one tensor of the same models with different coefficients: task
/// vectors' ranks, angles, whatever a method asks it to.
///
/// It fills as methods ask and is safe to share between threads. It belongs to one tensor of one list of models: using
/// it with other models gives wrong results. Results with and without a cache are bit-identical.
#[derive(Debug)]
pub struct TensorCache {
    experts: usize,
    is_small: bool,
    checked: OnceLock<()>,
    found: Mutex<BTreeMap<Key, Arc<dyn Any + Send + Sync>>>,
}

/// Type, name, and number of what was found.
type Key = (TypeId, &'static str, usize);

impl TensorCache {
    /// An empty cache for a tensor with this number of experts.
    pub fn new(experts: usize) -> Self {
        Self { experts, is_small: false, checked: OnceLock::new(), found: Mutex::default() }
    }

    /// As [`TensorCache::new`], for models that are not to be in memory: nothing as large as the tensor is kept.
    pub fn small(experts: usize) -> Self {
        Self { is_small: true, ..Self::new(experts) }
    }

    /// Whether only what is small is kept.
    pub(crate) fn is_small(&self) -> bool {
        self.is_small
    }

    /// The number of experts the cache is for.
    pub fn len(&self) -> usize {
        self.experts
    }

    /// Whether the cache is for no experts at all.
    pub fn is_empty(&self) -> bool {
        self.experts == 0
    }

    /// Whether all inputs are known to be finite.
    pub(crate) fn is_checked(&self) -> bool {
        self.checked.get().is_some()
    }

    /// Remembers that all inputs are finite.
    pub(crate) fn mark_checked(&self) {
        self.checked.get_or_init(|| ());
    }

    /// What was found under this name and number, or else what `find` finds now. Threads that ask at the same time may
    /// each find it; they find the same.
    pub(crate) fn remember<T: Any + Send + Sync>(
        &self,
        name: &'static str,
        number: usize,
        find: impl FnOnce() -> Result<T, MergeError>,
    ) -> Result<Arc<T>, MergeError> {
        let key = (TypeId::of::<T>(), name, number);
        let known = || self.found.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(Ok(known)) = known().map(Arc::downcast) {
            return Ok(known);
        }
        let found = Arc::new(find()?);
        self.found.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_insert_with(|| found.clone());
        Ok(found)
    }
}
