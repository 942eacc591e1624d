//! Fisher merging: the mean of two models, each entry weighted by how much it matters.

use crate::error::MergeError;
use crate::gram::dot;
use crate::info::{Info, Law, Laws, Role, SameModels};
use crate::kernel::Kernel;
use crate::merge_method::MergeMethod;
use crate::parameters::{Fraction, check_not_negative};
use crate::survey::Survey;
use crate::tensor::TensorAcrossModels;
use crate::tensor_source::TensorSource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Averages a tuned and an aligned model, each entry weighted by its Fisher information in each model.
///
/// The Fisher information of an entry is the mean square of the gradient of an answer's log-likelihood: how much the model's
/// answers depend on it. `bunch importance --score fisher` computes it, for the tuned model on answers of its domain and for the
/// aligned one on safe answers to harmful requests, as a folder with one tensor of scores for each tensor of the model. With
/// f the scores of a model over the length of all its scores together, the merged entry is the sum of share * f * entry over
/// the sum of share * f, the tuned model's share being alpha and the aligned one's 1 - alpha. Scores below the floor count as
/// the floor.
///
/// Scores are stored as 32-bit floats: say `out_dtype` to have the merged model in another type.
///
/// # Example
/// ```toml
/// experts = { tuned = [1.0, 2.0], aligned = [3.0, 6.0], tuned_scores = [3.0, 4.0], aligned_scores = [4.0, 3.0] }
/// merge.fisher = { alpha = 0.25 }
/// merged = [2.6, 4.769231]
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Fisher {
    /// Share of the tuned model where both models' scores are alike.
    pub alpha: Fraction,
    /// The smallest score that counts.
    pub floor: f32,
}

impl Default for Fisher {
    fn default() -> Self {
        Self { alpha: Fraction::HALF, floor: 1e-6 }
    }
}

impl MergeMethod for Fisher {
    const INFO: Info = Info::new("fisher", "Fisher merging")
        .paper("arXiv:2111.09832", "Matena and Raffel, 2022")
        .laws(Laws {
            same_models: SameModels::WithinOneUlp,
            weight_scaling: Law::Except("there are no weights"),
            homogeneity: Law::Except("scores have a floor"),
            ..Laws::ALL
        })
        .without_base()
        .roles(&[
            Role::new("tuned", "the model tuned to a domain").result_if(("aligned", "tuned"), &[]),
            Role::new("aligned", "the aligned model"),
            Role::new("tuned_scores", "the tuned model's Fisher information, on answers of its domain"),
            Role::new("aligned_scores", "the aligned model's Fisher information, on safe answers"),
        ]);

    fn validate(&self, _experts: usize) -> Result<(), MergeError> {
        check_not_negative(&Self::INFO, "floor", self.floor)
    }

    fn needs_survey(&self) -> bool {
        true
    }

    fn survey<S: TensorSource>(&self, _experts: usize, source: &mut S) -> Result<Option<Survey>, S::Error> {
        let (mut squares, mut names) = ([0.0; 2], Vec::new());
        source.visit(&mut |tensor| {
            names.push(tensor.name.to_owned());
            tensor.each_block(|block| {
                for (square, scores) in squares.iter_mut().zip(SCORES) {
                    *square += dot(block.expert(scores), block.expert(scores));
                }
            })
        })?;
        let lengths = squares.map(f64::sqrt);
        Ok(Some(Survey::new(names.into_iter().map(|name| (name, lengths)).collect::<BTreeMap<_, _>>())))
    }

    fn prepare<'a>(&'a self, tensor: &TensorAcrossModels<'a>, _seed: u64) -> Result<Kernel<'a>, MergeError> {
        let lengths = tensor.survey.and_then(|survey| survey.of::<[f64; 2]>(tensor.name));
        let (method, experts) = (Self::INFO.name, tensor.experts.len());
        let missing = || MergeError::MissingSurvey { method, tensor: tensor.name.into(), experts };
        // Scores that are all zero are the floor, whatever they are divided by.
        let lengths = lengths.ok_or_else(missing)?.map(|length| if length == 0.0 { 1.0 } else { length });
        let shares = [self.alpha.get(), 1.0 - self.alpha.get()];
        Ok(Kernel::new(move |block, out| {
            let [tuned, aligned] = [TUNED, ALIGNED].map(|expert| block.expert(expert));
            let scores = SCORES.map(|expert| block.expert(expert));
            for index in 0..out.len() {
                let weight =
                    |model: usize| shares[model] * f64::from(scores[model][index].max(self.floor)) / lengths[model];
                let (mut first, mut second) = (weight(0), weight(1));
                // Scores without a floor may all be zero.
                if first + second == 0.0 {
                    [first, second] = shares;
                }
                let sum = first * f64::from(tuned[index]) + second * f64::from(aligned[index]);
                out[index] = (sum / (first + second)) as f32;
            }
        }))
    }
}

const TUNED: usize = 0;
const ALIGNED: usize = 1;
/// Indices of the two models' scores.
const SCORES: [usize; 2] = [2, 3];

#[cfg(test)]
mod tests;
