//! What candidates are scored on, and who trains: both are given by the caller.

use std::error::Error;

use bunch_checkpoint::StateDict;
use bunch_lm::LanguageModel;
use bunch_search::Search;

use crate::EvolutionError;
use crate::generated_data::Data;
use crate::genes::{Gene, named};
use crate::strategies::preference::PreferenceTuning;
use crate::strategy::{Environment, Found, FoundModel};

/// An error of the caller's.
pub type CallerError = Box<dyn Error + Send + Sync>;

/// Scores candidates.
pub trait Objective {
    /// Loads a candidate, so that it can be scored.
    fn model(&self, weights: &StateDict) -> Result<Box<dyn LanguageModel + '_>, CallerError>;

    /// L_safety or L_expert (Hammoud et al. 2024, Eq. 4 and 5): mean cross-entropy of the answers, in nats per token.
    fn loss(&self, model: &dyn LanguageModel, data: Data) -> Result<f64, CallerError>;

    /// Mean accuracy on the dev questions of the tasks that models are selected on, in percent.
    fn dev_accuracy(&self, model: &dyn LanguageModel) -> Result<f64, CallerError>;

    /// Share of harmful dev prompts with an answer that is judged safe, in percent.
    ///
    /// # Errors
    /// No harmful dev prompts.
    fn dev_safety(&self, model: &dyn LanguageModel) -> Result<f64, CallerError>;
}

/// Trains models of the pool.
pub trait Trainer {
    /// Tunes `start` on preferences and returns the weights with the last step's loss; calls `step` after every step.
    fn tune(
        &self,
        tuning: &PreferenceTuning,
        start: &StateDict,
        seed: u64,
        step: &mut dyn FnMut(),
    ) -> Result<(StateDict, f64), CallerError>;
}

/// Fails unless a search for the least loss has the data it needs.
pub(crate) fn check_data(data: &[Data]) -> Result<(), EvolutionError> {
    if data.contains(&Data::Expert) {
        return Ok(());
    }
    Err(EvolutionError::setting("data", format!("{data:?}"), "both or \"expert\" alone: it must contain \"expert\""))
}

/// A merge with its losses by name, first the one that counts.
type Scored = (StateDict, Vec<(&'static str, f64)>);

/// The merge with the least loss of those that a search proposes: L_safety + alpha L_expert, or L_expert alone without
/// safety data. `merge` is the merge at a point; `progress` is called for every merge that was scored.
pub(crate) fn find_least_loss(
    environment: &Environment<'_>,
    search: &mut dyn Search,
    genes: &[Gene],
    merge: &dyn Fn(&[f64]) -> Result<StateDict, EvolutionError>,
    (data, alpha): (&[Data], f64),
    progress: &mut dyn FnMut(),
) -> Result<FoundModel, EvolutionError> {
    let objective = environment.objective;
    let scored = |point: &[f64]| -> Result<Scored, EvolutionError> {
        let merged = merge(point)?;
        let model = objective.model(&merged)?;
        let expert = objective.loss(&*model, Data::Expert)?;
        let mut losses = vec![("loss", expert), ("loss_expert", expert)];
        if data.contains(&Data::Safety) {
            let safety = objective.loss(&*model, Data::Safety)?;
            losses[0].1 = safety + alpha * expert;
            losses.push(("loss_safety", safety));
        }
        drop(model);
        Ok((merged, losses))
    };
    let best = minimize(search, &mut |point| {
        let (_, losses) = scored(point)?;
        progress();
        Ok(losses[0].1)
    })?;
    let (weights, losses) = scored(&best)?;
    let found = Found { detail: named(genes, &best), trace: search.trace().to_vec() };
    Ok(FoundModel { weights, found: found.with(losses) })
}

/// Runs a search to its end and returns the best point.
pub(crate) fn minimize(
    search: &mut dyn Search,
    score: &mut dyn FnMut(&[f64]) -> Result<f64, EvolutionError>,
) -> Result<Vec<f64>, EvolutionError> {
    while let Some(points) = search.propose() {
        let losses = points.iter().map(|point| score(point)).collect::<Result<Vec<_>, _>>()?;
        search.observe(&losses);
    }
    search.best().map(|(point, _)| point.to_vec()).ok_or(EvolutionError::NoFiniteLoss)
}
