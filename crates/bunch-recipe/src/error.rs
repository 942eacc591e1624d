//! What can be wrong with a merge of whole models.

use bunch_merging::MergeError;
use std::fmt;

/// One of the models that are merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Member {
    /// The base.
    Base,
    /// The expert with this index, counted from 0.
    Expert(usize),
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Member::Base => write!(f, "the base"),
            Member::Expert(index) => write!(f, "expert {index}"),
        }
    }
}

/// What can be wrong with a merge of whole models.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RecipeError {
    /// An expert lacks a tensor of the base.
    #[error("tensor {tensor}: expected in {member} with shape {expected:?} as in the base, got no such tensor")]
    MissingTensor {
        /// The tensor's name.
        tensor: String,
        /// The model that lacks it.
        member: Member,
        /// The base's shape.
        expected: Vec<usize>,
    },
    /// An expert has a tensor that the base lacks.
    #[error("tensor {tensor}: not in the base, so expected nothing in {member}, got one with shape {got:?}")]
    ExtraTensor {
        /// The tensor's name.
        tensor: String,
        /// The model that has it.
        member: Member,
        /// Its shape there.
        got: Vec<usize>,
    },
    /// A tensor's shape differs from the base's.
    #[error("tensor {tensor}: expected shape {expected:?} as in the base, got {got:?} in {member}")]
    Shape {
        /// The tensor's name.
        tensor: String,
        /// The model whose shape differs.
        member: Member,
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
        member: Member,
        /// The product of the shape.
        expected: usize,
        /// The number of values.
        got: usize,
    },
    /// The method refuses these models or parameters.
    #[error(transparent)]
    Merge(#[from] MergeError),
}
