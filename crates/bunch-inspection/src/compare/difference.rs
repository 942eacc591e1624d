//! What two checkpoints cannot be compared in, or only with a remark.

use std::fmt;

/// One of the checkpoints compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The first.
    A,
    /// The second.
    B,
    /// The one that both come from.
    Base,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "A",
            Self::B => "B",
            Self::Base => "the base",
        })
    }
}

/// A remark on a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The tensor's name.
    pub tensor: String,
    /// The remark.
    pub kind: DifferenceKind,
}

/// What there is to say about a tensor. Where it concerns the base, the weights are compared without it; where A or B,
/// the tensor is not compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DifferenceKind {
    /// A checkpoint does not have the tensor.
    Missing {
        /// The checkpoint without it.
        side: Side,
    },
    /// The tensor has another shape than in A.
    Shape {
        /// The checkpoint that differs: B or the base.
        side: Side,
        /// The shape in A.
        expected: Vec<usize>,
        /// The shape there.
        got: Vec<usize>,
    },
    /// The dtype is none of weights, so that there are no numbers to compare.
    Dtype {
        /// The checkpoint.
        side: Side,
        /// The dtype in the file's spelling.
        got: String,
    },
    /// Some values are NaN or infinite.
    NotFinite {
        /// The checkpoint.
        side: Side,
    },
    /// The vocabularies are of different sizes: the first rows, which all have, are compared.
    CommonRows {
        /// Rows compared.
        rows: usize,
        /// Rows in A, B and, if there is one, the base.
        of: Vec<usize>,
    },
    /// A checkpoint has no output projection of its own: its embedding is compared, which stands in for it.
    Tied {
        /// The checkpoint.
        side: Side,
        /// The embedding's name.
        embedding: String,
    },
}

/// Without the tensor's name.
impl fmt::Display for DifferenceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { side } => write!(f, "missing in {side}"),
            Self::Shape { side, expected, got } => write!(f, "shape {got:?} in {side}, {expected:?} in A"),
            Self::Dtype { side, got } => write!(f, "dtype {got} in {side} holds no weights"),
            Self::NotFinite { side } => write!(f, "some values in {side} are NaN or infinite"),
            Self::CommonRows { rows, of } => {
                write!(f, "the first {rows} rows are compared: ")?;
                for (i, (side, rows)) in [Side::A, Side::B, Side::Base].into_iter().zip(of).enumerate() {
                    write!(f, "{}{side} has {rows}", if i > 0 { ", " } else { "" })?;
                }
                Ok(())
            }
            Self::Tied { side, embedding } => write!(f, "{side} ties it to `{embedding}`, which is compared"),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.tensor, self.kind)
    }
}
