//! LATA: a task vector is added to an aligned model, the less of a layer the more it looks like alignment.

use crate::error::MergeError;
use crate::gram::Vectors;
use crate::info::{Info, Law, Laws, Role, SameModels};
use crate::kernel::Kernel;
use crate::merge_method::MergeMethod;
use crate::parameters::check_finite;
use crate::survey::Survey;
use crate::tensor::TensorAcrossModels;
use crate::tensor_source::TensorSource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Adds the task vector of a tuned model to the aligned model, layer by layer, attenuated where it resembles alignment.
///
/// In each layer the task vector, tuned minus pretrained, is compared with the alignment vector, aligned minus pretrained, by
/// their cosine. A high cosine says that the layer has mostly learned to follow instructions, which the aligned model does
/// already. The layers are ranked by that cosine, and the merged layer is the aligned one plus lambda times the layer's weight
/// times the task vector. With n layers, of which the r-th (from 0) is the r-th least similar, the weight is
/// 1 - r / (n - 1) by the schedule `linear`, 1 - ln(1 + r) / ln(n) by `logarithmic`, and 1 up to a cosine of `threshold`, else 0,
/// by `threshold`.
///
/// A layer is what the tensors' names have in common up to the layer's number; embeddings, the last norm and the output
/// projection are layers of their own. A layer in which nothing changed has the cosine 0. The schedules are the
/// paper's; their formulas are ours, as we could not read its own, and so is the choice of the aligned model to be added to.
///
/// # Example
/// ```toml
/// base = [0.0, 0.0]
/// experts = { tuned = [1.0, -1.0], aligned = [1.0, 1.0] }
/// merge.lata = { schedule = "threshold", threshold = 0.5, lambda = 0.5 }
/// merged = [1.5, 0.5]
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Lata {
    /// Coefficient of the task vector.
    pub lambda: f64,
    /// How a layer's weight follows from its similarity to alignment.
    pub schedule: LataSchedule,
    /// The largest cosine of a layer that is added, by the schedule `threshold`; the others do not look at it.
    pub threshold: f64,
}

/// How a layer's weight follows from its similarity to alignment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum LataSchedule {
    /// It falls evenly with the rank, from 1 to 0.
    #[default]
    Linear,
    /// It falls with the logarithm of the rank, from 1 to 0.
    Logarithmic,
    /// It is 1 up to a cosine, and 0 beyond.
    Threshold,
}

impl Default for Lata {
    fn default() -> Self {
        Self { lambda: 1.0, schedule: LataSchedule::default(), threshold: 0.95 }
    }
}

impl MergeMethod for Lata {
    const INFO: Info = Info::new("lata", "Layer-aware task arithmetic")
        .paper("arXiv:2502.20186", "Chen et al., 2025")
        .laws(Laws {
            same_models: SameModels::WithinOneUlp,
            weight_scaling: Law::Except("there are no weights"),
            ..Laws::ALL
        })
        .roles(&[
            Role::new("base", "the pretrained model that both others were tuned from"),
            Role::new("tuned", "the domain expert"),
            Role::new("aligned", "the aligned model").result_if(("tuned", "base"), &[]),
        ]);

    fn validate(&self, _experts: usize) -> Result<(), MergeError> {
        check_finite(&Self::INFO, "lambda", self.lambda as f32)?;
        check_finite(&Self::INFO, "threshold", self.threshold as f32)
    }

    fn needs_survey(&self) -> bool {
        true
    }

    fn survey<S: TensorSource>(&self, _experts: usize, source: &mut S) -> Result<Option<Survey>, S::Error> {
        // Inner products of task vector and alignment vector, by layer.
        let (mut products, mut layers): (BTreeMap<String, [f64; 3]>, BTreeMap<String, String>) = Default::default();
        source.visit(&mut |tensor| {
            let gram = tensor.gram(Vectors::TaskVectors)?;
            let layer = layer_of(tensor.name);
            let sums = products.entry(layer.to_owned()).or_default();
            for (sum, (a, b)) in sums.iter_mut().zip([(0, 1), (0, 0), (1, 1)]) {
                *sum += gram.product(a, b);
            }
            layers.insert(tensor.name.to_owned(), layer.to_owned());
            Ok(())
        })?;
        let cosine = |[product, tuned, aligned]: [f64; 3]| match tuned.sqrt() * aligned.sqrt() {
            0.0 => 0.0,
            norms => product / norms,
        };
        let mut cosines: Vec<(f64, &str)> =
            products.iter().map(|(layer, products)| (cosine(*products), layer.as_str())).collect();
        // Equal cosines in the order of the names.
        cosines.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        let weights: BTreeMap<&str, f64> = cosines
            .iter()
            .enumerate()
            .map(|(rank, (cosine, layer))| (*layer, self.weight(rank, cosines.len(), *cosine)))
            .collect();
        let weight = |layer: &String| weights.get(layer.as_str()).copied().unwrap_or_default();
        Ok(Some(Survey::new(layers.into_iter().map(|(tensor, layer)| (tensor, weight(&layer))).collect())))
    }

    fn prepare<'a>(&'a self, tensor: &TensorAcrossModels<'a>, _seed: u64) -> Result<Kernel<'a>, MergeError> {
        let weight = tensor.survey.and_then(|survey| survey.of::<f64>(tensor.name)).copied();
        let (method, experts) = (Self::INFO.name, tensor.experts.len());
        let missing = || MergeError::MissingSurvey { method, tensor: tensor.name.into(), experts };
        let coefficient = self.lambda * weight.ok_or_else(missing)?;
        Ok(Kernel::combination(-coefficient, vec![coefficient, 1.0]))
    }
}

impl Lata {
    /// The weight of the layer with this rank by similarity, of `count` layers.
    fn weight(&self, rank: usize, count: usize, cosine: f64) -> f64 {
        let fall = match self.schedule {
            LataSchedule::Threshold => return if cosine <= self.threshold { 1.0 } else { 0.0 },
            _ if rank == 0 => 0.0,
            LataSchedule::Linear => rank as f64 / (count - 1) as f64,
            LataSchedule::Logarithmic => ((1 + rank) as f64).ln() / (count as f64).ln(),
        };
        1.0 - fall
    }
}

/// A tensor's name up to the number of its layer; the whole name for a tensor outside of the layers.
fn layer_of(tensor: &str) -> &str {
    let mut end = 0;
    for part in tensor.split('.') {
        end += part.len();
        if !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) {
            return &tensor[..end];
        }
        end += 1;
    }
    tensor
}

#[cfg(test)]
mod tests;
