//! Continuing prompts, many side by side, with cached keys and values.

use std::ops::Range;

use burn::tensor::Tensor;
use rand::RngExt;

use bunch_lm::{GenerateConfig, LmError, Sampling, TokenId};

use crate::cache::Cache;
use crate::kernels::Segment;
use crate::llama_model::LlamaModel;

/// Prompts that are continued side by side, at most.
const BATCH: usize = 512;

/// Bytes that the logits of one step may take; those of one prompt always may.
const LOGITS: usize = 64 << 20;

/// Bytes that the cached keys and values of a batch may take; one prompt always may.
pub(crate) const CACHE: usize = 512 << 20;

/// Tokens that one forward pass may read.
const TOKENS: usize = 4096;

/// What a model said after a prompt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Continuation {
    /// The generated tokens, without the one that stopped it.
    pub tokens: Vec<TokenId>,
    /// The stop token that ended it; none if it reached the limit.
    pub stop: Option<TokenId>,
}

/// A prompt that is being continued.
struct Sequence {
    /// Position of the prompt in the call.
    row: usize,
    /// Slots that hold its tokens so far; there is room behind for what comes.
    slots: Range<usize>,
    /// Where its random numbers come from.
    stream: Option<bunch_random::Stream>,
}

impl Sequence {
    /// The segment of the next `rows` tokens, which are then counted as read.
    fn advance(&mut self, rows: usize) -> Segment {
        let seen = if self.slots.is_empty() { Vec::new() } else { vec![self.slots.clone()] };
        let own = self.slots.end;
        self.slots.end += rows;
        Segment { rows, seen, own }
    }
}

/// Continues each prompt; order in, order out.
pub(crate) fn continuations(
    model: &LlamaModel,
    prompts: &[Vec<TokenId>],
    config: &GenerateConfig,
) -> Result<Vec<Continuation>, LmError> {
    for (index, prompt) in prompts.iter().enumerate() {
        model.check(index, prompt, config.max_new_tokens)?;
    }
    if let Sampling::Temperature { temperature, top_p, .. } = config.sampling {
        let refuse = |what| Err(LmError::Request { index: 0, what });
        if !(temperature.is_finite() && temperature > 0.0) {
            return refuse(format!("the temperature is {temperature}, expected a number above 0"));
        }
        if !(top_p > 0.0 && top_p <= 1.0) {
            return refuse(format!("top_p is {top_p}, expected a number above 0 and at most 1"));
        }
    }
    let mut answers = vec![Continuation::default(); prompts.len()];
    if config.max_new_tokens == 0 {
        return Ok(answers);
    }
    // Prompts of similar length go together, so that they are through together.
    let mut order: Vec<usize> = (0..prompts.len()).collect();
    order.sort_by_key(|&row| prompts[row].len());
    let slots = CACHE / Cache::bytes_per_slot(&model.llama.config);
    let most = (LOGITS / size_of::<f32>() / model.llama.config.vocab_size).clamp(1, BATCH);
    let mut rest = order.as_slice();
    while !rest.is_empty() {
        let (mut count, mut used) = (0, 0);
        while count < rest.len().min(most) {
            used += prompts[rest[count]].len() + config.max_new_tokens;
            if count > 0 && used > slots {
                break;
            }
            count += 1;
        }
        let rows = rest.split_off(..count).expect("counted");
        continue_batch(model, prompts, rows, config, &mut answers)?;
    }
    Ok(answers)
}

/// Continues the prompts at `rows`; `answers[row]` receives the tokens.
fn continue_batch(
    model: &LlamaModel,
    prompts: &[Vec<TokenId>],
    rows: &[usize],
    config: &GenerateConfig,
    answers: &mut [Continuation],
) -> Result<(), LmError> {
    let mut start = 0;
    let mut active: Vec<Sequence> = (rows.iter())
        .map(|&row| {
            let stream = match config.sampling {
                Sampling::Greedy => None,
                Sampling::Temperature { seed, .. } => Some(bunch_random::stream(seed, &["sample", &row.to_string()])),
            };
            let slots = start..start;
            start += prompts[row].len() + config.max_new_tokens;
            Sequence { row, slots, stream }
        })
        .collect();
    let mut cache = Cache::new(start, &model.llama.config, &model.device);
    let mut logits = prefill(model, prompts, &mut active, &mut cache);
    for step in 1.. {
        let choices = choose(logits, &mut active, config.sampling)?;
        let mut ids = Vec::with_capacity(active.len());
        let mut choices = choices.into_iter();
        active.retain(|sequence| {
            let (answer, id) = (&mut answers[sequence.row], choices.next().expect("one per sequence"));
            if config.stop.contains(&id) {
                answer.stop = Some(id);
                return false;
            }
            answer.tokens.push(id);
            ids.push(id);
            true
        });
        if active.is_empty() || step == config.max_new_tokens {
            break;
        }
        let segments = active.iter_mut().map(|sequence| sequence.advance(1)).collect();
        let wanted: Vec<i32> = (0..ids.len() as i32).collect();
        logits = vec![model.llama.output(model.llama.step(&ids, &wanted, segments, &mut cache))];
    }
    Ok(())
}

