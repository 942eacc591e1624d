//! What a training run lowers.

use burn::tensor::Tensor;

use bunch_transformer::{Llama, LlamaConfig, LlamaModel};
use serde_json::Value;

use crate::{Decision, Example, TuningError};

/// Loads the model that training starts from, without gradients.
pub(crate) type StartModel<'a> = dyn Fn() -> Result<Llama, TuningError> + 'a;

/// What a training run lowers, over examples known by their numbers.
pub(crate) trait Objective {
    /// How many examples there are.
    fn count(&self) -> usize;

    /// Refuses settings out of range and examples that the model cannot read.
    fn check(&self, config: &LlamaConfig) -> Result<(), TuningError>;

    /// Adds everything that the loss depends on besides the model, for a run's identity.
    fn identify(&self, bytes: &mut Vec<u8>);

    /// Is called before the first step, also of a run that continues, with the examples that are drawn, in ascending order;
    /// `part_size` of them may go through a model at a time.
    fn prepare(&mut self, _start: &StartModel<'_>, _drawn: &[usize], _part_size: usize) -> Result<(), TuningError> {
        Ok(())
    }

    /// What the examples of `part` add to the loss of `batch`, of which they are some: a tensor of one element, in nats. The
    /// shares of all parts add up.
    fn share(&self, model: &Llama, part: &[usize], batch: &[usize]) -> Tensor<1>;

    /// Looks at the model as it is after so many steps, every `check_every` of them.
    fn look(&mut self, step: usize, model: &LlamaModel) -> Result<Decision, TuningError>;

    /// What it remembers of its looks, to be saved.
    fn state(&self) -> Value {
        Value::Null
    }

    /// Continues from what was saved.
    fn resume(&mut self, _state: &Value) -> Result<(), TuningError> {
        Ok(())
    }
}

/// Adds an example to what identifies a run.
pub(crate) fn identify_example(example: &Example, bytes: &mut Vec<u8>) {
    let mut number = |number: usize| bytes.extend((number as u64).to_le_bytes());
    number(example.learned.len());
    example.learned.iter().for_each(|range| [range.start, range.end].into_iter().for_each(&mut number));
    number(example.tokens.len());
    example.tokens.iter().for_each(|&id| number(id as usize));
}
