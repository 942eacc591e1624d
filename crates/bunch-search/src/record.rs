//! What every search remembers: its evaluations and which of them is the best.

use crate::Evaluation;

/// The trace of a search, with the index of its best point.
#[derive(Debug, Clone, Default)]
pub(crate) struct Record {
    trace: Vec<Evaluation>,
    best: Option<usize>,
}

impl Record {
    /// Appends one evaluation; NaN becomes positive infinity, and ties keep the earlier best.
    pub(crate) fn push(&mut self, point: Vec<f64>, loss: f64, generation: usize, restart: usize) {
        let loss = if loss.is_nan() { f64::INFINITY } else { loss };
        let step = self.trace.len();
        let lowest = self.best.map_or(f64::INFINITY, |best| self.trace[best].loss);
        if loss < lowest {
            self.best = Some(step);
        }
        self.trace.push(Evaluation { step, point, loss, generation, restart });
    }

    pub(crate) fn best(&self) -> Option<(&[f64], f64)> {
        self.best.map(|best| (self.trace[best].point.as_slice(), self.trace[best].loss))
    }

    pub(crate) fn trace(&self) -> &[Evaluation] {
        &self.trace
    }
}
