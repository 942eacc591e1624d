//! Root mean square layer normalisation.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use crate::kernels;

/// RMSNorm: `x / sqrt(mean(x^2) + eps) * weight`.
#[derive(Module, Debug)]
pub(crate) struct RmsNorm {
    pub(crate) weight: Param<Tensor<1>>,
    #[module(skip)]
    pub(crate) eps: f64,
}

impl RmsNorm {
    /// `x` and the result: `[rows, hidden_size]`.
    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        if kernels::available(&x.device()) {
            return kernels::rms_norm(x, self.weight.val(), self.eps);
        }
        composed(x, self.weight.val(), self.eps)
    }
}

/// The formula in burn's own operations.
pub(crate) fn composed(x: Tensor<2>, weight: Tensor<1>, eps: f64) -> Tensor<2> {
    let mean_square = x.clone().powi_scalar(2).mean_dim(1); // [rows, 1]
    x * (mean_square + eps).sqrt().recip() * weight.unsqueeze()
}
