//! Who watches a training run.

use indicatif::{ProgressBar, ProgressStyle};

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

/// Shows a progress bar with loss and time to go.
pub struct TrainingBar {
    bar: ProgressBar,
    label: String,
}

impl TrainingBar {
    /// Draws into `bar`, which may belong to a group of bars.
    pub fn new(bar: ProgressBar, label: impl Into<String>) -> Self {
        let style = ProgressStyle::with_template("{msg:40} {bar:24} {pos}/{len} steps, {eta} left");
        bar.set_style(style.expect("a valid template"));
        Self { bar, label: label.into() }
    }
}

impl Observer for TrainingBar {
    fn step(&mut self, step: usize, steps: usize, loss: f64) {
        self.bar.set_length(steps as u64);
        self.bar.set_position(step as u64);
        self.bar.set_message(format!("{} loss {loss:.3}", self.label));
    }
}
