//! The Llama-family forward pass in burn: Llama, Mistral and Qwen2, read and written under Hugging Face's tensor names.
//!
//! [`Llama`] is the module (projections that read the same input are one matrix in it), [`LlamaModel`] is a loaded model that
//! scores and generates (`bunch_lm::LanguageModel`). On the flex backend the element-wise and attention parts run in the
//! fused kernels of [`kernels`]; every other backend runs the same formulas composed of burn operations.

mod adapted;
mod adapter;
mod attention;
mod cache;
mod config;
mod device;
mod error;
mod freeze;
mod generate;
mod hidden_states;
mod kernels;
mod language_model;
mod llama_model;
mod loglikelihood;
mod lora;
mod lora_merge;
mod memory;
mod model;
mod norm;
mod ops;
mod parts;
mod prefix_tree;
mod rope;
mod tensor_shapes;
mod weights;

pub use config::{Family, LlamaConfig, RopeScaling};
pub use device::{device, device_names};
pub use error::LlamaError;
pub use generate::Continuation;
pub use llama_model::LlamaModel;
pub use lora::{LoraAdapter, LoraConfig};
pub use memory::{MemoryNeed, available_memory};
pub use model::{Llama, TokenBatch};
pub use weights::gradients;
