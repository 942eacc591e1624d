//! What candidates are scored on, and who trains: both are given by the caller.

use std::error::Error;

use bunch_checkpoint::{StateDict, Weights};
use bunch_lm::LanguageModel;
use bunch_search::Search;

use crate::EvolutionError;
use crate::candidate::Candidate;
use crate::evaluations::Numbers;
use crate::generated_data::Data;
use crate::genes::{Gene, named};
use crate::strategies::preference::PreferenceTuning;
use crate::strategy::{Environment, Found, FoundModel};

/// An error of the caller's.
pub type CallerError = Box<dyn Error + Send + Sync>;

/// Scores candidates.
pub trait Objective {
    /// Loads a candidate, so that it can be scored.
    fn model(&self, weights: &dyn Weights) -> Result<Box<dyn LanguageModel + '_>, CallerError>;

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

/// The merge with the least loss of those that a search proposes: L_safety + alpha L_expert, or L_expert alone without
/// safety data. `merge` is the merge at a point; `progress` is called for every merge that was scored.
pub(crate) fn find_least_loss<'a>(
    environment: &Environment<'a>,
    search: &mut dyn Search,
    genes: &[Gene],
    merge: &dyn Fn(&[f64]) -> Result<Candidate<'a>, EvolutionError>,
    (data, alpha): (&[Data], f64),
    progress: &mut dyn FnMut(),
) -> Result<(Vec<f64>, FoundModel), EvolutionError> {
    let objective = environment.objective;
    let score = |point: &[f64]| -> Result<Numbers, EvolutionError> {
        let model = objective.model(&merge(point)?)?;
        let expert = objective.loss(&*model, Data::Expert)?;
        let mut losses = Numbers::from([("loss".to_owned(), expert), ("loss_expert".to_owned(), expert)]);
        if data.contains(&Data::Safety) {
            let safety = objective.loss(&*model, Data::Safety)?;
            losses.insert("loss".into(), safety + alpha * expert);
            losses.insert("loss_safety".into(), safety);
        }
        Ok(losses)
    };
    let mut scores = Vec::new();
    let best = minimize(search, &mut |point| {
        let losses = environment.evaluations.scores(&named(genes, point), &mut || score(point))?;
        progress();
        scores.push((point.to_vec(), losses.clone()));
        Ok(losses["loss"])
    })?;
    let (_, losses) = scores.into_iter().find(|(point, _)| *point == best).expect("the best was scored");
    let found =
        Found { detail: named(genes, &best).into_iter().chain(losses).collect(), trace: search.trace().to_vec() };
    let model = FoundModel { weights: environment.weights(&merge(&best)?)?, found, merge: None };
    Ok((best, model))
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
