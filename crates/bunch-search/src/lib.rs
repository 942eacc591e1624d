//! Coefficient search: grid, CMA-ES, NSGA-II and softmax weighting.
//!
//! A search proposes batches of points and observes their losses. What a point means (task weights, densities, an
//! interpolation factor) and how a loss is computed is up to the caller.

mod cma_es;
mod distribution;
mod eigen;
mod grid;
mod nsga2;
mod record;
mod softmax;

pub use cma_es::{CmaEs, CmaEsConfig};
pub use grid::Grid;
pub use nsga2::{Compromise, Nsga2, Nsga2Config};
pub use softmax::softmax_weights;

use serde::{Deserialize, Serialize};

/// A minimiser with an ask-and-tell interface: [`propose`](Search::propose), evaluate, [`observe`](Search::observe).
pub trait Search {
    /// The next batch of points to evaluate, each of one coordinate per gene, or `None` once the search is done.
    ///
    /// Until its losses are observed, the same batch is proposed again.
    fn propose(&mut self) -> Option<Vec<Vec<f64>>>;

    /// Takes the losses of the proposed batch, in its order; lower is better.
    ///
    /// A NaN loss counts as positive infinity: the point is recorded, ranks last and is never the best one.
    ///
    /// # Panics
    /// If the number of losses is not the number of points proposed (none if nothing is proposed).
    fn observe(&mut self, losses: &[f64]);

    /// The first point of lowest loss among all evaluated, with that loss; `None` while every loss was infinite.
    fn best(&self) -> Option<(&[f64], f64)>;

    /// Every evaluation so far, in the order proposed.
    fn trace(&self) -> &[Evaluation];
}

/// One evaluated point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// Position in the trace, from 0.
    pub step: usize,
    /// The point as it was proposed, inside all bounds.
    pub point: Vec<f64>,
    /// The loss observed there; positive infinity if it was NaN.
    pub loss: f64,
    /// Batch within its restart, from 0.
    pub generation: usize,
    /// Restart that proposed it: 0 is the first run.
    pub restart: usize,
}

/// Why a search or a weighting cannot be set up.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SearchError {
    /// A list of per-gene numbers does not have one entry per gene.
    #[error("search `{name}`: `{field}` has {got} entries, expected one per gene ({expected})")]
    Length {
        /// The search's name.
        name: String,
        /// The configuration field.
        field: &'static str,
        /// The dimension.
        expected: usize,
        /// Entries found.
        got: usize,
    },
    /// A number is outside its range.
    #[error("search `{name}`: `{field}` is {got}, expected {expected}")]
    Range {
        /// The search's name.
        name: String,
        /// The configuration field, with the gene's index where there is one.
        field: String,
        /// The allowed range, in words.
        expected: &'static str,
        /// The value found.
        got: f64,
    },
    /// A grid axis without values, or a grid without axes.
    #[error("grid: axis {axis} of {axes} has no values; every axis needs one and there must be an axis")]
    EmptyAxis {
        /// Index of the axis.
        axis: usize,
        /// Number of axes.
        axes: usize,
    },
    /// A value that is NaN or infinite where a finite number is needed.
    #[error("{what}: entry {index} is {got}, expected a finite number")]
    NotFinite {
        /// What the number belongs to.
        what: String,
        /// Its position.
        index: usize,
        /// The value found.
        got: f64,
    },
    /// A temperature that is not positive and finite.
    #[error("softmax temperature is {got}, expected a finite number above 0")]
    Temperature {
        /// The value found.
        got: f64,
    },
    /// Softmax over no scores.
    #[error("softmax needs at least one score")]
    NoScores,
}
