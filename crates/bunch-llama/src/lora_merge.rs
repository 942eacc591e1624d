//! The weights of a model with its adapter merged in.

use std::sync::Arc;

use bunch_checkpoint::{LowRankDelta, StateDict, Tensor, factor_a, factor_b, module_of_factor};

use crate::LlamaError;
use crate::lora::LoraAdapter;

impl LoraAdapter {
    /// `W + scale B A` for each weight that the adapter is for, and the other weights as they are (Hu et al. 2021, equation
    /// 3); `weights` are under Hugging Face's names. The arithmetic is that of merging the adapter's files, to the bit.
    ///
    /// # Errors
    /// A factor whose weight or partner is missing, or whose shape does not fit.
    pub fn merge_into(&self, weights: &StateDict) -> Result<StateDict, LlamaError> {
        self.config.check()?;
        let mut merged = weights.clone();
        for name in self.factors.keys() {
            let unexpected = || LlamaError::UnexpectedTensor(name.clone());
            let module = module_of_factor(name).ok_or_else(unexpected)?;
            let weight = format!("{module}.weight");
            let start = weights.get(&weight).ok_or_else(unexpected)?;
            let &[rows, columns] = &start.shape[..] else { return Err(unexpected()) };
            let rank = self.config.rank;
            let b = self.factor(&factor_b(module), [rows, rank])?;
            let a = self.factor(&factor_a(module), [rank, columns])?;
            // Each product once: at the factor that comes last.
            if *name == factor_b(module) {
                let mut data = start.data.to_vec();
                LowRankDelta::new(a, b, self.config.scale() as f32).add_to(0, &mut data);
                merged.insert(weight, Tensor { shape: start.shape.clone(), data: Arc::new(data) });
            }
        }
        Ok(merged)
    }

    fn factor(&self, name: &str, shape: [usize; 2]) -> Result<&Tensor, LlamaError> {
        let expected = shape.to_vec();
        match self.factors.get(name) {
            None => Err(LlamaError::MissingTensor { name: name.into(), expected }),
            Some(tensor) if tensor.shape != shape => {
                Err(LlamaError::Shape { name: name.into(), expected, got: tensor.shape.clone() })
            }
            Some(tensor) => Ok(tensor),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bunch_checkpoint::{StateDict, Tensor};

    use crate::{LoraAdapter, LoraConfig};

    fn tensor(shape: [usize; 2], data: &[f32]) -> Tensor {
        Tensor { shape: shape.into(), data: Arc::new(data.to_vec()) }
    }

    fn adapter() -> LoraAdapter {
        let config =
            LoraConfig { rank: 1, alpha: 2.0, use_rslora: false, target_modules: ["q_proj".to_string()].into() };
        let name = |factor| format!("base_model.model.model.layers.0.self_attn.q_proj.lora_{factor}.weight");
        let factors = [(name("A"), tensor([1, 3], &[1.0, 2.0, 3.0])), (name("B"), tensor([2, 1], &[10.0, -1.0]))];
        LoraAdapter { config, factors: factors.into() }
    }

    fn weights() -> StateDict {
        let weight = tensor([2, 3], &[1.0, 1.0, 1.0, 0.0, 0.0, 0.5]);
        let other = tensor([1, 1], &[7.0]);
        [("model.layers.0.self_attn.q_proj.weight".into(), weight), ("other".into(), other)].into()
    }

    #[test]
    fn a_product_of_rank_one_by_hand() {
        let merged = adapter().merge_into(&weights()).unwrap();
        let weight = &merged["model.layers.0.self_attn.q_proj.weight"];
        assert_eq!((&weight.shape[..], &weight.data[..]), (&[2, 3][..], &[21.0, 41.0, 61.0, -2.0, -4.0, -5.5][..]));
        assert_eq!(merged["other"], weights()["other"]);
        assert_eq!(merged.len(), 2);
    }

    #[test]
    fn factors_that_do_not_fit_are_refused() {
        let refused = |change: &dyn Fn(&mut StateDict, &mut StateDict)| {
            let (mut adapter, mut weights) = (adapter(), weights());
            change(&mut adapter.factors, &mut weights);
            adapter.merge_into(&weights).unwrap_err().to_string()
        };
        let (a, b) = (
            "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight",
            "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight",
        );
        assert!(refused(&|factors, _| drop(factors.remove(a))).contains("lora_A.weight` is missing"));
        assert!(refused(&|factors, _| drop(factors.remove(b))).contains("lora_B.weight` is missing"));
        let message = refused(&|factors, _| factors.get_mut(b).unwrap().shape = vec![1, 2]);
        assert!(message.contains("has shape [1, 2], expected [2, 1]"), "{message}");
        assert!(refused(&|_, weights| weights.clear()).contains("does not belong"));
        assert!(refused(&|factors, _| drop(factors.insert("x".into(), tensor([1, 1], &[0.0])))).contains("`x`"));
    }
}
