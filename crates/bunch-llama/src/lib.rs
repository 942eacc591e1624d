//! The Llama-family forward pass in burn, with parameter paths equal to Hugging Face's.
//!
//! [`Llama`] is the module (its parameter names are those of `LlamaForCausalLM`), [`LlamaModel`] is a loaded model that
//! scores and generates (`bunch_lm::LanguageModel`). On the flex backend the element-wise and attention parts run in the
//! fused kernels of [`kernels`]; every other backend runs the same formulas composed of burn operations.

mod attention;
mod cache;
mod config;
mod device;
mod error;
mod generate;
mod kernels;
mod loglikelihood;
mod model;
mod norm;
mod rope;
mod weights;

pub use config::LlamaConfig;
pub use device::{device, device_names};
pub use error::LlamaError;
pub use generate::LlamaModel;
pub use model::{Llama, TokenBatch};
pub use weights::gradients;
