//! Safe merging of a pool of models: generates data, searches a merge, measures it.
//!
//! [`OpenPool`] is a pool whose models are loaded when they are asked something; how they are loaded is the caller's
//! ([`Loader`]), so that this crate knows no architecture. [`synthesize`] writes D_safety and D_expert of Hammoud et al. 2024
//! into a folder; [`evolve`] searches the merge that is best by them and writes its recipe.

#![forbid(unsafe_code)]

mod convergence;
mod data_folder;
mod error;
mod evaluation_journal;
mod evolution;
mod guard_check;
mod lazy_model;
mod loader;
mod measurement;
mod model_calls;
mod open_pool;
mod pool_judge;
mod recipe_file;
mod search_objective;
mod strategy_choice;
mod synthesis;

// Strategies by name, and what a search's losses are of, for whoever chooses them.
pub use bunch_evolution::{AnyStrategy, ByOptions, Data as LossData, Goal, GoalConstraint, GoalQuantity};
pub use data_folder::DataFolder;
pub use error::AlignmentError;
pub use evolution::{EvolutionOutcome, EvolutionSettings, evolve};
pub use lazy_model::LazyModel;
pub use loader::{Loader, LoaderError};
pub use measurement::{
    AskedModel, AskedSets, MeasureOutcome, MeasureSettings, MeasuredModel, MeasuredQuantity, MeasuredRole, Measurement,
    PairedDifference, QuantityValue, TaskOutcome, measure,
};
pub use open_pool::{OpenPool, PoolChoice};
pub use pool_judge::PoolJudge;
pub use strategy_choice::{GeneRange, GeneValues, StrategyChoice};
pub use synthesis::{SynthesisOutcome, SynthesisSettings, synthesize};
