//! What a search has evaluated, as far as the caller keeps it.

use std::collections::BTreeMap;

use crate::EvolutionError;

/// Numbers by name: coordinates of a point, or losses and accuracies of the candidate there.
pub type Numbers = BTreeMap<String, f64>;

/// Where the evaluations of a search are kept, so that one that was stopped, or that is to go further, scores nothing twice.
pub trait Evaluations {
    /// The scores of the candidate at `point`: those kept, or else those that `score` gives, which are kept from now on.
    ///
    /// # Errors
    /// What `score` says, or that its answer cannot be kept.
    fn scores(
        &self,
        point: &Numbers,
        score: &mut dyn FnMut() -> Result<Numbers, EvolutionError>,
    ) -> Result<Numbers, EvolutionError>;
}

/// Keeps nothing: every candidate is scored.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unkept;

impl Evaluations for Unkept {
    fn scores(
        &self,
        _point: &Numbers,
        score: &mut dyn FnMut() -> Result<Numbers, EvolutionError>,
    ) -> Result<Numbers, EvolutionError> {
        score()
    }
}
