//! A loaded model that continues prompts, in batches, with cached keys and values.

use std::sync::Arc;

use burn::tensor::{Device, Tensor};
use rand::RngExt;

use bunch_checkpoint::{Checkpoint, StateDict};
use bunch_lm::{GenerateConfig, LanguageModel, LmError, Loglikelihood, LoglikelihoodRequest, Sampling, TokenId};

use crate::attention::{Padding, attention, scores_to_output, split_heads};
use crate::cache::Cache;
use crate::model::ints;
use crate::rope::{Rope, rotate};
use crate::{Llama, LlamaConfig, LlamaError, loglikelihood};

/// Prompts that are continued side by side.
const BATCH: usize = 512;

/// A Llama that answers requests.
#[derive(Debug, Clone)]
pub struct LlamaModel {
    pub(crate) llama: Llama,
    pub(crate) device: Device,
}

impl LlamaModel {
    /// A model of the given weights on `device`.
    ///
    /// # Errors
    /// Weights that do not fit the configuration.
    pub fn new(config: LlamaConfig, weights: &StateDict, device: &Device) -> Result<Self, LlamaError> {
        Ok(Self { llama: Llama::from_state_dict(config, weights, device)?, device: device.clone() })
    }

    /// Loads a Hugging Face model directory.
    ///
    /// # Errors
    /// An unsupported configuration or weights that do not fit it.
    pub fn load(checkpoint: &Checkpoint, device: &Device) -> Result<Self, LlamaError> {
        Self::new(LlamaConfig::from_json(checkpoint.config())?, &checkpoint.state_dict()?, device)
    }

    /// The module inside.
    pub fn llama(&self) -> &Llama {
        &self.llama
    }

    /// Refuses token ids outside the vocabulary and sequences that are empty or too long.
    pub(crate) fn check(&self, index: usize, ids: &[TokenId], new: usize) -> Result<(), LmError> {
        let config = &self.llama.config;
        if ids.is_empty() {
            return Err(LmError::Request { index, what: "no tokens".into() });
        }
        if let Some(id) = ids.iter().find(|&&id| id as usize >= config.vocab_size) {
            let what = format!("token id {id} is outside the vocabulary of {}", config.vocab_size);
            return Err(LmError::Request { index, what });
        }
        let (tokens, window) = (ids.len() + new, config.max_position_embeddings);
        if tokens > window {
            return Err(LmError::TooLong { index, tokens, window });
        }
        Ok(())
    }

    /// Continues the prompts at `rows`; `answers[row]` receives the tokens.
    fn continue_batch(
        &self,
        prompts: &[Vec<TokenId>],
        rows: &[usize],
        config: &GenerateConfig,
        answers: &mut [Vec<TokenId>],
    ) {
        let mut streams: Vec<Option<bunch_random::Stream>> = match config.sampling {
            Sampling::Greedy => rows.iter().map(|_| None).collect(),
            Sampling::Temperature { seed, .. } => {
                rows.iter().map(|row| Some(bunch_random::stream(seed, &["sample", &row.to_string()]))).collect()
            }
        };
        let mut active: Vec<usize> = (0..rows.len()).collect(); // indices into `rows`, in cache order
        let lengths = rows.iter().map(|&row| prompts[row].len()).collect();
        let mut cache = Cache::new(lengths, config.max_new_tokens, &self.llama.config, &self.device);
        let sequences: Vec<&[TokenId]> = rows.iter().map(|&row| prompts[row].as_slice()).collect();
        let mut logits = self.prefill(&sequences, &mut cache);
        for step in 1.. {
            let choices = choose(logits, &active, &mut streams, config.sampling);
            let mut kept = Vec::with_capacity(active.len());
            let mut ids = Vec::with_capacity(active.len());
            for (position, (&index, &id)) in active.iter().zip(&choices).enumerate() {
                if config.stop.contains(&id) {
                    continue;
                }
                answers[rows[index]].push(id);
                kept.push(position);
                ids.push(id as i32);
            }
            if kept.is_empty() || step == config.max_new_tokens {
                return;
            }
            if kept.len() < active.len() {
                active = kept.iter().map(|&position| active[position]).collect();
                cache.keep(&kept);
            }
            logits = self.decode(&ids, &mut cache);
        }
    }

