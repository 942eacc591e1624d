//! Who watches a training run.

/// Told of every finished step.
pub trait Observer {
    /// `step` counts from 1 to `steps`; `loss` is the step's, in nats per answer token.
    fn step(&mut self, step: usize, steps: usize, loss: f64);
}

/// Watches nothing.
pub struct Silent;

impl Observer for Silent {
    fn step(&mut self, _step: usize, _steps: usize, _loss: f64) {}
}
