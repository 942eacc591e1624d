//! How a merge is carried out.

use std::path::PathBuf;

/// How a merge is carried out. None of this changes the merged values but `seed` and the permissions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergeOptions {
    /// Weights of more bytes than this are split into shards of at most this size.
    pub max_shard_size: u64,
    /// Tensors merged at a time, at most; as many as there are processors unless given.
    pub threads: Option<usize>,
    /// Bytes of memory, at most: fewer threads if need be.
    pub max_memory: u64,
    /// For methods that draw random numbers.
    pub seed: u64,
    /// Whether vocabularies of different sizes are cut to the smallest.
    pub truncate_embeddings: bool,
    /// Whether values that are infinite or not numbers are merged like any other.
    pub allow_non_finite: bool,
    /// Whether models of different architecture are merged.
    pub allow_mixed_architectures: bool,
    /// Whether a model directory that is already there is replaced.
    pub replace: bool,
    /// Which models' digests the model card lists.
    pub digests: Digests,
    /// File that remembers digests from merge to merge.
    pub digest_cache: Option<PathBuf>,
}

/// Which models' SHA-256 the model card lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digests {
    /// Those that are remembered, and those of models small enough to take no time.
    Auto,
    /// All; reading and hashing a large model takes longer than merging it.
    Always,
    /// None.
    Never,
}

/// mergekit's and transformers' limit on the size of a shard.
const SHARD_SIZE: u64 = 5_000_000_000;

/// Half a gibibyte.
const MEMORY: u64 = 512 << 20;

impl Default for MergeOptions {
    fn default() -> Self {
        Self {
            max_shard_size: SHARD_SIZE,
            threads: None,
            max_memory: MEMORY,
            seed: 0,
            truncate_embeddings: false,
            allow_non_finite: false,
            allow_mixed_architectures: false,
            replace: false,
            digests: Digests::Auto,
            digest_cache: None,
        }
    }
}
