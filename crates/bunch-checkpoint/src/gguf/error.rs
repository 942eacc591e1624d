//! What can be wrong with a GGUF file.

/// What is wrong with a GGUF file; the file is named by the [`CheckpointError`](crate::CheckpointError) around it.
#[derive(Debug, thiserror::Error)]
pub enum GgufError {
    /// The operating system refused.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The file does not begin with the format's four letters.
    #[error("not a GGUF file: expected it to begin with \"GGUF\", got {got:?}")]
    Magic {
        /// What it begins with.
        got: String,
    },
    /// Another version of the format.
    #[error("expected GGUF version 2 or 3 in little-endian order, got {got}")]
    Version {
        /// The version.
        got: u32,
    },
    /// Something is longer than what is left of the file.
    #[error("truncated: {what} at byte {at} takes {expected} bytes, got {got}")]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// Where it begins.
        at: u64,
        /// Bytes that it takes.
        expected: u64,
        /// Bytes that are left.
        got: u64,
    },
    /// A key, a name or a text that is not UTF-8.
    #[error("{what} at byte {at} is not UTF-8")]
    NotText {
        /// What was being read.
        what: &'static str,
        /// Where it begins.
        at: u64,
    },
    /// A key, a name or a text far longer than any that makes sense.
    #[error("{what} at byte {at} has {got} bytes (the limit is {limit})")]
    TooLong {
        /// What was being read.
        what: &'static str,
        /// Where it begins.
        at: u64,
        /// The limit in bytes.
        limit: u64,
        /// Its length in bytes.
        got: u64,
    },
    /// A value whose type the format does not have, or arrays in arrays in arrays.
    #[error("metadata `{key}`: no value has type {got}, or it is nested too deep")]
    ValueType {
        /// The metadata's key.
        key: String,
        /// The type's number.
        got: u32,
    },
    /// A key or a tensor that is there twice.
    #[error("`{name}` is there twice")]
    Repeated {
        /// The key, or the tensor's name.
        name: String,
    },
    /// A key that must be there is not.
    #[error("metadata `{key}` is missing")]
    MissingKey {
        /// The key.
        key: String,
    },
    /// A key with a value that cannot be.
    #[error("metadata `{key}`: expected {expected}, got {got}")]
    WrongValue {
        /// The key.
        key: String,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        got: String,
    },
    /// Something that the format has and that is not supported here.
    #[error("metadata `{key}` is {got}, which is not supported: {hint}")]
    Unsupported {
        /// The key.
        key: String,
        /// Its value.
        got: String,
        /// What is supported.
        hint: &'static str,
    },
    /// A tensor with more dimensions than the format allows.
    #[error("tensor `{tensor}`: {got} dimensions (the limit is 4)")]
    Dimensions {
        /// The tensor, as the file names it.
        tensor: String,
        /// Their number.
        got: u32,
    },
    /// A tensor of a type that is not supported.
    #[error("tensor `{tensor}`: type {got} is not supported: expected one of {expected}")]
    TensorType {
        /// The tensor, as the file names it.
        tensor: String,
        /// Number and, where known, name of its type.
        got: String,
        /// The supported types.
        expected: String,
    },
    /// A tensor whose rows cannot be cut into the blocks of its type, or whose size is no number of this machine.
    #[error("tensor `{tensor}` of shape {shape:?} and type {dtype} has no size: rows are cut into blocks of {block}")]
    Size {
        /// The tensor, as the file names it.
        tensor: String,
        /// Its shape, outermost dimension first.
        shape: Vec<u64>,
        /// Its type.
        dtype: &'static str,
        /// Values per block.
        block: usize,
    },
    /// A tensor does not begin where the one before it ends.
    #[error("tensor `{tensor}`: expected to begin at {expected}, got {got}")]
    Offset {
        /// The tensor, as the file names it.
        tensor: String,
        /// Where the tensor before it ends, aligned, in bytes from the beginning of the data.
        expected: u64,
        /// Where it begins.
        got: u64,
    },
    /// A tensor that has no place in the architecture.
    #[error("tensor `{tensor}` has no name in transformers' {architecture}")]
    TensorName {
        /// The tensor, as the file names it.
        tensor: String,
        /// The file's architecture.
        architecture: &'static str,
    },
    /// Rows of queries or keys that cannot be split among the heads.
    #[error("tensor `{tensor}`: {rows} rows are no even number for each of {heads} heads")]
    Heads {
        /// The tensor, as the file names it.
        tensor: String,
        /// Its rows.
        rows: usize,
        /// Heads.
        heads: usize,
    },
    /// Factors of rotary frequencies that are not those of Llama 3.1 and later.
    #[error(
        "tensor `rope_freqs.weight` does not hold the factors of a `rope_scaling` of type llama3 with low_freq_factor \
         1, high_freq_factor 4 and original_max_position_embeddings 8192; put the model's config.json next to the file"
    )]
    RopeFactors,
    /// config.json, which lies next to the file, describes another model.
    #[error("config.json next to it says `{key}` {config}, the file itself {got}")]
    Contradiction {
        /// The configuration's key.
        key: &'static str,
        /// config.json's value.
        config: String,
        /// The value by the file's metadata.
        got: String,
    },
}