    /// Reads the prompts into the cache and gives the logits after each: `[prompts, vocab_size]`.
    fn prefill(&self, prompts: &[&[TokenId]], cache: &mut Cache) -> Tensor<2> {
        let llama = &self.llama;
        let lengths: Vec<usize> = prompts.iter().map(|prompt| prompt.len()).collect();
        let padding = Padding::new(&lengths);
        let spread = ints(&padding.spread, &self.device);
        let ends = lengths.iter().scan(0, |end, length| {
            *end += *length as i32;
            Some(*end - 1)
        });
        let last = ints(&ends.collect::<Vec<_>>(), &self.device);
        let shape = llama.attention_shape(Arc::new(lengths));
        let rope = Rope::at(0..padding.seq, &llama.config, &self.device);
        let (cos, sin) = (rope.cos.clone().unsqueeze::<4>(), rope.sin.clone().unsqueeze::<4>());
        let ids: Vec<i32> = prompts.iter().flat_map(|prompt| prompt.iter().map(|&id| id as i32)).collect();
        let mut x = llama.embed(&ids); // [tokens, hidden_size]
        for (index, layer) in llama.model.layers.iter().enumerate() {
            let qkv = layer.qkv(x.clone());
            let padded = qkv.clone().select(0, spread.clone());
            let (_, k, v) = split_heads(padded, prompts.len(), padding.seq, &shape);
            cache.append(index, rotate(k, cos.clone(), sin.clone()), v);
            x = layer.after_attention(x, attention(qkv, &rope, &shape));
        }
        cache.advance(padding.seq);
        llama.output(x.select(0, last))
    }

    /// Feeds one token to each sequence of the cache and gives the logits after it: `[sequences, vocab_size]`.
    fn decode(&self, ids: &[i32], cache: &mut Cache) -> Tensor<2> {
        let llama = &self.llama;
        let shape = llama.attention_shape(Arc::new(vec![1; ids.len()]));
        let rope = Rope::at(cache.next_positions(), &llama.config, &self.device);
        let half = llama.config.head_dim / 2;
        let (cos, sin) = (rope.cos.reshape([ids.len(), 1, 1, half]), rope.sin.reshape([ids.len(), 1, 1, half]));
        let mask = cache.padding_mask(&self.device);
        let mut x = llama.embed(ids);
        for (index, layer) in llama.model.layers.iter().enumerate() {
            let (q, k, v) = split_heads(layer.qkv(x.clone()), ids.len(), 1, &shape);
            let (keys, values) = cache.append(index, rotate(k, cos.clone(), sin.clone()), v);
            let attended = scores_to_output(rotate(q, cos.clone(), sin.clone()), keys, values, mask.clone());
            x = layer.after_attention(x, attended.reshape([ids.len(), shape.out_width()]));
        }
        cache.advance(1);
        llama.output(x)
    }
}

impl LanguageModel for LlamaModel {
    fn loglikelihood(&self, requests: &[LoglikelihoodRequest]) -> Result<Vec<Loglikelihood>, LmError> {
        loglikelihood::loglikelihood(self, requests)
    }

    fn generate(&self, prompts: &[Vec<TokenId>], config: &GenerateConfig) -> Result<Vec<Vec<TokenId>>, LmError> {
        for (index, prompt) in prompts.iter().enumerate() {
            self.check(index, prompt, config.max_new_tokens)?;
        }
        let mut answers = vec![Vec::new(); prompts.len()];
        if config.max_new_tokens == 0 {
            return Ok(answers);
        }
        // Prompts of similar length go together: less padding.
        let mut order: Vec<usize> = (0..prompts.len()).collect();
        order.sort_by_key(|&row| prompts[row].len());
        for rows in order.chunks(BATCH) {
            self.continue_batch(prompts, rows, config, &mut answers);
        }
        Ok(answers)
    }
}

/// The next token of each row of `logits` `[rows, vocab]`; row `i` belongs to stream `active[i]`.
fn choose(
    logits: Tensor<2>,
    active: &[usize],
    streams: &mut [Option<bunch_random::Stream>],
    sampling: Sampling,
) -> Vec<TokenId> {
    let vocab = logits.dims()[1];
    let logits = logits.into_data().try_to_vec::<f32>().expect("logits are f32");
    let rows = logits.chunks_exact(vocab).zip(active);
    rows.map(|(row, &index)| match (sampling, &mut streams[index]) {
        (Sampling::Temperature { temperature, top_p, .. }, Some(stream)) => {
            sample(row, temperature, top_p, stream.random::<f64>())
        }
        _ => greatest(row),
    })
    .collect()
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
