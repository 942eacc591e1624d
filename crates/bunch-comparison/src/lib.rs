//! How two checkpoints differ: by tensor, layer and module.
//!
//! [`compare`] reads two checkpoints, and if wanted the base that both come from, once and in pieces. A [`Comparison`]
//! has the [`Measures`] of each tensor, and those of layers, modules and the whole, as if their tensors were one long
//! vector; it is printed as a table, written as CSV or drawn as a heat map.
//! [`linear_cka`] compares what two models make of the same inputs instead.

#![forbid(unsafe_code)]

mod cka;
mod compare;
mod comparison;
mod csv_rows;
mod difference;
mod error;
mod measures;
mod pairs;
mod quantity;
mod sums;
mod table;

pub use cka::linear_cka;
pub use compare::{bytes_to_read, compare};
pub use comparison::{Comparison, TensorComparison};
pub use difference::{Difference, DifferenceKind, Side};
pub use error::ComparisonError;
pub use measures::{Measures, TaskVectorMeasures};
pub use quantity::Quantity;
