//! A low-rank adapter (LoRA) in the module: what it adds to some rows of a projection.

use std::collections::BTreeSet;
use std::sync::Arc;

use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::tensor::{Device, Tensor as BurnTensor, TensorData};

use bunch_checkpoint::{StateDict, Tensor, factor_a, factor_b, names_module};

use crate::lora::{LoraAdapter, module_names};
use crate::model::project;
use crate::parts::{Slot, joints};
use crate::{Llama, LlamaError};

/// `b a (scale x)`, added to `rows` rows of a projection from row `start` on (Hu et al. 2021, equation 3).
#[derive(Module, Debug)]
pub struct Adapter {
    /// `[rank, in]`.
    pub(crate) a: Param<BurnTensor<2>>,
    /// `[rows, rank]`.
    pub(crate) b: Param<BurnTensor<2>>,
    #[module(skip)]
    pub(crate) start: usize,
    #[module(skip)]
    pub(crate) scale: f64,
}

impl Adapter {
    /// What the adapters, in ascending order of their rows, add to a projection of `x` `[batch, in]`: `[batch, out]`.
    pub(crate) fn outputs(adapters: &[Self], x: BurnTensor<2>, out: usize) -> BurnTensor<2> {
        let (batch, device) = (x.dims()[0], x.device());
        let zeros = |width: usize| BurnTensor::zeros([batch, width], &device);
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
        if parts.len() == 1 { parts.remove(0) } else { BurnTensor::cat(parts, 1) }
    }
}

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
        let joints = joints(&llama.config);
        for (index, layer) in llama.model.layers.iter_mut().enumerate() {
            for (joint, linear) in joints.iter().zip(layer.linears_mut()) {
                let (mut adapters, mut start) = (Vec::new(), 0);
                for &(name, rows) in &joint.outputs {
                    let module = format!("model.layers.{index}.{}.{name}", joint.path);
                    let rank = adapter.config.rank;
                    if adapter.factors.contains_key(&factor_a(&module))
                        || adapter.factors.contains_key(&factor_b(&module))
                    {
                        let mut factor = |name: String, shape: [usize; 2]| {
                            built += 1;
                            used += 1;
                            load(&adapter.factors, name, shape, built, &device)
                        };
                        let a = factor(factor_a(&module), [rank, joint.input])?;
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
            for (joint, linear) in joints(&self.config).iter().zip(layer.linears()) {
                for adapter in &linear.adapters {
                    let mut start = 0;
                    let at_start = |(_, rows): &&(&str, usize)| {
                        start += rows;
                        start - rows == adapter.start
                    };
                    let (name, _) =
                        joint.outputs.iter().find(at_start).expect("adapters begin where a projection does");
                    let module = format!("model.layers.{index}.{}.{name}", joint.path);
                    for (name, param) in [(factor_a(&module), &adapter.a), (factor_b(&module), &adapter.b)] {
                        let data = param.val().into_data().try_to_vec::<f32>().expect("factors are f32");
                        factors.insert(name, Tensor { shape: param.dims().to_vec(), data: Arc::new(data) });
                    }
                }
            }
        }
        factors
    }

    /// The model with the parameters of the named modules left out of training: `embed_tokens`, `layers.0`, `mlp`, `norm`
    /// and so on, parts of tensor names between dots. A tied output projection is its embedding.
    ///
    /// # Errors
    /// A name that no tensor has, or that covers only a part of what is one matrix here: q, k and v, or gate and up.
    pub fn freeze(self, names: &[String]) -> Result<Self, LlamaError> {
        let mut frozen = BTreeSet::new();
        for name in names {
            let parts = self.parts().into_iter();
            let (inside, outside): (Vec<_>, Vec<_>) = parts.partition(|part| names_module(&part.name, name));
            if inside.is_empty() {
                return Err(LlamaError::Freeze { name: name.clone(), what: "no tensor has this name".into() });
            }
            let ids: BTreeSet<u64> = inside.iter().map(|part| id(part.slot)).collect();
            if let Some(part) = outside.iter().find(|part| ids.contains(&id(part.slot))) {
                let what = format!("it is trained together with `{}`, which has to be frozen too", part.name);
                return Err(LlamaError::Freeze { name: name.clone(), what });
            }
            frozen.extend(ids);
        }
        Ok(self.map(&mut Freezer { frozen }))
    }
}

fn id(slot: Slot<'_>) -> u64 {
    match slot {
        Slot::Matrix(param) => param.id.val(),
        Slot::Vector(param) => param.id.val(),
    }
}

/// Takes the gradient from the parameters of these ids.
struct Freezer {
    frozen: BTreeSet<u64>,
}

impl ModuleMapper for Freezer {
    fn map_float<const D: usize>(&mut self, param: Param<BurnTensor<D>>) -> Param<BurnTensor<D>> {
        if self.frozen.contains(&param.id.val()) { param.set_require_grad(false) } else { param }
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
