//! The exponential average of the weights over the steps of a run.

use std::sync::Arc;

use bunch_checkpoint::StateDict;

use crate::Decision;

/// `average = decay * average + (1 - decay) * weights` after every step, from the weights that training starts with.
///
/// One step's weights are as noisy as its batch; what is looked at, and what is kept, is their average.
#[derive(Debug, Clone)]
pub(crate) struct Average {
    decay: f32,
    weights: StateDict,
    /// The average as it was at the look before.
    before: Option<StateDict>,
}

impl Average {
    pub(crate) fn new(decay: f32, start: StateDict) -> Self {
        Self { decay, weights: start, before: None }
    }

    /// Continues with the average and that of the look before, which is empty if there was none.
    pub(crate) fn resumed(decay: f32, [weights, before]: [StateDict; 2]) -> Self {
        Self { decay, weights, before: Some(before).filter(|before| !before.is_empty()) }
    }

    /// The average.
    pub(crate) fn weights(&self) -> &StateDict {
        &self.weights
    }

    /// The average as it was at the look before.
    pub(crate) fn before(&self) -> Option<&StateDict> {
        self.before.as_ref()
    }

    /// After a step that left these weights.
    pub(crate) fn add(&mut self, weights: &StateDict) {
        mix(&mut self.weights, weights, 1.0 - self.decay);
    }

    /// After a look at the average.
    pub(crate) fn looked_at(&mut self, decision: Decision) {
        match (decision, &self.before) {
            (Decision::Between(share), Some(before)) => mix(&mut self.weights, before, 1.0 - share as f32),
            (Decision::Between(_) | Decision::Stop, _) => {}
            (Decision::Continue, _) => self.before = Some(self.weights.clone()),
        }
    }

    pub(crate) fn into_weights(self) -> StateDict {
        self.weights
    }
}

/// Moves all values the given share of the way to those of `others`.
fn mix(values: &mut StateDict, others: &StateDict, share: f32) {
    for (name, tensor) in values {
        let other = &others[name].data;
        let data = Arc::make_mut(&mut tensor.data);
        data.iter_mut().zip(other.iter()).for_each(|(value, other)| *value += share * (other - *value));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bunch_checkpoint::{StateDict, Tensor};

    use super::Average;
    use crate::Decision;

    fn weights(value: f32) -> StateDict {
        [("w".to_owned(), Tensor { shape: vec![1], data: Arc::new(vec![value]) })].into()
    }

    fn value(average: &Average) -> f32 {
        average.weights()["w"].data[0]
    }

    #[test]
    fn steps_are_averaged_and_looks_can_be_returned_to() {
        let mut average = Average::new(0.75, weights(0.0));
        average.add(&weights(4.0));
        assert_eq!(value(&average), 1.0);
        average.looked_at(Decision::Continue);
        average.add(&weights(5.0));
        assert_eq!(value(&average), 2.0);
        // A quarter of the way from the look before to this one.
        let mut between = average.clone();
        between.looked_at(Decision::Between(0.25));
        assert_eq!(value(&between), 1.25);
        average.looked_at(Decision::Stop);
        assert_eq!(value(&average), 2.0);
    }

    #[test]
    fn without_a_look_before_there_is_nothing_to_return_to() {
        let mut average = Average::resumed(0.5, [weights(3.0), StateDict::new()]);
        average.looked_at(Decision::Between(0.5));
        assert_eq!(value(&average), 3.0);
    }
}
