//! Leaving parameters out of training.

use std::collections::BTreeSet;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;

use bunch_checkpoint::names_module;

use crate::parts::Slot;
use crate::{Llama, LlamaError};

impl Llama {
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
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.frozen.contains(&param.id.val()) { param.set_require_grad(false) } else { param }
    }
}
