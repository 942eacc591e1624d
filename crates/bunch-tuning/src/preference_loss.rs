//! What training on preferences lowers.

use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

use bunch_llama::Llama;

use crate::loss::{dpo, learned_log_probs, orpo};
use crate::{Example, PreferenceExample, TuningError};

/// What training on preferences lowers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum PreferenceLoss {
    /// Direct preference optimisation (Rafailov et al. 2023), equation 7, as a mean over the pairs of a batch: `-ln sigmoid(beta
    /// ((ln pi(y_w) - ln ref(y_w)) - (ln pi(y_l) - ln ref(y_l))))`, where `ln pi(y)` is a sum over the response's tokens and
    /// `ref` is the model that training starts from.
    Dpo {
        /// How strongly the policy is kept near the reference, above 0; usually 0.1.
        beta: f64,
    },
    /// Odds ratio preference optimisation (Hong et al. 2024), equations 6 and 7: the cross-entropy of the chosen responses,
    /// plus `beta` times the mean over the batch's pairs of `-ln sigmoid(ln (odds(y_w) / odds(y_l)))`, where `odds(y) = P(y)
    /// / (1 - P(y))` and `ln P(y)` is the mean over the response's tokens. It needs no reference.
    ///
    /// The cross-entropy is the mean over all chosen responses' tokens of the batch, as in supervised fine-tuning. TRL counts
    /// the prompts' tokens in it too, which the paper does not: its equation 2 is of the response given the prompt.
    Orpo {
        /// Weight of the odds ratio, the paper's lambda, at least 0; usually 0.1.
        beta: f64,
    },
}

/// What the losses of a batch's pairs are divided by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BatchSize {
    pairs: usize,
    /// Tokens of the chosen responses.
    chosen: usize,
}

impl BatchSize {
    pub(crate) fn of(batch: &[&PreferenceExample]) -> Self {
        Self { pairs: batch.len(), chosen: batch.iter().map(|pair| pair.chosen.learned_tokens()).sum() }
    }
}

impl PreferenceLoss {
    /// The loss of a batch, in nats: a tensor of one element, from which gradients flow where the model records them.
    ///
    /// `reference[i]` is what [`response_log_probs`] gives for `batch[i]` and the reference model; only DPO looks at it.
    ///
    /// # Panics
    /// If the loss is DPO and `reference` is not as long as the batch, or the batch is empty.
    pub fn of(&self, model: &Llama, batch: &[&PreferenceExample], reference: &[[f64; 2]]) -> Tensor<1> {
        self.share(model, batch, reference, BatchSize::of(batch))
    }

    /// Whether the loss looks at a reference.
    pub(crate) fn has_reference(&self) -> bool {
        matches!(self, Self::Dpo { .. })
    }

    pub(crate) fn check(&self) -> Result<(), TuningError> {
        let refuse = |got: f64, expected| Err(TuningError::Config { field: "beta", got: got.to_string(), expected });
        match *self {
            Self::Dpo { beta } if !beta.is_finite() || beta <= 0.0 => refuse(beta, "above 0"),
            Self::Orpo { beta } if !beta.is_finite() || beta < 0.0 => refuse(beta, "at least 0"),
            _ => Ok(()),
        }
    }

    /// What these pairs add to the loss of a batch of this size: the shares of all parts of a batch add up to its loss.
    pub(crate) fn share(
        &self,
        model: &Llama,
        part: &[&PreferenceExample],
        reference: &[[f64; 2]],
        size: BatchSize,
    ) -> Tensor<1> {
        let sides = sides(part);
        let log_probs = learned_log_probs(model, &sides);
        let found = log_probs.clone().into_data().try_to_vec::<f32>().expect("log-probabilities are f32");
        let (mut loss, mut slopes) = (0.0, Vec::with_capacity(found.len()));
        for (index, (pair, sums)) in part.iter().zip(sums(&sides, &found)).enumerate() {
            let lengths = pair.sides().map(|side| side.learned_tokens() as f64);
            // By each token of the chosen and of the rejected response.
            let by_token = match *self {
                Self::Dpo { beta } => {
                    let pair = dpo::pair(beta, sums, reference[index]);
                    loss += pair.loss / size.pairs as f64;
                    pair.slopes.map(|slope| slope / size.pairs as f64)
                }
                Self::Orpo { beta } => {
                    let pair = orpo::pair([sums[0] / lengths[0], sums[1] / lengths[1]]);
                    let weight = beta / size.pairs as f64;
                    loss += weight * pair.loss - sums[0] / size.chosen as f64;
                    let [chosen, rejected] = [0, 1].map(|side| weight * pair.slopes[side] / lengths[side]);
                    [chosen - 1.0 / size.chosen as f64, rejected]
                }
            };
            for (slope, length) in by_token.into_iter().zip(lengths) {
                slopes.resize(slopes.len() + length as usize, slope as f32);
            }
        }
        // The loss is a function of few numbers, computed in f64 with its derivatives: a linear function of the
        // log-probabilities with the same value and the same derivatives is all that the model's backward pass needs.
        let device = log_probs.device();
        let constant = |values: Vec<f32>| Tensor::<1>::from_data(TensorData::from(values.as_slice()), &device);
        let departure = log_probs - constant(found);
        (departure * constant(slopes)).sum().add_scalar(loss)
    }
}

/// The summed log-probabilities, in nats, of the tokens of each pair's chosen and rejected response.
pub fn response_log_probs(model: &Llama, part: &[&PreferenceExample]) -> Vec<[f64; 2]> {
    let sides = sides(part);
    let found = learned_log_probs(model, &sides).into_data().try_to_vec::<f32>().expect("log-probabilities are f32");
    sums(&sides, &found).collect()
}

/// Chosen, rejected, chosen, and so on.
fn sides<'a>(part: &[&'a PreferenceExample]) -> Vec<&'a Example> {
    part.iter().flat_map(|pair| pair.sides()).collect()
}

/// The sums over the tokens of each two examples.
fn sums<'a>(sides: &'a [&Example], mut log_probs: &'a [f32]) -> impl Iterator<Item = [f64; 2]> + 'a {
    let mut sum = move |example: &Example| {
        let (own, rest) = log_probs.split_at(example.learned_tokens());
        log_probs = rest;
        own.iter().map(|value| f64::from(*value)).sum::<f64>()
    };
    sides.as_chunks::<2>().0.iter().map(move |[chosen, rejected]| [sum(chosen), sum(rejected)])
}