/// Reads the prompts into the cache and gives the logits after each, in pieces: `[prompts, vocab_size]` in all.
fn prefill(
    model: &LlamaModel,
    prompts: &[Vec<TokenId>],
    sequences: &mut [Sequence],
    cache: &mut Cache,
) -> Vec<Tensor<2>> {
    let mut logits = Vec::new();
    let (mut ids, mut wanted, mut segments) = (Vec::new(), Vec::new(), Vec::new());
    let mut read = |ids: &mut Vec<TokenId>, wanted: &mut Vec<i32>, segments: &mut Vec<Segment>| {
        let (ids, wanted) = (std::mem::take(ids), std::mem::take(wanted));
        // A step in the middle of a long prompt wants nothing; burn knows no empty tensors, so one row is read and dropped.
        let rows: &[i32] = if wanted.is_empty() { &[0] } else { &wanted };
        let hidden = model.llama.step(&ids, rows, std::mem::take(segments), cache);
        if !wanted.is_empty() {
            logits.push(model.llama.output(hidden));
        }
    };
    for sequence in sequences {
        let mut rest = prompts[sequence.row].as_slice();
        while !rest.is_empty() {
            let count = rest.len().min(TOKENS - ids.len());
            ids.extend_from_slice(rest.split_off(..count).expect("counted"));
            segments.push(sequence.advance(count));
            if rest.is_empty() {
                wanted.push(ids.len() as i32 - 1);
            }
            if ids.len() == TOKENS {
                read(&mut ids, &mut wanted, &mut segments);
            }
        }
    }
    if !ids.is_empty() {
        read(&mut ids, &mut wanted, &mut segments);
    }
    logits
}

/// The next token of each sequence; `logits` are `[sequences, vocab]` in pieces.
fn choose(logits: Vec<Tensor<2>>, sequences: &mut [Sequence], sampling: Sampling) -> Result<Vec<TokenId>, LmError> {
    let mut choices = Vec::with_capacity(sequences.len());
    let mut sequences = sequences.iter_mut();
    for piece in logits {
        let vocab = piece.dims()[1];
        let piece = piece.into_data();
        let piece = piece.as_slice::<f32>().expect("logits are f32");
        for (row, sequence) in piece.chunks_exact(vocab).zip(sequences.by_ref()) {
            if row.iter().any(|logit| logit.is_nan()) {
                let what = "the model's logits are not numbers (NaN)".into();
                return Err(LmError::Request { index: sequence.row, what });
            }
            choices.push(match (sampling, &mut sequence.stream) {
                (Sampling::Temperature { temperature, top_p, .. }, Some(stream)) => {
                    sample(row, temperature, top_p, stream.random::<f64>())
                }
                _ => greatest(row),
            });
        }
    }
    Ok(choices)
}

/// Index of the greatest value; the first among equals.
pub(crate) fn greatest(row: &[f32]) -> TokenId {
    let mut best = 0;
    for (index, &value) in row.iter().enumerate() {
        if value > row[best] {
            best = index;
        }
    }
    best as TokenId
}

/// The token at quantile `u` in [0, 1) of softmax(row / temperature), cut to the most probable tokens with total mass `top_p`.
fn sample(row: &[f32], temperature: f32, top_p: f32, u: f64) -> TokenId {
    let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mass: Vec<f64> = row.iter().map(|&x| f64::from((x - max) / temperature).exp()).collect();
    let mut order: Vec<usize> = (0..row.len()).collect();
    let mut kept = order.len();
    if top_p < 1.0 {
        order.sort_by(|&a, &b| mass[b].total_cmp(&mass[a]).then(a.cmp(&b)));
        let limit = f64::from(top_p) * mass.iter().sum::<f64>();
        let mut sum = 0.0;
        let cut = order.iter().position(|&index| {
            sum += mass[index];
            sum >= limit
        });
        kept = cut.map_or(kept, |last| last + 1);
    }
    let kept = &order[..kept];
    let mut rest = u * kept.iter().map(|&index| mass[index]).sum::<f64>();
    for &index in kept {
        rest -= mass[index];
        if rest < 0.0 {
            return index as TokenId;
        }
    }
    kept[kept.len() - 1] as TokenId // rounding left a remainder
}

#[cfg(test)]
mod tests {
    use super::{greatest, sample};

    #[test]
    fn sampling_inverts_the_distribution_function() {
        let row = [0.0f32, 2.0f32.ln(), f32::NEG_INFINITY, 1.0f32.ln()]; // masses 1, 2, 0, 1
        let ids: Vec<_> = [0.0, 0.24, 0.26, 0.74, 0.76, 0.999].iter().map(|&u| sample(&row, 1.0, 1.0, u)).collect();
        assert_eq!(ids, [0, 0, 1, 1, 3, 3]);
        assert_eq!(sample(&row, 1.0, 0.5, 0.99), 1, "top_p 0.5 keeps only the most probable token");
        assert_eq!(sample(&row, 1.0, 0.6, 0.99), 0, "top_p 0.6 needs a second one, the first among equals");
        assert_eq!(sample(&row, 0.01, 1.0, 0.5), 1, "low temperature is greedy");
    }

    #[test]
    fn ties_go_to_the_first() {
        assert_eq!(greatest(&[1.0, 3.0, 3.0]), 1);
    }
}
