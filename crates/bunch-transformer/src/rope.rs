//! Rotary position embedding, the half-split kind of Llama.

use burn::tensor::{Device, Tensor, TensorData};

use crate::{LlamaConfig, RopeScaling};

/// cos and sin of the angles `position * frequency`, each `[positions, head_dim / 2]`.
#[derive(Debug, Clone)]
pub(crate) struct Rope {
    pub(crate) cos: Tensor<2>,
    pub(crate) sin: Tensor<2>,
}

impl Rope {
    /// Angles of the given positions, one row each.
    pub(crate) fn at(positions: impl ExactSizeIterator<Item = usize>, config: &LlamaConfig, device: &Device) -> Self {
        let frequencies = frequencies(config);
        let shape = [positions.len(), frequencies.len()];
        // Angles in f32 as in transformers, so that long positions round alike.
        let angles: Vec<f32> =
            positions.flat_map(|position| frequencies.iter().map(move |f| position as f32 * f)).collect();
        let tensor = |f: fn(f32) -> f32| {
            Tensor::from_data(TensorData::new(angles.iter().map(|&a| f(a)).collect::<Vec<f32>>(), shape), device)
        };
        Self { cos: tensor(f32::cos), sin: tensor(f32::sin) }
    }
}

/// `theta^(-2i / head_dim)`, stretched as the configuration says; `head_dim / 2` values in f32 as in transformers.
fn frequencies(config: &LlamaConfig) -> Vec<f32> {
    let plain = |i: usize| (1.0 / config.rope_theta.powf(2.0 * i as f64 / config.head_dim as f64)) as f32;
    (0..config.head_dim / 2).map(|i| stretched(plain(i), config.rope_scaling)).collect()
}

/// One frequency after scaling; `_compute_llama3_parameters` of transformers' modeling_rope_utils.
fn stretched(frequency: f32, scaling: Option<RopeScaling>) -> f32 {
    match scaling {
        None => frequency,
        Some(RopeScaling::Linear { factor }) => frequency / factor as f32,
        Some(RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_max_position_embeddings }) => {
            let (factor, low, high) = (factor as f32, low_freq_factor as f32, high_freq_factor as f32);
            let context = original_max_position_embeddings as f32;
            let wavelength = 2.0 * std::f32::consts::PI / frequency;
            if wavelength > context / low {
                frequency / factor
            } else if wavelength < context / high {
                frequency
            } else {
                let smooth = (context / wavelength - low) / (high - low);
                (1.0 - smooth) * frequency / factor + smooth * frequency
            }
        }
    }
}

/// Rotates `x` `[batch, heads, seq, head_dim]`; `cos` and `sin` broadcast as `[batch or 1, 1, seq, head_dim / 2]`.
pub(crate) fn rotate(x: Tensor<4>, cos: Tensor<4>, sin: Tensor<4>) -> Tensor<4> {
    let half = x.dims()[3] / 2;
    let (a, b) = (x.clone().narrow(3, 0, half), x.narrow(3, half, half));
    Tensor::cat(vec![a.clone() * cos.clone() - b.clone() * sin.clone(), b * cos + a * sin], 3)
}

#[cfg(test)]
mod tests {
    use super::stretched;
    use crate::RopeScaling;

    #[test]
    fn llama3_keeps_high_and_divides_low_frequencies() {
        let scaling = RopeScaling::Llama3 {
            factor: 8.0,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_max_position_embeddings: 64.0,
        };
        let at = |wavelength: f32| stretched(2.0 * std::f32::consts::PI / wavelength, Some(scaling)) * wavelength;
        let turn = 2.0 * std::f32::consts::PI;
        assert!((at(10.0) - turn).abs() < 1e-5, "shorter than 64 / 4: kept");
        assert!((at(100.0) - turn / 8.0).abs() < 1e-5, "longer than 64: divided by 8");
        // Between: smooth = (64 / 32 - 1) / (4 - 1) = 1/3, so (2/3) / 8 + 1/3 = 5/12 of the frequency.
        assert!((at(32.0) - turn * 5.0 / 12.0).abs() < 1e-5);
        assert_eq!(stretched(0.5, Some(RopeScaling::Linear { factor: 2.0 })), 0.25);
    }
}
