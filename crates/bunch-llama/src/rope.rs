//! Rotary position embedding, the half-split kind of Llama.

use burn::tensor::{Device, Tensor, TensorData};

use crate::LlamaConfig;

/// cos and sin of the angles `position * theta^(-2i / head_dim)`, each `[positions, head_dim / 2]`.
#[derive(Debug, Clone)]
pub(crate) struct Rope {
    pub(crate) cos: Tensor<2>,
    pub(crate) sin: Tensor<2>,
}

impl Rope {
    /// Angles of the given positions, one row each.
    pub(crate) fn at(positions: impl ExactSizeIterator<Item = usize>, config: &LlamaConfig, device: &Device) -> Self {
        let half = config.head_dim / 2;
        // Frequencies and angles in f32 as in transformers, so that long positions round alike.
        let frequencies: Vec<f32> =
            (0..half).map(|i| (1.0 / config.rope_theta.powf(2.0 * i as f64 / config.head_dim as f64)) as f32).collect();
        let shape = [positions.len(), half];
        let angles: Vec<f32> =
            positions.flat_map(|position| frequencies.iter().map(move |f| position as f32 * f)).collect();
        let tensor = |f: fn(f32) -> f32| {
            Tensor::from_data(TensorData::new(angles.iter().map(|&a| f(a)).collect::<Vec<f32>>(), shape), device)
        };
        Self { cos: tensor(f32::cos), sin: tensor(f32::sin) }
    }
}

/// Rotates `x` `[batch, heads, seq, head_dim]`; `cos` and `sin` broadcast as `[batch or 1, 1, seq, head_dim / 2]`.
pub(crate) fn rotate(x: Tensor<4>, cos: Tensor<4>, sin: Tensor<4>) -> Tensor<4> {
    let half = x.dims()[3] / 2;
    let (a, b) = (x.clone().narrow(3, 0, half), x.narrow(3, half, half));
    Tensor::cat(vec![a.clone() * cos.clone() - b.clone() * sin.clone(), b * cos + a * sin], 3)
}
