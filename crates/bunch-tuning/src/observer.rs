//! Who watches a training run.

/// Is called after every step.
pub trait Observer {
    /// Another process makes the model, and its end is waited for.
    fn waiting(&mut self) {}

    /// `step` counts from 1 to `steps`; `loss` is the step's, in nats.
    fn step(&mut self, step: usize, steps: usize, loss: f64);

    /// Whether somebody wants the run to end, as with Ctrl-C. Asked after every step; the run then saves its state, where it
    /// has a place for it, and ends with [`TuningError::Interrupted`](crate::TuningError::Interrupted).
    fn is_stopping(&self) -> bool {
        false
    }
}

/// Watches nothing.
pub struct Silent;

impl Observer for Silent {
    fn step(&mut self, _step: usize, _steps: usize, _loss: f64) {}
}
