//! What can go wrong while a model is merged or found.

use std::error::Error;
use std::fmt;

use bunch_checkpoint::CheckpointError;
use bunch_merging::MergeError;
use bunch_search::SearchError;

/// Which of a pool's models an error is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberRole {
    /// The base.
    Base,
    /// The expert with this index, counted from 0.
    Expert(usize),
}

impl fmt::Display for MemberRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MemberRole::Base => write!(f, "the base"),
            MemberRole::Expert(index) => write!(f, "expert {index}"),
        }
    }
}

/// What can go wrong while a model is merged or found.
#[derive(Debug, thiserror::Error)]
pub enum EvolutionError {
    /// An expert lacks a tensor of the base.
    #[error("tensor {tensor}: expected in {member} with shape {expected:?} as in the base, got no such tensor")]
    MissingTensor {
        /// The tensor's name.
        tensor: String,
        /// The model that lacks it.
        member: MemberRole,
        /// The base's shape.
        expected: Vec<usize>,
    },
    /// An expert has a tensor that the base lacks.
    #[error("tensor {tensor}: not in the base, so expected nothing in {member}, got one with shape {got:?}")]
    ExtraTensor {
        /// The tensor's name.
        tensor: String,
        /// The model that has it.
        member: MemberRole,
        /// Its shape there.
        got: Vec<usize>,
    },
    /// A tensor's shape differs from the base's.
    #[error("tensor {tensor}: expected shape {expected:?} as in the base, got {got:?} in {member}")]
    Shape {
        /// The tensor's name.
        tensor: String,
        /// The model whose shape differs.
        member: MemberRole,
        /// The base's shape.
        expected: Vec<usize>,
        /// The shape found.
        got: Vec<usize>,
    },
    /// A tensor does not hold as many values as its shape says.
    #[error("tensor {tensor}: expected {expected} values in {member} for its shape, got {got}")]
    Length {
        /// The tensor's name.
        tensor: String,
        /// The model in question.
        member: MemberRole,
        /// The product of the shape.
        expected: usize,
        /// The number of values.
        got: usize,
    },
    /// No merge method of that name.
    #[error("unknown merge method `{got}`{hint}; `bunch methods` lists them")]
    UnknownMethod {
        /// The name.
        got: String,
        /// ` (did you mean `ties`?)`, or nothing.
        hint: String,
    },
    /// The method has no parameter of that name.
    #[error("{method} has no parameter `{got}`{hint}; it has {known}")]
    UnknownParameter {
        /// The method.
        method: String,
        /// The name.
        got: String,
        /// ` (did you mean `density`?)`, or nothing.
        hint: String,
        /// The names that would work.
        known: String,
    },
    /// A parameter that cannot be a gene.
    #[error("{method}: `{parameter}` cannot be searched: {why}")]
    NotSearchable {
        /// The method.
        method: String,
        /// The parameter.
        parameter: String,
        /// Why not.
        why: String,
    },
    /// Parameters that the method does not take.
    #[error("{method}: {what}")]
    Parameters {
        /// The method.
        method: String,
        /// What is wrong.
        what: String,
    },
    /// A setting of a strategy outside its range.
    #[error("`{field}` is {got}, expected {expected}")]
    Setting {
        /// The setting.
        field: &'static str,
        /// Its value.
        got: String,
        /// What works.
        expected: String,
    },
    /// No such model in the pool.
    #[error("member {got} of a pool of {members}: 0 is the base, {} the last expert", members - 1)]
    NoSuchMember {
        /// The number asked for.
        got: usize,
        /// Models in the pool, at least 1.
        members: usize,
    },
    /// A search without a result.
    #[error("no merge that the search tried has a finite loss")]
    NoFiniteLoss,
    /// No merge keeps what must be kept.
    #[error(
        "none of {tried} merges keeps {keep}; the nearest, at {nearest}, has {scores}: keep less, widen --genes, or allow more \
         --evaluations"
    )]
    NothingFeasible {
        /// Merges that were scored.
        tried: usize,
        /// The constraints.
        keep: String,
        /// Where the nearest merge is.
        nearest: String,
        /// What it has of what is constrained.
        scores: String,
    },
    /// The method rejects these models or parameters.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// A member's file cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A search rejects its settings.
    #[error(transparent)]
    Search(#[from] SearchError),
    /// The caller's objective or trainer failed.
    #[error(transparent)]
    Caller(#[from] Box<dyn Error + Send + Sync>),
}

impl EvolutionError {
    /// A setting outside its range.
    pub(crate) fn setting(field: &'static str, got: impl fmt::Display, expected: impl Into<String>) -> Self {
        Self::Setting { field, got: got.to_string(), expected: expected.into() }
    }
}
