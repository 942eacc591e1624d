//! Cross-entropy on the answer tokens.

pub(crate) mod dpo;
pub(crate) mod orpo;
mod pair_loss;

use burn::tensor::Tensor;

use bunch_llama::{Llama, TokenBatch};
use bunch_lm::TokenId;

use crate::Example;

/// Mean cross-entropy, in nats, over all answer tokens of the batch; the prompts are masked out. A tensor of one element.
pub fn answer_loss(model: &Llama, batch: &[&Example]) -> Tensor<1> {
    loss_share(model, batch, learned_tokens(batch))
}

/// Tokens of the batch that are learned.
pub(crate) fn learned_tokens(batch: &[&Example]) -> usize {
    batch.iter().map(|example| example.learned_tokens()).sum()
}

/// What these examples add to the mean over `learned` tokens: the shares of all parts of a batch add up to its loss.
pub(crate) fn loss_share(model: &Llama, part: &[&Example], learned: usize) -> Tensor<1> {
    learned_log_probs(model, part).sum().div_scalar(learned as f64).neg()
}

/// ln p of each token that is learned, given what precedes it, in nats: `[learned tokens]`, example by example.
pub(crate) fn learned_log_probs(model: &Llama, part: &[&Example]) -> Tensor<1> {
    let sequences: Vec<&[TokenId]> = part.iter().map(|example| example.input()).collect();
    let wanted: Vec<Vec<usize>> =
        part.iter().map(|example| example.learned_places().map(|place| place - 1).collect()).collect();
    let wanted: Vec<&[usize]> = wanted.iter().map(Vec::as_slice).collect();
    let targets: Vec<TokenId> =
        part.iter().flat_map(|example| example.learned_places().map(|place| example.tokens[place])).collect();
    model.token_log_probs(&TokenBatch::new(&sequences, &wanted), &targets)
}
