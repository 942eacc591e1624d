//! Scores of continuations, in batches of similar length.

use bunch_lm::{LmError, Loglikelihood, LoglikelihoodRequest, TokenId};

use crate::LlamaModel;
use crate::generate::greatest;
use crate::model::{TokenBatch, log_probs};

/// Tokens, padding included, that one forward pass may hold.
const TOKENS: usize = 8192;

/// Scores each request; order in, order out.
///
/// Requests that share their whole sequence but for the last token (the one-token choices of a question) share one pass.
pub(crate) fn loglikelihood(
    model: &LlamaModel,
    requests: &[LoglikelihoodRequest],
) -> Result<Vec<Loglikelihood>, LmError> {
    for (index, request) in requests.iter().enumerate() {
        if request.continuation.is_empty() {
            return Err(LmError::Request { index, what: "the continuation has no tokens".into() });
        }
        model.check(index, &request.context, request.continuation.len() - 1)?;
        model.check(index, &request.continuation, 0)?;
    }
    // The model reads everything but the last token. Requests with equal inputs are one sequence.
    let inputs: Vec<Vec<TokenId>> =
        requests.iter().map(|r| [&r.context[..], &r.continuation[..r.continuation.len() - 1]].concat()).collect();
    let mut order: Vec<usize> = (0..requests.len()).collect();
    order.sort_by(|&a, &b| {
        inputs[a].len().cmp(&inputs[b].len()).then_with(|| inputs[a].cmp(&inputs[b])).then(a.cmp(&b))
    });
    let groups: Vec<&[usize]> = order.chunk_by(|&a, &b| inputs[a] == inputs[b]).collect();

    let mut scores = vec![Loglikelihood { sum: 0.0, is_greedy: true }; requests.len()];
    let mut start = 0;
    while start < groups.len() {
        // Lengths ascend, so the group added last is the longest.
        let fits = |end: usize| (end - start) * inputs[groups[end - 1][0]].len() <= TOKENS;
        let mut end = start + 1;
        while end < groups.len() && fits(end + 1) {
            end += 1;
        }
        score_batch(model, requests, &inputs, &groups[start..end], &mut scores);
        start = end;
    }
    Ok(scores)
}

/// Scores groups of requests with equal inputs in one forward pass.
fn score_batch(
    model: &LlamaModel,
    requests: &[LoglikelihoodRequest],
    inputs: &[Vec<TokenId>],
    groups: &[&[usize]],
    scores: &mut [Loglikelihood],
) {
    let members = || groups.iter().flat_map(|group| group.iter().copied());
    let sequences: Vec<&[TokenId]> = groups.iter().map(|group| inputs[group[0]].as_slice()).collect();
    let wanted: Vec<Vec<usize>> = (groups.iter())
        .map(|group| {
            let positions = |&index: &usize| requests[index].context.len() - 1..inputs[index].len();
            group.iter().flat_map(positions).collect()
        })
        .collect();
    let wanted: Vec<&[usize]> = wanted.iter().map(Vec::as_slice).collect();
    let targets: Vec<TokenId> = members().flat_map(|index| requests[index].continuation.iter().copied()).collect();
    let logits = model.llama.logits(&TokenBatch::new(&sequences, &wanted));
    let vocab = model.llama.config.vocab_size;
    let log_probs = log_probs(logits.clone(), &targets).into_data().try_to_vec::<f32>().expect("f32");
    let logits = logits.into_data().try_to_vec::<f32>().expect("logits are f32");
    let mut rows = log_probs.iter().zip(logits.chunks_exact(vocab)).zip(&targets);
    for index in members() {
        for ((log_prob, row), target) in rows.by_ref().take(requests[index].continuation.len()) {
            scores[index].sum += f64::from(*log_prob);
            scores[index].is_greedy &= greatest(row) == *target;
        }
    }
}
