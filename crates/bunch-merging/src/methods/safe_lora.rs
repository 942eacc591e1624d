//! Safe LoRA on full weights: what tuning changed is projected onto what alignment changed, where the two disagree.

use crate::error::MergeError;
use crate::info::{Info, Law, Laws, Role};
use crate::kernel::Kernel;
use crate::merge_method::MergeMethod;
use crate::parameters::check_finite;
use crate::projection::{Projection, TUNED};
use crate::survey::Survey;
use crate::tensor::TensorAcrossModels;
use crate::tensor_source::TensorSource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Projects what tuning changed onto what alignment changed, in the matrices in which the two disagree.
///
/// For each matrix V is the aligned model minus the pretrained one, and D the tuned model minus the aligned one. The
/// projection C D, with C = V Vᵀ / |V|, keeps of D what lies in the directions in which alignment moved the matrix. Where
/// the cosine of C D and D is at most the threshold, D is replaced by C D; elsewhere, and in vectors, the tuned model stays as
/// it is. With `number`, as many matrices are projected as it says, those with the smallest cosines, and all that equal the
/// last of them; `threshold` then says nothing. Where alignment changed nothing there is nothing to project onto, and the
/// tuned model stays as it is.
///
/// The paper projects the updates of LoRA adapters; this is the same rule for a model whose weights were all tuned. C is not
/// an exact projection and carries the units of V: C D is usually much shorter than D.
///
/// # Example
/// ```toml
/// shape = [2, 2]
/// base = [0.0, 0.0, 0.0, 0.0]
/// experts = { tuned = [1.5, 0.0, 0.0, 3.0], aligned = [0.5, 0.0, 0.0, 0.0] }
/// merge.safe_lora = { threshold = 0.35 }
/// merged = [1.0, 0.0, 0.0, 0.0]
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SafeLora {
    /// Largest cosine of a matrix that is projected: 0.35 in the paper for Llama-2, 0.5 in its code.
    pub threshold: f64,
    /// How many matrices are projected, whatever the threshold; 0 for those up to the threshold.
    pub number: u32,
}

impl Default for SafeLora {
    fn default() -> Self {
        Self { threshold: 0.5, number: 0 }
    }
}

impl MergeMethod for SafeLora {
    const INFO: Info = Info::new("safe_lora", "Safe LoRA on full weights")
        .paper("arXiv:2405.16833", "Hsu et al., 2024")
        .laws(Laws {
            weight_scaling: Law::Except("there are no weights"),
            homogeneity: Law::Except("the projection carries the units of what alignment changed"),
            ..Laws::ALL
        })
        .roles(&[
            Role::new("base", "the pretrained model that the aligned one was made from"),
            Role::new("tuned", "the model tuned from the aligned one").result_if(("aligned", "base"), &[]),
            Role::new("aligned", "the aligned model").result_if(("tuned", "aligned"), &[]),
        ]);

    fn validate(&self, _experts: usize) -> Result<(), MergeError> {
        check_finite(&Self::INFO, "threshold", self.threshold as f32)
    }

    fn needs_survey(&self) -> bool {
        self.number > 0
    }

    fn survey<S: TensorSource>(&self, _experts: usize, source: &mut S) -> Result<Option<Survey>, S::Error> {
        let mut cosines = BTreeMap::new();
        source.visit(&mut |tensor| {
            cosines.extend(Projection::cosine_of(tensor)?.map(|cosine| (tensor.name.to_owned(), cosine)));
            Ok(())
        })?;
        let mut sorted: Vec<f64> = cosines.values().copied().collect();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.get((self.number as usize).min(sorted.len()).saturating_sub(1)).copied();
        // Ties may make it more than the number, as in the released code.
        let is_projected = |cosine: f64| last.is_some_and(|last| cosine <= last);
        Ok(Some(Survey::new(cosines.into_iter().map(|(name, cosine)| (name, is_projected(cosine))).collect())))
    }

    fn prepare<'a>(&'a self, tensor: &TensorAcrossModels<'a>, _seed: u64) -> Result<Kernel<'a>, MergeError> {
        if self.number > 0 && tensor.survey.is_none() {
            let (method, experts) = (Self::INFO.name, tensor.experts.len());
            return Err(MergeError::MissingSurvey { method, tensor: tensor.name.into(), experts });
        }
        let projection = Projection::of(tensor)?;
        let is_projected = |cosine: f64| match self.number {
            0 => cosine <= self.threshold,
            _ => tensor.survey.and_then(|survey| survey.of(tensor.name)).copied().unwrap_or(false),
        };
        Ok(match projection.cosine() {
            Some(cosine) if is_projected(cosine) => Projection::kernel(projection),
            _ => Kernel::copy_of(TUNED),
        })
    }

    fn memory(shape: &[usize]) -> usize {
        Projection::memory(shape)
    }
}

#[cfg(test)]
mod tests;
