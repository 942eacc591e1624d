//! Merge methods as pure functions on f32 slices, their registry, and the laws they obey.
//!
//! A method sees one tensor at a time, as [`TensorAcrossModels`], in memory or read piece by piece, and returns a
//! [`Kernel`] that merges it block by block. [`Method`] is the
//! configuration of any of them, [`CATALOGUE`] describes them all, and [`docs_page`] renders what their doc comments,
//! their [`Info`] and their schema say. To add a method, see the list in `methods.rs`.
//!
//! ```
//! use bunch_merging::{Method, TensorAcrossModels, Ties, Values};
//!
//! let method = Method::from(Ties { weights: vec![1.0, 1.0], ..Ties::default() });
//! let base = Values::Slice(&[0.0, 0.0, 0.0]);
//! let experts = [Values::Slice(&[4.0, 1.0, -2.0]), Values::Slice(&[2.0, -3.0, 0.5])];
//! let tensor = TensorAcrossModels::new("model.norm.weight", &[3], Some(base), &experts);
//! let mut merged = [0.0; 3];
//! method.merge(&tensor, 0, &mut merged)?;
//! assert_eq!(merged, [3.0, -3.0, -2.0]);
//! # Ok::<(), bunch_merging::MergeError>(())
//! ```

mod block;
mod cache;
mod changes;
mod consensus;
mod dialect;
mod docs;
mod error;
mod gram;
mod info;
mod kernel;
mod masks;
mod matrix;
mod merge_method;
mod method;
mod methods;
mod model_trim;
mod nearest_name;
mod parameter_specs;
mod parameters;
mod projection;
mod selection;
mod sparsified;
mod survey;
mod task_vectors;
mod tensor;
mod tensor_source;
mod trim;
mod values;

pub use block::{BLOCK, Block};
pub use cache::TensorCache;
pub use dialect::{Dialect, Spelling};
pub use docs::{docs_page, methods_table};
pub use error::{MergeError, Source};
pub use info::{BaseRole, ExpertCount, Identity, Info, Law, Laws, Paper, ROLE_NAMES, Role, SameModels};
pub use kernel::{Kernel, Prepared};
pub use matrix::{Columns, Matrix};
pub use merge_method::MergeMethod;
pub use method::{CATALOGUE, Method, method_code, method_schema};
pub use methods::*;
pub use nearest_name::nearest_name;
pub use parameter_specs::{ParameterKind, ParameterSpec, method_from_parameters, parameter_specs, parameters_of};
pub use parameters::{
    Densities, Density, Fraction, OutlierFraction, PerExpert, PerExpertNumber, Rescale, Spread, TrimScope,
};
pub use survey::Survey;
pub use tensor::TensorAcrossModels;
pub use tensor_source::TensorSource;
pub use values::{ReadValues, Values};
