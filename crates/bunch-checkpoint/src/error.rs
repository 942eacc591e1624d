//! What can be wrong with a model directory.

use std::path::{Path, PathBuf};

use crate::UnreadableModel;

/// What went wrong while reading or writing a model directory.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The operating system refused: missing file, no permission, disk full.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory that was read or written.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The operating system refused to read or write a tensor: its file ended before it, say, or the disk is full.
    #[error("{}: tensor `{tensor}`: {source}", path.display())]
    TensorIo {
        /// The file that holds the tensor, or would hold it in the end.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A part of a tensor that it does not have.
    #[error("tensor `{tensor}`: {count} values or bytes from {start} on are not there: it has {length}")]
    OutOfRange {
        /// The tensor.
        tensor: String,
        /// The first value or byte.
        start: usize,
        /// How many there should be.
        count: usize,
        /// How many there are in all.
        length: usize,
    },
    /// A file of weights is not the one anymore that was opened.
    #[error("{}: changed while it was open: expected {expected}, got {got}", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// Size, time of change and inode when it was opened.
        expected: String,
        /// The same now.
        got: String,
    },
    /// A file that is not the JSON it should be, a key that stands in it twice included.
    #[error("{}: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column.
        source: serde_json::Error,
    },
    /// config.json holds JSON, but no object.
    #[error("{}: expected a JSON object, got {got}", path.display())]
    Config {
        /// The config.json.
        path: PathBuf,
        /// What it holds.
        got: String,
    },
    /// A directory without weights.
    #[error("{}: no model.safetensors, no model.safetensors.index.json and no other *.safetensors or *.gguf file", dir.display())]
    NoWeights {
        /// The model directory.
        dir: PathBuf,
    },
    /// Something that is no model, or none that can be read.
    #[error(transparent)]
    Unreadable(#[from] UnreadableModel),
    /// A PEFT adapter that is broken, cannot be used or does not fit the model.
    #[error("{}: {what}", dir.display())]
    Adapter {
        /// The adapter's folder.
        dir: PathBuf,
        /// What is wrong, with what was expected.
        what: String,
    },
    /// A directory in which more than one set of weights could be meant.
    #[error("{}: cannot tell which weights are meant: {}", dir.display(), files.join(", "))]
    AmbiguousWeights {
        /// The model directory.
        dir: PathBuf,
        /// The candidates' file names.
        files: Vec<String>,
    },
    /// A GGUF file that is broken or cannot be read as a model here.
    #[error("{}: {source}", path.display())]
    Gguf {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: crate::GgufError,
    },
    /// A safetensors file that ends before its header says so.
    #[error("{}: truncated: expected at least {expected} bytes, got {got}", path.display())]
    Truncated {
        /// The shard.
        path: PathBuf,
        /// Bytes that the file must have by its header.
        expected: u64,
        /// Bytes that it has.
        got: u64,
    },
    /// A safetensors file with bytes behind its last tensor.
    #[error("{}: bytes behind the last tensor: expected {expected} bytes, got {got}", path.display())]
    TrailingBytes {
        /// The shard.
        path: PathBuf,
        /// Bytes that the file must have by its header.
        expected: u64,
        /// Bytes that it has.
        got: u64,
    },
    /// A header length beyond the format's limit.
    #[error(
        "{}: a header of {got} bytes (the limit is {limit}): not a safetensors file, or a Git LFS pointer in its place",
        path.display()
    )]
    HeaderTooLarge {
        /// The shard.
        path: PathBuf,
        /// The format's limit in bytes.
        limit: u64,
        /// The header's length in bytes.
        got: u64,
    },
    /// A tensor in a header whose dtype is not known.
    #[error("{}: header entry `{tensor}`: {source}", path.display())]
    HeaderEntry {
        /// The shard.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// What is wrong, with the dtypes that there are.
        source: serde_json::Error,
    },
    /// Two tensors share bytes.
    #[error("{}: tensor `{tensor}` overlaps the one before it: expected to begin at {expected}, got {got}", path.display())]
    Overlap {
        /// The shard.
        path: PathBuf,
        /// The later tensor.
        tensor: String,
        /// Where the tensor before it ends, in bytes after the header.
        expected: usize,
        /// Where it begins.
        got: usize,
    },
    /// Bytes that belong to no tensor.
    #[error("{}: a hole before tensor `{tensor}`: expected it to begin at {expected}, got {got}", path.display())]
    Hole {
        /// The shard.
        path: PathBuf,
        /// The tensor behind the hole.
        tensor: String,
        /// Where the tensor before it ends, in bytes after the header.
        expected: usize,
        /// Where it begins.
        got: usize,
    },
    /// A tensor whose shape and dtype do not give the number of bytes that it has.
    #[error("{}: tensor `{tensor}` of shape {shape:?} and dtype {dtype} is expected to end at {expected}, got {got}", path.display())]
    TensorSize {
        /// The shard.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// Its shape.
        shape: Vec<usize>,
        /// Its dtype in safetensors' spelling.
        dtype: String,
        /// Where it must end, in bytes after the header.
        expected: usize,
        /// Where the header says that it ends.
        got: usize,
    },
    /// A tensor whose size in bytes is no number of this machine, or no whole number.
    #[error("{}: tensor `{tensor}` of shape {shape:?} and dtype {dtype} has no size in bytes", path.display())]
    NoSize {
        /// The shard.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// Its shape.
        shape: Vec<usize>,
        /// Its dtype in safetensors' spelling.
        dtype: String,
    },
    /// The index names a shard that is not there.
    #[error("{}: shard {shard} is missing", index.display())]
    MissingShard {
        /// The index.
        index: PathBuf,
        /// The shard's file name.
        shard: String,
    },
    /// The index says that a shard holds a tensor, and it does not.
    #[error("{}: tensor `{tensor}` is expected in {shard} but not there", index.display())]
    TensorNotInShard {
        /// The index.
        index: PathBuf,
        /// The tensor.
        tensor: String,
        /// The shard's file name.
        shard: String,
    },
    /// A shard holds a tensor that the index does not know.
    #[error("{}: tensor `{tensor}` of {shard} is not in the index", index.display())]
    TensorNotInIndex {
        /// The index.
        index: PathBuf,
        /// The tensor.
        tensor: String,
        /// The shard's file name.
        shard: String,
    },
    /// Two shards hold a tensor of the same name.
    #[error("tensor `{tensor}` is both in {} and in {}", first.display(), second.display())]
    DuplicateTensor {
        /// The tensor.
        tensor: String,
        /// One shard.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// A tensor was read that is not f32, f16 or bf16.
    #[error("{}: tensor `{tensor}`: expected dtype F32, F16 or BF16, got {dtype}", shard.display())]
    UnsupportedDtype {
        /// The shard.
        shard: PathBuf,
        /// The tensor.
        tensor: String,
        /// Its dtype in safetensors' spelling.
        dtype: String,
    },
    /// A tensor was asked for that the model does not have.
    #[error("{}: no tensor `{tensor}`", dir.display())]
    TensorNotFound {
        /// The model directory.
        dir: PathBuf,
        /// The tensor.
        tensor: String,
    },
    /// The directory to be written is already there.
    #[error("{}: already exists", dir.display())]
    AlreadyExists {
        /// The directory.
        dir: PathBuf,
    },
    /// Another process, or another writer of this one, is writing the same directory.
    #[error("{}: is being written by another process (it holds {})", dir.display(), lock.display())]
    Busy {
        /// The directory.
        dir: PathBuf,
        /// The file that the other process has locked.
        lock: PathBuf,
    },
    /// The directory to be replaced has no config.json, so that deleting it would delete something else than a model.
    #[error("{}: not replaced: it has no config.json and so is not a model directory", dir.display())]
    NotAModelDirectory {
        /// The directory.
        dir: PathBuf,
    },
    /// The old directory was moved away, and then neither the new nor the old one could be moved to its place.
    #[error("{}: not replaced: {source}; the old directory is now {}", dir.display(), kept.display())]
    Stranded {
        /// The directory to be replaced, which is not there anymore.
        dir: PathBuf,
        /// Where its content is.
        kept: PathBuf,
        /// Why the new directory could not be moved.
        source: std::io::Error,
    },
    /// A file name with a folder in it, or no name at all.
    #[error("`{name}` is not a plain file name")]
    FileName {
        /// The name.
        name: String,
    },
    /// A file is given by the name of a file that is written anyway.
    #[error("`{name}` is reserved for the model's own config and weights")]
    ReservedFileName {
        /// The name.
        name: String,
    },
    /// A tensor is named like the header's metadata.
    #[error("`{tensor}` is reserved and cannot be the name of a tensor")]
    ReservedTensorName {
        /// The name.
        tensor: String,
    },
    /// Two tensors to be written have the same name.
    #[error("two tensors are named `{tensor}`")]
    RepeatedTensor {
        /// The name.
        tensor: String,
    },
    /// A tensor to be written has a size in bytes that is no number of this machine, or no whole number.
    #[error("tensor `{tensor}` of shape {shape:?} and dtype {dtype} has no size in bytes")]
    LayoutSize {
        /// The tensor.
        tensor: String,
        /// Its shape.
        shape: Vec<usize>,
        /// Its dtype in safetensors' spelling.
        dtype: String,
    },
    /// A tensor by its position among those to be written, and there are fewer.
    #[error("no tensor {index} to write: there are {length}")]
    NoSuchLayout {
        /// The position.
        index: usize,
        /// Number of tensors to be written.
        length: usize,
    },
    /// Values were to be written to a tensor that holds no f32, f16 or bf16.
    #[error("tensor `{tensor}`: values cannot be written as {dtype}")]
    NotFloat {
        /// The tensor.
        tensor: String,
        /// Its dtype in safetensors' spelling.
        dtype: String,
    },
    /// A finite value that is too large for the dtype that it is to be written in.
    #[error("tensor `{tensor}`: {value:e} is too large for {dtype}")]
    Overflow {
        /// The tensor.
        tensor: String,
        /// The value.
        value: f32,
        /// The dtype.
        dtype: crate::Dtype,
    },
    /// A part of a tensor was written twice.
    #[error("tensor `{tensor}`: {got} bytes were written of {expected}")]
    WrittenTwice {
        /// The tensor.
        tensor: String,
        /// Bytes that it has.
        expected: u64,
        /// Bytes that were written.
        got: u64,
    },
    /// A part of a tensor was not written.
    #[error("tensor `{tensor}`: only {got} bytes were written of {expected}")]
    Incomplete {
        /// The tensor.
        tensor: String,
        /// Bytes that it has.
        expected: u64,
        /// Bytes that were written.
        got: u64,
    },
    /// A tensor in memory with more or fewer values than its shape has places.
    #[error("tensor `{tensor}` of shape {shape:?}: {got} values do not fill the shape")]
    TensorLength {
        /// The tensor.
        tensor: String,
        /// Its shape.
        shape: Vec<usize>,
        /// The number of its values.
        got: usize,
    },
    /// The tensors cannot be described by a safetensors header.
    #[error("{}: {source}", path.display())]
    Header {
        /// The shard.
        path: PathBuf,
        /// What is wrong.
        source: safetensors::SafeTensorError,
    },
}

impl CheckpointError {
    /// For `map_err`: an operating system's error at `path`.
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_path_buf(), source }
    }

    /// For `map_err`: a JSON error in the file at `path`.
    pub(crate) fn json(path: &Path) -> impl FnOnce(serde_json::Error) -> Self + '_ {
        move |source| Self::Json { path: path.to_path_buf(), source }
    }
}
