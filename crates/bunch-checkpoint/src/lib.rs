//! Hugging Face model directories: safetensors shards, config.json and tokenizer files.
//!
//! [`Checkpoint`] reads a directory or a GGUF file, [`CheckpointWriter`] writes a directory tensor by tensor and
//! [`ModelDirectory`] from memory. A [`StateDict`] is a model's weights in memory, always as f32. Reading is strict (a
//! file that two readers could understand differently is an error) and writing is atomic (a directory is there in full
//! or not at all).

#![forbid(unsafe_code)]

// Tensor bytes are little-endian on disk and are reinterpreted without swapping.
#[cfg(target_endian = "big")]
compile_error!("bunch-checkpoint supports little-endian targets only");

mod adapter;
mod aligned_buffer;
mod atomic;
mod block_type;
mod checkpoint;
mod companion_files;
mod config;
mod config_check;
mod digest;
mod digest_cache;
mod dtype;
mod error;
mod file_lock;
mod file_name;
mod float8;
#[doc(hidden)]
pub mod fuzzing;
mod gguf;
mod inspection;
mod layer_lists;
mod model_directory;
mod output_file;
mod quantisation;
mod reader;
mod safetensors_model;
mod shard;
mod shard_layout;
mod source;
mod staging;
mod state_dict;
mod stored_dtype;
mod stored_tensor;
mod tensor_name;
mod unreadable_model;
mod weight_files;
mod weight_index;
mod weights;
mod write_behind;
mod writer;

pub use adapter::{
    ADAPTER_CONFIG, ADAPTER_WEIGHTS, AdapterConfig, LowRankDelta, PeftAdapter, factor_a, factor_b, module_of_factor,
};
pub use atomic::{atomic_write, remove_partial_files};
pub use checkpoint::Checkpoint;
pub use companion_files::{GENERATION_CONFIG, TOKENIZER_FILES, companion_files};
pub use config::{layer_count, layer_count_key, text_part, text_setting};
pub use config_check::{ConfigMismatch, config_mismatches};
pub use digest::{sha256_bytes, sha256_file};
pub use digest_cache::DigestCache;
pub use dtype::Dtype;
pub use error::CheckpointError;
pub use file_lock::FileLock;
pub use gguf::GgufError;
pub use inspection::{InspectedShard, Inspection, count_non_finite, inspect_directory};
pub use layer_lists::{computed_buffers, is_computed_buffer, text_layer_lists};
pub use model_directory::ModelDirectory;
pub use quantisation::Quantisation;
pub use reader::{RawReader, TensorReader};
pub use shard_layout::TensorLayout;
pub use staging::{Contention, Staging};
pub use state_dict::{StateDict, Tensor, sha256_of_state_dict, state_dict_of_bytes};
pub use stored_dtype::{OtherDtype, StoredDtype};
pub use stored_tensor::TensorInfo;
pub use tensor_name::{Layer, TensorName, embedding_for_output, names_module};
pub use unreadable_model::UnreadableModel;
pub use weights::{Weights, WeightsError};
pub use writer::{CheckpointWriter, WriterOptions};
