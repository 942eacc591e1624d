//! AdamW (Loshchilov and Hutter 2019), in one pass over each parameter.

use std::sync::Arc;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor as BurnTensor;
use rayon::prelude::*;

use bunch_checkpoint::{StateDict, Tensor};
use bunch_transformer::Llama;

use crate::gradient::{Gradient, values, values_mut};

/// Added to the root of the second moment.
const EPSILON: f32 = 1e-8;

/// Values of one task.
const CHUNK: usize = 1 << 16;

/// Exponential means of each parameter's gradient and of its square, by the parameter's path in the module, updated in host
/// memory: for the flex backend that is where the parameters are.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AdamW {
    betas: [f32; 2],
    weight_decay: f32,
    /// Steps that were done.
    steps: i32,
    first: StateDict,
    second: StateDict,
}

/// What one step does to every value alike.
struct Update {
    betas: [f32; 2],
    /// `1 - beta^steps`.
    corrections: [f32; 2],
    gradient_scale: f32,
    keep: f32,
    learning_rate: f32,
}

impl AdamW {
    pub(crate) fn new(betas: [f32; 2], weight_decay: f32) -> Self {
        Self { betas, weight_decay, steps: 0, first: StateDict::new(), second: StateDict::new() }
    }

    /// The moments, to be saved: means and means of squares by the parameter's path.
    pub(crate) fn moments(&self) -> [&StateDict; 2] {
        [&self.first, &self.second]
    }

    /// Continues after `steps` steps that left these moments.
    pub(crate) fn resume(&mut self, steps: usize, [first, second]: [StateDict; 2]) {
        (self.steps, self.first, self.second) = (steps as i32, first, second);
    }

    /// One step along `gradient * gradient_scale`; parameters without a gradient stay as they are.
    pub(crate) fn step(&mut self, model: Llama, gradient: Gradient, gradient_scale: f32, learning_rate: f64) -> Llama {
        self.steps += 1;
        let update = Update {
            betas: self.betas,
            corrections: self.betas.map(|beta| 1.0 - beta.powi(self.steps)),
            gradient_scale,
            keep: (1.0 - learning_rate * f64::from(self.weight_decay)) as f32,
            learning_rate: learning_rate as f32,
        };
        model.map(&mut Stepper { optimizer: self, gradient, update, path: Vec::new() })
    }
}

struct Stepper<'a> {
    optimizer: &'a mut AdamW,
    gradient: Gradient,
    update: Update,
    path: Vec<String>,
}

impl ModuleMapper for Stepper<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<BurnTensor<D>>) -> Param<BurnTensor<D>> {
        let (id, tensor, mapper) = param.consume();
        let Some(gradient) = self.gradient.take(id.val()) else {
            return Param::from_mapped_value(id, tensor, mapper);
        };
        let (device, shape) = (tensor.device(), tensor.dims().to_vec());
        let mut data = tensor.inner().into_data();
        let name = self.path.join(".");
        let count = values(&data).len();
        let fresh = || Tensor { shape: shape.clone(), data: Arc::new(vec![0.0; count]) };
        let first = self.optimizer.first.entry(name.clone()).or_insert_with(fresh);
        let second = self.optimizer.second.entry(name).or_insert_with(fresh);
        let chunks = values_mut(&mut data).par_chunks_mut(CHUNK).zip(values(&gradient).par_chunks(CHUNK));
        let first = Arc::make_mut(&mut first.data).par_chunks_mut(CHUNK);
        let second = Arc::make_mut(&mut second.data).par_chunks_mut(CHUNK);
        chunks.zip(first.zip(second)).for_each(|((weights, gradient), (first, second))| {
            self.update.apply(weights, gradient, first, second);
        });
        let tensor = BurnTensor::from_data(data, &device).require_grad();
        Param::from_mapped_value(id, tensor, mapper)
    }
}

impl Update {
    fn apply(&self, weights: &mut [f32], gradient: &[f32], first: &mut [f32], second: &mut [f32]) {
        let [beta_1, beta_2] = self.betas;
        let [correction_1, correction_2] = self.corrections;
        let (fresh_1, fresh_2) = (1.0 - beta_1, 1.0 - beta_2);
        for (((weight, gradient), first), second) in weights.iter_mut().zip(gradient).zip(first).zip(second) {
            let gradient = gradient * self.gradient_scale;
            *first = *first * beta_1 + gradient * fresh_1;
            *second = *second * beta_2 + gradient * gradient * fresh_2;
            let step = (*first / correction_1) / ((*second / correction_2).sqrt() + EPSILON);
            *weight = *weight * self.keep - step * self.learning_rate;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AdamW, Update};

    /// torch.optim.AdamW on one weight of 1 with gradients 0.5 and -0.25, lr 0.1, betas (0.9, 0.99), weight decay 0.1.
    #[test]
    fn two_steps_by_hand() {
        let (mut weight, mut first, mut second) = ([1.0f32], [0.0f32], [0.0f32]);
        for (step, gradient) in [(1, 0.5), (2, -0.25)] {
            let betas = [0.9f32, 0.99];
            let corrections = betas.map(|beta| 1.0 - beta.powi(step));
            let update = Update { betas, corrections, gradient_scale: 0.5, keep: 0.99, learning_rate: 0.1 };
            update.apply(&mut weight, &[2.0 * gradient], &mut first, &mut second);
        }
        // Step 1: 0.99 - 0.1 = 0.89. Step 2: m = 0.9 * 0.05 - 0.025 = 0.02, v = 0.99 * 0.0025 + 0.000625 = 0.0031;
        // 0.89 * 0.99 - 0.1 * (0.02 / 0.19) / sqrt(0.0031 / 0.0199).
        let expected = 0.89 * 0.99 - 0.1 * (0.02 / 0.19) / (0.0031f64 / 0.0199).sqrt();
        assert!((f64::from(weight[0]) - expected).abs() < 1e-6, "{} against {expected}", weight[0]);
    }

    #[test]
    fn resuming_restores_everything() {
        let mut optimizer = AdamW::new([0.9, 0.98], 0.01);
        optimizer.steps = 7;
        let mut other = AdamW::new([0.9, 0.98], 0.01);
        other.resume(7, optimizer.moments().map(Clone::clone));
        assert_eq!(other, optimizer);
    }
}
