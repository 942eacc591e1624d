//! Training on examples that are made when they are drawn and may change with what the model has learned.

use std::path::Path;

use burn::tensor::{Device, Tensor};
use serde_json::Value;

use bunch_transformer::{Llama, LlamaConfig, LlamaModel};

use crate::loss::{learned_tokens, loss_share};
use crate::objective::Objective;
use crate::training_loop::TrainingLoop;
use crate::{Decision, Example, Observer, Outcome, SftConfig, Start, TuningError};

/// Examples that are looked at for their rightness in the very beginning.
const CHECKED: usize = 100;

/// What a model is taught by somebody who looks at it from time to time.
pub trait Lesson {
    /// How many examples there are.
    fn count(&self) -> usize;

    /// The example of that number, as it is now: it depends on the number and on what [`Lesson::look`] changed.
    fn example(&self, number: usize) -> Example;

    /// Everything that the examples and what is changed on the way follow from.
    fn identity(&self) -> Value;

    /// Looks at the model as it is after so many steps, averaged if the run averages, every
    /// [`SftConfig::check_every`] steps.
    ///
    /// # Errors
    /// A look that fails.
    fn look(&mut self, step: usize, model: &LlamaModel) -> Result<Decision, TuningError>;

    /// What was changed until now, for a run that is cut off.
    fn state(&self) -> Value;

    /// Continues from such a state.
    ///
    /// # Errors
    /// A state of another lesson.
    fn resume(&mut self, state: &Value) -> Result<(), TuningError>;
}

/// Supervised fine-tuning on a [`Lesson`], with loss on what each example says is learned; otherwise as
/// [`SftRun`](crate::SftRun).
pub struct LessonRun<'a> {
    /// What is trained.
    pub start: Start<'a>,
    /// What it learns.
    pub lesson: &'a mut dyn Lesson,
    /// How.
    pub sft: &'a SftConfig,
    /// Where; without recording of gradients, the run turns it on.
    pub device: &'a Device,
    /// As [`SftRun::state`](crate::SftRun::state).
    pub state: Option<&'a Path>,
}

impl LessonRun<'_> {
    /// Trains, from the beginning or from the saved state.
    ///
    /// # Errors
    /// As [`SftRun::run`](crate::SftRun::run), and a look that fails.
    pub fn run(self, observer: &mut dyn Observer) -> Result<Outcome, TuningError> {
        let Self { start, lesson, sft, device, state } = self;
        TrainingLoop { start, sft, device, state }.run(&mut Taught(lesson), observer)
    }
}

/// Cross-entropy on the answers of a lesson.
struct Taught<'a>(&'a mut dyn Lesson);

impl Taught<'_> {
    fn at(&self, numbers: &[usize]) -> Vec<Example> {
        numbers.iter().map(|&number| self.0.example(number)).collect()
    }
}

impl Objective for Taught<'_> {
    fn count(&self) -> usize {
        self.0.count()
    }

    fn check(&self, config: &LlamaConfig) -> Result<(), TuningError> {
        (0..self.count().min(CHECKED)).try_for_each(|number| self.0.example(number).check(number, config))
    }

    fn identify(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.0.identity().to_string().into_bytes());
    }

    fn share(&self, model: &Llama, part: &[usize], batch: &[usize]) -> Tensor<1> {
        let examples = self.at(batch);
        let all: Vec<&Example> = examples.iter().collect();
        let in_part = batch.iter().zip(&all).filter(|(number, _)| part.contains(number)).map(|(_, example)| *example);
        loss_share(model, &in_part.collect::<Vec<_>>(), learned_tokens(&all))
    }

    fn look(&mut self, step: usize, model: &LlamaModel) -> Result<Decision, TuningError> {
        self.0.look(step, model)
    }

    fn state(&self) -> Value {
        self.0.state()
    }

    fn resume(&mut self, state: &Value) -> Result<(), TuningError> {
        self.0.resume(state)
    }
}
