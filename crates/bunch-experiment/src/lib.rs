//! Reads experiments, plans their cells, runs or reuses them, records results.
//!
//! [`Experiment`] is a TOML file of `experiments/`: rows (a merge method and how it is weighted), columns (a metric), the
//! published values, the claims, and what each scale changes. [`Run`] plans one cell for each block, row and seed, takes
//! what is cached, computes the rest on the cores there are, and writes the results folder.

mod appendix;
mod cell_store;
mod criterion;
mod data;
mod error;
mod evaluation;
mod experiment;
mod measurement;
mod miniature;
mod planning;
mod progress;
mod provenance;
mod published;
mod results;
mod run;
mod schedule;
mod small;
mod weighting;
mod workbench;
mod world;

pub use error::ExperimentError;
pub use experiment::{Block, Column, Experiment, GridValues, Metric, Paper, Row, Scale, WorldKind, list_experiments};
pub use run::{Finished, Options, Run};
pub use weighting::{Data, Weighting};
