//! A loaded model.

use burn::module::Module;
use burn::tensor::Device;

use bunch_checkpoint::{Checkpoint, Weights};
use bunch_lm::{LmError, TokenId};

use crate::{Llama, LlamaConfig, LlamaError};

/// A Llama, Mistral or Qwen2 that answers requests.
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
    pub fn new(config: LlamaConfig, weights: &dyn Weights, device: &Device) -> Result<Self, LlamaError> {
        Ok(Self { llama: Llama::from_weights(config, weights, device)?, device: device.clone() })
    }

    /// Loads a Hugging Face model directory or a GGUF file; weights go from the files straight to where they are used.
    ///
    /// # Errors
    /// An unsupported configuration or weights that do not fit it.
    pub fn load(checkpoint: &Checkpoint, device: &Device) -> Result<Self, LlamaError> {
        Ok(Self { llama: Llama::from_checkpoint(checkpoint, device)?, device: device.clone() })
    }

    /// A model that is in memory already; one that records gradients shares its weights with this one, which does not.
    pub fn from_llama(llama: Llama) -> Self {
        let llama = llama.valid();
        let device = llama.device();
        Self { llama, device }
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
}
