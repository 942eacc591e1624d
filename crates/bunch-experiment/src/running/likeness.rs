//! How alike a merged model and a member of its pool are: weights, task vectors, hidden states.

use std::cell::OnceCell;

use bunch_checkpoint::StateDict;
use bunch_evolution::Members;
use bunch_inspection::compare::{Measures, linear_cka};
use bunch_transformer::LlamaModel;

use crate::ExperimentError;
use crate::declared::column::{Metric, Part};
use crate::declared::pool_names::HARMFUL;
use crate::recording::measurement::Score;
use crate::seed_pool::SeedPool;

/// Prompts, and questions of every task, on which hidden states are compared.
const TEXTS: usize = 100;

/// The model that is compared, and with what.
pub(crate) struct Likeness<'a> {
    pub(crate) seed_pool: &'a SeedPool,
    pub(crate) pool: &'a Members,
    pub(crate) weights: &'a StateDict,
    pub(crate) model: &'a LlamaModel,
    pub(crate) part: Part,
    /// The model's hidden states, once a column has asked for them.
    pub(crate) states: OnceCell<Vec<Vec<f32>>>,
}

impl Likeness<'_> {
    /// One metric of likeness to a member of the pool; none where it is not defined, as the direction of a zero vector.
    pub(crate) fn score(&self, metric: Metric, to: usize) -> Result<Option<Score>, ExperimentError> {
        let member = &*self.pool.state_dict(to)?;
        let value = match metric {
            Metric::Cka => self.cka(member)?,
            _ => self.of_weights(metric, member, &*self.pool.state_dict(0)?),
        };
        Ok(value.map(Score::number))
    }

    fn of_weights(&self, metric: Metric, member: &StateDict, base: &StateDict) -> Option<f64> {
        let tensors = self.weights.iter().filter(|(name, _)| self.part.contains(name));
        let slices = tensors.map(|(name, tensor)| (&**tensor.data, &**member[name].data, &**base[name].data));
        let measures = Measures::of(slices);
        match metric {
            Metric::RelativeDistance => measures.relative_distance,
            Metric::TaskCosine => measures.task_vectors?.cosine,
            _ => measures.task_vectors?.sign_agreement.map(|share| 100.0 * share),
        }
    }

    /// Linear CKA after the part's layer; after the last one where the part names none. Embeddings are layer 0's input.
    fn cka(&self, member: &StateDict) -> Result<Option<f64>, ExperimentError> {
        let questions = self.seed_pool.questions.values().flat_map(|questions| questions.iter().take(TEXTS));
        let texts = self.seed_pool.prompts(HARMFUL)?.texts.iter().take(TEXTS).chain(questions);
        let prompts = texts.map(|text| self.seed_pool.format().prompt(text)).collect::<Result<Vec<_>, _>>()?;
        let prompts: Vec<_> = prompts.iter().map(Vec::as_slice).collect();
        let theirs = self.seed_pool.model(member)?.hidden_states(&prompts)?;
        let ours = match self.states.get() {
            Some(states) => states,
            None => {
                let states = self.model.hidden_states(&prompts)?;
                self.states.get_or_init(|| states)
            }
        };
        let at = match &self.part {
            Part { layer: Some(layer), .. } => layer + 1,
            Part { module: Some(module), .. } if module == "embed_tokens" => 0,
            _ => ours.len() - 1,
        };
        let tokens: usize = prompts.iter().map(|prompt| prompt.len()).sum();
        Ok(linear_cka(&ours[at], &theirs[at], tokens))
    }
}
