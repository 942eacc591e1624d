//! All tensors of a merge, for methods that look at the whole model first.

use crate::error::MergeError;
use crate::tensor::TensorAcrossModels;

/// All tensors of a merge, as often as asked.
pub trait TensorSource {
    /// What can go wrong, reading the tensors included.
    type Error: From<MergeError>;

    /// Calls `visit` for every tensor, in the order of the names, the same each time; stops at the first error.
    fn visit(
        &mut self,
        visit: &mut dyn FnMut(&TensorAcrossModels<'_>) -> Result<(), MergeError>,
    ) -> Result<(), Self::Error>;
}
