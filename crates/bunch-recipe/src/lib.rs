//! Recipes: what is merged, how, and into what.
//!
//! A [`Recipe`] is a file in mergekit's YAML or, with the same keys and the parameter names of
//! [`Method`](bunch_merging::Method), in TOML.
//!
//! ```
//! use bunch_recipe::{Place, Recipe};
//! use std::path::Path;
//!
//! let text = "
//! merge_method: slerp
//! base_model: org/base
//! models: [{model: org/base}, {model: org/expert}]
//! parameters:
//!   t:
//!   - {filter: mlp, value: [0, 1]}
//!   - {value: 0.5}
//! ";
//! let recipe = Recipe::parse(Path::new("recipe.yml"), text)?;
//! let slices = recipe.slices(|_| 5)?;
//! let inputs = vec!["model.layers.1.mlp.up_proj.weight".to_owned(); slices[0].models.len()];
//! let place = Place { slice: 0, t: slices[0].position(1), tensor: &inputs[0], inputs: &inputs };
//! let method = serde_json::to_value(recipe.method_for(&place)?).expect("JSON");
//! assert_eq!(method["slerp"]["t"], 0.25);
//! # Ok::<(), bunch_recipe::RecipeProblems>(())
//! ```

mod form;
mod model_reference;
mod node;
mod parameters;
mod parts;
mod plan;
mod problem;
mod reader;
mod recipe;
mod resolve;
mod scalar;
mod setting;
mod tokenizer;
mod toml;
mod typed_toml;
mod yaml;

pub use form::{Form, Layout, ModelEntry, Module, OutputSlice, SliceSource};
pub use model_reference::ModelReference;
pub use parts::Parts;
pub use problem::{Fault, Location, Problem, RecipeProblems};
pub use recipe::{FloatDtype, Recipe};
pub use resolve::{Place, ResolvedSlice, SliceModel};
pub use setting::{Case, Scalar, Setting, Settings};
pub use tokenizer::{TokenName, TokenRule, TokenSource, TokenizerSection, TokenizerSource};
pub use typed_toml::{open_toml, read_toml};
