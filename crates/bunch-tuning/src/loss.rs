//! Cross-entropy on the answer tokens.

use burn::tensor::Tensor;

use bunch_llama::{Llama, TokenBatch};
use bunch_lm::TokenId;

use crate::Example;

/// Mean cross-entropy, in nats, over all answer tokens of the batch; the prompts are masked out. A tensor of one element.
pub fn answer_loss(model: &Llama, batch: &[&Example]) -> Tensor<1> {
    // The last token predicts nothing, so the model does not read it.
    let sequences: Vec<&[TokenId]> = batch.iter().map(|example| &example.tokens[..example.tokens.len() - 1]).collect();
    let wanted: Vec<Vec<usize>> =
        batch.iter().map(|example| (example.loss_from - 1..example.tokens.len() - 1).collect()).collect();
    let wanted: Vec<&[usize]> = wanted.iter().map(Vec::as_slice).collect();
    let targets: Vec<TokenId> =
        batch.iter().flat_map(|example| &example.tokens[example.loss_from..]).copied().collect();
    model.token_log_probs(&TokenBatch::new(&sequences, &wanted), &targets).mean().neg()
}
