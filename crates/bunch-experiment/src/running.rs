//! Carries out a plan on the cores there are, and records what comes out of it.

pub(crate) mod cell_store;
pub(crate) mod data;
pub(crate) mod dry_run;
pub(crate) mod evaluation;
pub(crate) mod likeness;
pub(crate) mod model_store;
pub(crate) mod progress;
pub(crate) mod run;
pub(crate) mod schedule;
pub(crate) mod scoring;
pub(crate) mod suite;
