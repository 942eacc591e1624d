//! Scores of continuations: many in one pass, common beginnings read once.

use bunch_lm::{LmError, Loglikelihood, LoglikelihoodRequest, TokenId};

use crate::LlamaConfig;
use crate::cache::Cache;
use crate::generate::greatest;
use crate::llama_model::LlamaModel;
use crate::model::MLP_ROWS;
use crate::ops::{ints, log_probs};
use crate::prefix_tree::{PrefixTree, shared};

/// Tokens that one forward pass may read.
pub(crate) const TOKENS: usize = 4096;

/// Bytes of logits that are in memory at a time.
const LOGITS: usize = 32 << 20;

/// Bytes that a forward pass over a full batch takes at most besides the weights, about.
pub(crate) fn pass(config: &LlamaConfig) -> u64 {
    let LlamaConfig { hidden_size, intermediate_size, head_dim, .. } = *config;
    let heads = config.num_attention_heads + 2 * config.num_key_value_heads;
    // The residual stream before and after, its norms, queries, keys, values and what attention makes of them.
    let stream = TOKENS * (4 * hidden_size + 2 * heads * head_dim) + MLP_ROWS * 3 * intermediate_size;
    let logits = LOGITS.max(config.vocab_size * size_of::<f32>());
    (stream * size_of::<f32>() + 2 * logits) as u64
}

/// Scores each request; order in, order out.
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
    order.sort_by(|&a, &b| inputs[a].cmp(&inputs[b]).then(a.cmp(&b)));
    let groups: Vec<&[usize]> = order.chunk_by(|&a, &b| inputs[a] == inputs[b]).collect();
    let sequences: Vec<&[TokenId]> = groups.iter().map(|group| inputs[group[0]].as_slice()).collect();

    let mut scores = vec![Loglikelihood { sum: 0.0, is_greedy: true }; requests.len()];
    let mut start = 0;
    while start < groups.len() {
        let (mut end, mut tokens) = (start + 1, sequences[start].len());
        while end < groups.len() {
            tokens += sequences[end].len() - shared(sequences[end - 1], sequences[end]);
            if tokens > TOKENS {
                break;
            }
            end += 1;
        }
        score_batch(model, requests, &sequences[start..end], &groups[start..end], &mut scores)?;
        start = end;
    }
    Ok(scores)
}

/// Scores groups of requests in one forward pass; `sequences[i]` is the input of all of `groups[i]`.
fn score_batch(
    model: &LlamaModel,
    requests: &[LoglikelihoodRequest],
    sequences: &[&[TokenId]],
    groups: &[&[usize]],
    scores: &mut [Loglikelihood],
) -> Result<(), LmError> {
    let tree = PrefixTree::new(sequences);
    // One entry per scored token: request, row of the logits that predict it, and the token.
    let mut tokens: Vec<(usize, usize, TokenId)> = Vec::new();
    for (sequence, group) in groups.iter().enumerate() {
        for &index in *group {
            let request = &requests[index];
            tokens.extend(
                (request.continuation.iter().enumerate())
                    .map(|(offset, &token)| (index, tree.row(sequence, request.context.len() - 1 + offset), token)),
            );
        }
    }
    let mut rows: Vec<i32> = tokens.iter().map(|&(_, row, _)| row as i32).collect();
    rows.sort_unstable();
    rows.dedup();
    let config = &model.llama.config;
    let mut cache = Cache::for_one_step(tree.ids.len(), config, &model.device);
    let hidden = model.llama.step(&tree.ids, &rows, tree.segments, &mut cache);
    // Predictions in the order of their rows, so that rows wanted by several requests are computed once.
    tokens.sort_by_key(|&(index, row, _)| (row, index));
    let mut rest = tokens.as_slice();
    let height = (LOGITS / size_of::<f32>() / config.vocab_size).max(1);
    for (chunk, rows) in rows.chunks(height).enumerate() {
        let logits = model.llama.output(hidden.clone().narrow(0, chunk * height, rows.len()));
        let count = rest.partition_point(|&(_, row, _)| row as i32 <= rows[rows.len() - 1]);
        let part = rest.split_off(..count).expect("counted");
        score_rows(logits, rows, part, scores)?;
    }
    Ok(())
}

/// Adds the scores of `tokens`, whose rows are among `rows`, out of `logits` `[rows, vocab_size]`.
fn score_rows(
    logits: burn::tensor::Tensor<2>,
    rows: &[i32],
    tokens: &[(usize, usize, TokenId)],
    scores: &mut [Loglikelihood],
) -> Result<(), LmError> {
    let vocab = logits.dims()[1];
    let at: Vec<usize> =
        tokens.iter().map(|&(_, row, _)| rows.partition_point(|&other| (other as usize) < row)).collect();
    // Each row once per target; the common case, one target per row, copies nothing.
    let targets: Vec<TokenId> = tokens.iter().map(|&(_, _, token)| token).collect();
    let log_probs = if at.len() == rows.len() {
        log_probs(logits.clone(), &targets)
    } else {
        let index: Vec<i32> = at.iter().map(|&row| row as i32).collect();
        let index = ints(&index, &logits.device());
        log_probs(logits.clone().select(0, index), &targets)
    };
    let log_probs = log_probs.into_data().try_to_vec::<f32>().expect("f32");
    let logits = logits.into_data();
    let logits = logits.as_slice::<f32>().expect("logits are f32");
    let best: Vec<TokenId> = logits.chunks_exact(vocab).map(greatest).collect();
    for ((&(index, _, token), row), log_prob) in tokens.iter().zip(at).zip(log_probs) {
        if log_prob.is_nan() {
            return Err(LmError::Request { index, what: "the model's logits are not numbers (NaN)".into() });
        }
        scores[index].sum += f64::from(log_prob);
        scores[index].is_greedy &= best[row] == token;
    }
    Ok(())
}
