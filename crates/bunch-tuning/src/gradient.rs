//! The gradient of one step, in host memory.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor, TensorData};
use rayon::prelude::*;

use bunch_transformer::Llama;

/// Values that are summed one after the other; part of the arithmetic, so never the number of threads.
const CHUNK: usize = 1 << 16;

/// Independent sums of a chunk: enough to keep the processor busy.
const LANES: usize = 16;

/// The gradient of each trained parameter, by the parameter's number.
#[derive(Default)]
pub(crate) struct Gradient {
    values: BTreeMap<u64, TensorData>,
}

/// The values of an f32 tensor.
pub(crate) fn values(data: &TensorData) -> &[f32] {
    data.as_slice().expect("parameters and their gradients are f32")
}

/// The values of an f32 tensor, to be changed.
pub(crate) fn values_mut(data: &mut TensorData) -> &mut [f32] {
    data.as_mut_slice().expect("parameters and their gradients are f32, in memory of their own")
}

impl Gradient {
    /// Takes the gradients of `model` out of what a backward pass left, and adds them.
    pub(crate) fn add(&mut self, model: &Llama, grads: Gradients) {
        struct Taker<'a> {
            grads: Gradients,
            values: &'a mut BTreeMap<u64, TensorData>,
        }
        impl ModuleVisitor for Taker<'_> {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                let Some(grad) = param.val().grad_remove(&mut self.grads) else { return };
                let data = grad.into_data();
                match self.values.get_mut(&param.id.val()) {
                    Some(sum) => {
                        let pairs = values_mut(sum).par_chunks_mut(CHUNK).zip(values(&data).par_chunks(CHUNK));
                        pairs.for_each(|(sum, part)| sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part));
                    }
                    None => {
                        self.values.insert(param.id.val(), data);
                    }
                }
            }
        }
        model.visit(&mut Taker { grads, values: &mut self.values });
    }

    /// The Euclidean norm of all gradients together.
    pub(crate) fn norm(&self) -> f64 {
        let chunks: Vec<&[f32]> = self.values.values().flat_map(|data| values(data).chunks(CHUNK)).collect();
        let sums: Vec<f64> = chunks.par_iter().map(|chunk| square_sum(chunk)).collect();
        sums.iter().sum::<f64>().sqrt()
    }

    /// The gradient of the parameter with this number.
    pub(crate) fn take(&mut self, id: u64) -> Option<TensorData> {
        self.values.remove(&id)
    }
}

fn square_sum(chunk: &[f32]) -> f64 {
    let mut lanes = [0.0f64; LANES];
    let (groups, rest) = chunk.as_chunks::<LANES>();
    for group in groups {
        for (lane, value) in lanes.iter_mut().zip(group) {
            *lane += f64::from(*value) * f64::from(*value);
        }
    }
    lanes.iter().sum::<f64>() + rest.iter().map(|value| f64::from(*value) * f64::from(*value)).sum::<f64>()
}
