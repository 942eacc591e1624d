//! What can be wrong with the input of a merge.

use crate::info::{ExpertCount, Info};
use std::fmt;
use std::ops::Range;

/// Where the values of a tensor come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The base model.
    Base,
    /// The expert with this index, counted from 0.
    Expert(usize),
    /// The expert that has a role.
    Role {
        /// The role's name.
        name: &'static str,
        /// Its index, counted from 0.
        expert: usize,
    },
    /// The merged tensor.
    Merged,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Base => write!(f, "the base"),
            Source::Expert(index) => write!(f, "expert {index}"),
            Source::Role { name, .. } => write!(f, "the model `{name}`"),
            Source::Merged => write!(f, "the merged tensor"),
        }
    }
}

/// What can be wrong with the input of a merge.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MergeError {
    /// A slice is not as long as its tensor's shape says.
    #[error("tensor {tensor}: expected {expected} values, got {got} from {source}", source = .from)]
    Length {
        /// The tensor's name.
        tensor: String,
        /// Whose slice it is.
        from: Source,
        /// The product of the shape.
        expected: usize,
        /// The length of the slice.
        got: usize,
    },
    /// A value is infinite or not a number.
    #[error("tensor {tensor}: value {index} of {source} is {value}, expected a finite number", source = .from)]
    NonFinite {
        /// The tensor's name.
        tensor: String,
        /// Where the value was found.
        from: Source,
        /// Its row-major index.
        index: usize,
        /// The value.
        value: f32,
    },
    /// The values of a model cannot be read.
    #[error("tensor {tensor}: {source}: {reason}", source = .from)]
    Read {
        /// The tensor's name.
        tensor: String,
        /// The model.
        from: Source,
        /// What went wrong.
        reason: String,
    },
    /// A part of a tensor was asked for that cannot be merged by itself.
    #[error("tensor {tensor}: cannot merge entries {range:?} into {out} values: ranges end at multiples of {unit}")]
    Range {
        /// The tensor's name.
        tensor: String,
        /// The entries asked for.
        range: Range<usize>,
        /// Where ranges may begin and end.
        unit: usize,
        /// The number of values to be filled.
        out: usize,
    },
    /// The method cannot merge these values.
    #[error("tensor {tensor}: {method}: {reason}")]
    Degenerate {
        /// The method's name.
        method: &'static str,
        /// The tensor's name.
        tensor: String,
        /// What is wrong with the values.
        reason: String,
    },
    /// The method needs a base model and there is none.
    #[error("tensor {tensor}: {method} needs a base model, got none")]
    MissingBase {
        /// The method's name.
        method: &'static str,
        /// The tensor's name.
        tensor: String,
    },
    /// The method does not take this number of experts.
    #[error("{method}: expected {expected}, got {got}")]
    ExpertCount {
        /// The method's name.
        method: &'static str,
        /// How many experts it takes.
        expected: ExpertCount,
        /// How many there are.
        got: usize,
    },
    /// A parameter that has one entry for each expert has another number of entries.
    #[error("{method}: `{field}` has {got} entries, expected one for each of {expected} experts")]
    EntryCount {
        /// The method's name.
        method: &'static str,
        /// The parameter.
        field: &'static str,
        /// The number of experts.
        expected: usize,
        /// The number of entries.
        got: usize,
    },
    /// A parameter has a value that the method cannot use.
    #[error("{method}: `{field}` is {got}, expected {expected}")]
    Parameter {
        /// The method's name.
        method: &'static str,
        /// The parameter.
        field: &'static str,
        /// What it may be.
        expected: &'static str,
        /// Its value.
        got: String,
    },
    /// A parameter is infinite or not a number.
    #[error("{method}: `{field}` is {got}, expected a finite number")]
    NonFiniteParameter {
        /// The method's name.
        method: &'static str,
        /// The parameter.
        field: &'static str,
        /// Its value.
        got: f32,
    },
    /// A bounded number is outside its range.
    #[error("{quantity} is {got}, expected a number from 0 to 1")]
    OutOfRange {
        /// What the number is.
        quantity: &'static str,
        /// Its value.
        got: f64,
    },
    /// The weights cannot be normalised because they sum to (almost) nothing.
    #[error("{method}: the weights sum to {sum}, which cannot be normalised; expected at least 1e-8 in magnitude")]
    ZeroWeightSum {
        /// The method's name.
        method: &'static str,
        /// The sum.
        sum: f64,
    },
    /// The method needs a first pass over the whole model, and its result does not cover this tensor.
    #[error("tensor {tensor}: {method} needs a survey of the whole model that covers {experts} experts here")]
    MissingSurvey {
        /// The method's name.
        method: &'static str,
        /// The tensor's name.
        tensor: String,
        /// The number of experts.
        experts: usize,
    },
    /// The method knows its models by role, and there are others.
    #[error("{method}: expected the models {expected}, got {got} besides the base")]
    Roles {
        /// The method's name.
        method: &'static str,
        /// The roles it knows.
        expected: String,
        /// How many experts there are.
        got: usize,
    },
    /// The cache was made for another number of experts.
    #[error("tensor {tensor}: the cache is for {got} experts, expected {expected}")]
    CacheMismatch {
        /// The tensor's name.
        tensor: String,
        /// The number of experts of the tensor.
        expected: usize,
        /// The number of experts of the cache.
        got: usize,
    },
}

impl MergeError {
    /// The same error with the experts named by their roles, for methods that know such.
    pub(crate) fn by_role(mut self, info: &Info) -> Self {
        if let Self::Length { from, .. } | Self::NonFinite { from, .. } | Self::Read { from, .. } = &mut self
            && let Source::Expert(expert) = *from
            && let Some(role) = info.role_of(expert)
        {
            *from = Source::Role { name: role.name, expert };
        }
        self
    }
}
