//! The learning rate over the steps of a training run.

use serde::{Deserialize, Serialize};

/// Linear warm-up to the peak, then half a cosine down to a fraction of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Learning rate after warm-up.
    pub peak: f64,
    /// Steps of warm-up: step `s` of them has `peak * (s + 1) / warmup`.
    pub warmup: usize,
    /// All steps, warm-up included.
    pub steps: usize,
    /// The cosine ends at `floor * peak`.
    pub floor: f64,
}

impl Schedule {
    /// Learning rate of step `step`, from 0.
    pub fn at(&self, step: usize) -> f64 {
        if step < self.warmup {
            return self.peak * (step + 1) as f64 / self.warmup as f64;
        }
        let progress = (step - self.warmup) as f64 / (self.steps - self.warmup).max(1) as f64;
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * progress.min(1.0)).cos());
        self.peak * (self.floor + (1.0 - self.floor) * cosine)
    }
}

#[cfg(test)]
mod tests {
    use super::Schedule;

    #[test]
    fn rises_to_the_peak_and_falls_to_the_floor() {
        let schedule = Schedule { peak: 2.0, warmup: 4, steps: 8, floor: 0.05 };
        let rates: Vec<f64> = (0..=8).map(|step| schedule.at(step)).collect();
        assert_eq!(rates[..5], [0.5, 1.0, 1.5, 2.0, 2.0]);
        assert!((rates[6] - 2.0 * 0.525).abs() < 1e-12, "half-way down: {}", rates[6]);
        assert!((rates[8] - 0.1).abs() < 1e-12);
    }
}
