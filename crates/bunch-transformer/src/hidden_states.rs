//! What a model makes of its input on the way to an answer.

use bunch_lm::TokenId;

use crate::loglikelihood::TOKENS;
use crate::{LlamaError, LlamaModel, TokenBatch};

impl LlamaModel {
    /// The residual stream after the embedding (entry 0) and after each layer (entry `l + 1` for layer `l`), before the final
    /// norm: `[layers + 1][tokens * hidden_size]`, with a row of each token of each sequence, in the order given.
    ///
    /// The last entry is not that of transformers' `output_hidden_states`, to which the final norm was applied.
    ///
    /// # Errors
    /// A sequence that is empty, has token ids outside the vocabulary or does not fit into the context window.
    pub fn hidden_states(&self, sequences: &[&[TokenId]]) -> Result<Vec<Vec<f32>>, LlamaError> {
        for (index, sequence) in sequences.iter().enumerate() {
            self.check(index, sequence, 0)?;
        }
        let mut states = vec![Vec::new(); self.llama.config.num_hidden_layers + 1];
        let mut rest = sequences;
        while !rest.is_empty() {
            let mut tokens = 0;
            let fits = |sequence: &&&[TokenId]| {
                tokens += sequence.len();
                tokens <= TOKENS
            };
            let count = rest.iter().take_while(fits).count().max(1);
            let (batch, later) = rest.split_at(count);
            rest = later;
            let all: Vec<Vec<usize>> = batch.iter().map(|sequence| (0..sequence.len()).collect()).collect();
            let all: Vec<&[usize]> = all.iter().map(Vec::as_slice).collect();
            let mut entries = states.iter_mut();
            self.llama.read(&TokenBatch::new(batch, &all), &mut |stream| {
                let stream = stream.clone().into_data().try_to_vec::<f32>().expect("activations are f32");
                entries.next().expect("the embedding and each layer").extend(stream);
            });
        }
        Ok(states)
    }
}
