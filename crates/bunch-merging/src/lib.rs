//! Merge methods as pure functions on f32 slices, their registry, and the laws they obey.
//!
//! A method sees one tensor at a time, as [`TensorAcrossModels`], and writes the merged tensor. [`Method`] is the
//! configuration of any of them, [`CATALOGUE`] describes them all, and [`docs_page`] renders what their doc comments,
//! their [`Info`] and their schema say. To add a method, see the list in `methods.rs`.
//!
//! ```
//! use bunch_merging::{Method, TensorAcrossModels, Ties};
//!
//! let method = Method::from(Ties { weights: vec![1.0, 1.0], ..Ties::default() });
//! let tensor = TensorAcrossModels {
//!     name: "model.norm.weight",
//!     shape: &[3],
//!     base: Some(&[0.0, 0.0, 0.0]),
//!     experts: &[&[4.0, 1.0, -2.0], &[2.0, -3.0, 0.5]],
//!     cache: None,
//!     survey: None,
//! };
//! let mut merged = [0.0; 3];
//! method.merge(&tensor, 0, &mut merged)?;
//! assert_eq!(merged, [3.0, -3.0, -2.0]);
//! # Ok::<(), bunch_merging::MergeError>(())
//! ```

mod cache;
mod consensus;
mod docs;
mod error;
mod info;
#[cfg(test)]
mod laws;
mod masks;
mod methods;
mod parameters;
mod survey;
mod task_vectors;
mod tensor;
mod trim;

pub use cache::TensorCache;
pub use docs::{docs_page, readme_table};
pub use error::{MergeError, Source};
pub use info::{ExpertCount, Info, Law, Laws, Paper, SameModels};
pub use methods::{
    CATALOGUE, DareLinear, DareTies, Linear, MergeMethod, Method, Slerp, TaskArithmetic, Ties, method_schema,
};
pub use parameters::{Densities, Density, Fraction, Rescale, TrimScope};
pub use survey::{Survey, TensorSource};
pub use tensor::TensorAcrossModels;
