//! A model with an adapter on its projections.

use std::collections::BTreeSet;
use std::sync::Arc;

use burn::module::{Module, Param, ParamId};
use burn::tensor::{Device, Tensor as BurnTensor, TensorData};

use bunch_checkpoint::{StateDict, Tensor, factor_a, factor_b};

use crate::adapter::Adapter;
use crate::lora::{LoraAdapter, module_names};
use crate::tensor_shapes::fused_projections;
use crate::{Llama, LlamaError};

impl Llama {
    /// The model with an adapter on its projections, which are not changed. On a device that records gradients, the
    /// adapter's factors are then all that has any.
    ///
    /// # Errors
    /// A factor that is missing, has another shape, or belongs to no projection of the model.
    pub fn with_adapter(self, adapter: &LoraAdapter) -> Result<Self, LlamaError> {
        adapter.config.check()?;
        let (device, scale) = (self.device(), adapter.config.scale());
        // Numbered after the model's own parameters.
        let mut built = self.parts().len() as u64;
        let mut used = 0;
        let mut llama = self.no_grad();
        let projections = fused_projections(&llama.config);
        for (index, layer) in llama.model.layers.iter_mut().enumerate() {
            for (projection, linear) in projections.iter().zip(layer.linears_mut()) {
                let (mut adapters, mut start) = (Vec::new(), 0);
                for &(name, rows) in &projection.outputs {
                    let module = format!("model.layers.{index}.{}.{name}", projection.path);
                    let rank = adapter.config.rank;
                    if adapter.factors.contains_key(&factor_a(&module))
                        || adapter.factors.contains_key(&factor_b(&module))
                    {
                        let mut factor = |name: String, shape: [usize; 2]| {
                            built += 1;
                            used += 1;
                            load(&adapter.factors, name, shape, built, &device)
                        };
                        let a = factor(factor_a(&module), [rank, projection.input])?;
                        let b = factor(factor_b(&module), [rows, rank])?;
                        adapters.push(Adapter { a, b, start, scale });
                    }
                    start += rows;
                }
                linear.adapters = adapters;
            }
        }
        if used < adapter.factors.len() {
            let known: BTreeSet<String> =
                module_names(&llama.config).iter().flat_map(|module| [factor_a(module), factor_b(module)]).collect();
            let stray = adapter.factors.keys().find(|name| !known.contains(*name));
            return Err(LlamaError::UnexpectedTensor(stray.expect("more than were used").clone()));
        }
        Ok(llama)
    }

    /// The factors of the model's adapter under PEFT's names; empty if it has none.
    pub fn adapter_factors(&self) -> StateDict {
        let mut factors = StateDict::new();
        for (index, layer) in self.model.layers.iter().enumerate() {
            for (projection, linear) in fused_projections(&self.config).iter().zip(layer.linears()) {
                for adapter in &linear.adapters {
                    let mut start = 0;
                    let at_start = |(_, rows): &&(&str, usize)| {
                        start += rows;
                        start - rows == adapter.start
                    };
                    let (name, _) =
                        projection.outputs.iter().find(at_start).expect("adapters begin where a projection does");
                    let module = format!("model.layers.{index}.{}.{name}", projection.path);
                    for (name, param) in [(factor_a(&module), &adapter.a), (factor_b(&module), &adapter.b)] {
                        let data = param.val().into_data().try_to_vec::<f32>().expect("factors are f32");
                        factors.insert(name, Tensor { shape: param.dims().to_vec(), data: Arc::new(data) });
                    }
                }
            }
        }
        factors
    }
}

fn load(
    factors: &StateDict,
    name: String,
    shape: [usize; 2],
    id: u64,
    device: &Device,
) -> Result<Param<BurnTensor<2>>, LlamaError> {
    let Some(tensor) = factors.get(&name) else {
        return Err(LlamaError::MissingTensor { name, expected: shape.to_vec() });
    };
    if tensor.shape != shape {
        return Err(LlamaError::Shape { name, expected: shape.to_vec(), got: tensor.shape.clone() });
    }
    let value = BurnTensor::from_data(TensorData::new(tensor.data.to_vec(), shape), device);
    Ok(Param::initialized(ParamId::from(id), value.set_require_grad(device.is_autodiff())))
}
