//! Reads experiments, plans their cells, runs or reuses them, records results.
//!
//! [`Experiment`] is a TOML file of `experiments/`: rows (a strategy that finds a model), columns (a metric), the
//! published values, the claims, and what each scale changes. [`Run`] plans one cell for each block, row and seed, takes
//! what is cached, computes the rest on the cores there are, and writes the results folder. [`Suite`] does that for several,
//! and [`Committed`] checks results against their files, their claims and another run.
//!
//! The code lies in rooms, each of which uses those before it only: `declared` (what a file says), `planning` (what has to be
//! done), `recording` (what is kept of it), `running` (doing it) and `verifying` (reading it back).

mod cell_code;
mod costs;
mod declared;
mod error;
mod objective;
mod planning;
mod preference;
mod recording;
mod running;
mod seed_pool;
mod verifying;

pub use declared::experiment::{Experiment, list_experiments};
pub use declared::variant::{Variant, VariantError};
pub use error::ExperimentError;
pub use planning::run::{Options, Run};
pub use recording::results::between_writes;
pub use running::dry_run::DryRun;
pub use running::execution::Finished;
pub use running::suite::{Failure, Suite};
pub use verifying::deviation::Deviation;
pub use verifying::results_page::results_page;
pub use verifying::verification::{Checked, Committed, Compared, ResultsPlace, Selection, tolerance_reason};
