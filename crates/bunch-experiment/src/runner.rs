//! Orders, stores and records cells. Nothing here decides what a cell's numbers are, but for what goes into its address:
//! an edit leaves cells valid, while one beside this folder makes them anew.

pub(crate) mod appendix;
pub(crate) mod cell_store;
pub(crate) mod checkpoints;
pub(crate) mod costs;
pub(crate) mod deviation;
pub(crate) mod dossier;
pub(crate) mod drawing;
pub(crate) mod drawn;
pub(crate) mod estimate;
pub(crate) mod experiment;
pub(crate) mod front;
pub(crate) mod machine;
pub(crate) mod model_store;
pub(crate) mod outlook;
pub(crate) mod paper_data;
pub(crate) mod planning;
pub(crate) mod progress;
pub(crate) mod prompts;
pub(crate) mod provenance;
pub(crate) mod published;
pub(crate) mod requirements;
pub(crate) mod results;
pub(crate) mod run;
pub(crate) mod schedule;
pub(crate) mod suite;
pub(crate) mod tolerance;
pub(crate) mod verification;
pub(crate) mod workload;
