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
use crate::goal::Goal;
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

    /// Accuracy on the dev questions of one task, in percent.
    ///
    /// # Errors
    /// No such task, or it has no dev questions.
    fn task_accuracy(&self, model: &dyn LanguageModel, task: &str) -> Result<f64, CallerError>;

    /// Share of benign dev prompts that are refused, in percent.
    ///
    /// # Errors
    /// No benign dev prompts, or nothing that says what a refusal is.
    fn over_refusal(&self, model: &dyn LanguageModel) -> Result<f64, CallerError>;
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
fn check_data(data: &[Data]) -> Result<(), EvolutionError> {
    if data.contains(&Data::Expert) {
        return Ok(());
    }
    Err(EvolutionError::setting("data", format!("{data:?}"), "both or \"expert\" alone: it must contain \"expert\""))
}

/// What a search minimises.
pub(crate) struct Target<'s> {
    /// Which losses count, where there is no goal.
    pub(crate) data: &'s [Data],
    /// Weight of L_expert next to L_safety.
    pub(crate) alpha: f64,
    /// What makes a merge the best, instead of the losses.
    pub(crate) goal: Option<&'s Goal>,
}

impl Target<'_> {
    /// What a candidate scores.
    fn scores(&self, objective: &dyn Objective, model: &dyn LanguageModel) -> Result<Numbers, EvolutionError> {
        if let Some(goal) = self.goal {
            return goal.scores(objective, model, self.alpha);
        }
        let expert = objective.loss(model, Data::Expert)?;
        let mut losses = Numbers::from([("loss".to_owned(), expert), ("loss_expert".to_owned(), expert)]);
        if self.data.contains(&Data::Safety) {
            let safety = objective.loss(model, Data::Safety)?;
            losses.insert("loss".into(), safety + self.alpha * expert);
            losses.insert("loss_safety".into(), safety);
        }
        Ok(losses)
    }

    /// Fails unless there is a goal, or the losses have the data that they need.
    pub(crate) fn check(&self) -> Result<(), EvolutionError> {
        if self.goal.is_some() { Ok(()) } else { check_data(self.data) }
    }
}

/// The best merge of those that a search proposes: by the target's goal, or else with the least loss, L_safety + alpha L_expert,
/// or L_expert alone without safety data. `merge` is the merge at a point; `progress` is called for every merge that was scored.
pub(crate) fn find_best<'a>(
    environment: &Environment<'a>,
    search: &mut dyn Search,
    genes: &[Gene],
    merge: &dyn Fn(&[f64]) -> Result<Candidate<'a>, EvolutionError>,
    target: &Target<'_>,
    progress: &mut dyn FnMut(),
) -> Result<(Vec<f64>, FoundModel), EvolutionError> {
    let objective = environment.objective;
    let score = |point: &[f64]| -> Result<Numbers, EvolutionError> {
        let model = objective.model(&merge(point)?)?;
        target.scores(objective, &*model)
    };
    let mut scores = Vec::new();
    let best = minimize(search, &mut |point| {
        let losses = environment.evaluations.scores(&named(genes, point), &mut || score(point))?;
        progress();
        scores.push((point.to_vec(), losses.clone()));
        Ok(target.goal.map_or_else(|| losses["loss"], |goal| goal.fitness(&losses)))
    })?;
    let tried = scores.len();
    let (_, losses) = scores.into_iter().find(|(point, _)| *point == best).expect("the best was scored");
    target.goal.map_or(Ok(()), |goal| goal.check_found(&named(genes, &best), &losses, tried))?;
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
