//! What every merge method implements.

use crate::error::MergeError;
use crate::info::Info;
use crate::kernel::Kernel;
use crate::survey::Survey;
use crate::tensor::TensorAcrossModels;
use crate::tensor_source::TensorSource;

/// A way to merge models: a struct of its parameters that merges one tensor at a time.
///
/// The struct is the method's configuration, so it derives serde's traits and `JsonSchema`, denies unknown fields, and
/// documents every field. Its own doc comment is the method's documentation page: the concept, then the sections
/// `# Inputs` (unless its models have roles) and `# Example`; the example is executed as a test.
pub trait MergeMethod {
    /// What the method says about itself.
    const INFO: Info;

    /// Demands parameters that fit this number of experts, beyond what their types guarantee.
    fn validate(&self, experts: usize) -> Result<(), MergeError>;

    /// Whether the method has to [`survey`](MergeMethod::survey) the whole model with these parameters. All tensors
    /// must then be merged with the same parameters.
    fn needs_survey(&self) -> bool {
        false
    }

    /// Looks at the whole model before the first tensor is merged, for what one tensor cannot show; it is called only if
    /// [`needs_survey`](MergeMethod::needs_survey). The result is handed to [`MergeMethod::prepare`] with each tensor.
    fn survey<S: TensorSource>(&self, _experts: usize, _source: &mut S) -> Result<Option<Survey>, S::Error> {
        Ok(None)
    }

    /// Bytes that are held while a tensor of this shape is merged, besides blocks and bands: a limit of memory counts them.
    fn memory(_shape: &[usize]) -> usize {
        0
    }

    /// Looks at a tensor, in as many passes as it takes, and returns what merges one block of it.
    ///
    /// [`Method::prepare`](crate::Method::prepare) is the way to call it: it has checked that `validate` agrees, that
    /// the number of experts is one the method takes, and that all models have as many values as the shape says; when
    /// blocks are merged, values that are not finite are refused, in the input and in the result. Whatever is random is
    /// drawn from a stream keyed by `seed` and the tensor's name.
    fn prepare<'a>(&'a self, tensor: &TensorAcrossModels<'a>, seed: u64) -> Result<Kernel<'a>, MergeError>;
}
