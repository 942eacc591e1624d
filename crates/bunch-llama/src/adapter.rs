//! A low-rank adapter (LoRA) in the module: what it adds to some rows of a projection.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use crate::ops::project;

/// `b a (scale x)`, added to `rows` rows of a projection from row `start` on (Hu et al. 2021, equation 3).
#[derive(Module, Debug)]
pub struct Adapter {
    /// `[rank, in]`.
    pub(crate) a: Param<Tensor<2>>,
    /// `[rows, rank]`.
    pub(crate) b: Param<Tensor<2>>,
    #[module(skip)]
    pub(crate) start: usize,
    #[module(skip)]
    pub(crate) scale: f64,
}

impl Adapter {
    /// What the adapters, in ascending order of their rows, add to a projection of `x` `[batch, in]`: `[batch, out]`.
    pub(crate) fn outputs(adapters: &[Self], x: Tensor<2>, out: usize) -> Tensor<2> {
        let (batch, device) = (x.dims()[0], x.device());
        let zeros = |width: usize| Tensor::zeros([batch, width], &device);
        let (mut parts, mut end) = (Vec::new(), 0);
        for adapter in adapters {
            if adapter.start > end {
                parts.push(zeros(adapter.start - end));
            }
            let low = project(x.clone(), adapter.a.val()).mul_scalar(adapter.scale);
            parts.push(project(low, adapter.b.val()));
            end = adapter.start + adapter.b.dims()[0];
        }
        if end < out {
            parts.push(zeros(out - end));
        }
        if parts.len() == 1 { parts.remove(0) } else { Tensor::cat(parts, 1) }
    }
}
