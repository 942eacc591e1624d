//! Covariance matrix adaptation evolution strategy, inside bounds and a budget of evaluations.
//!
//! Written here rather than taken from the `cmaes` crate (0.2.2): that one owns the objective as a closure, so it can
//! neither propose a batch nor observe its losses, and it draws from its own generator instead of a named stream.

use crate::distribution::Distribution;
use crate::record::Record;
use crate::{Evaluation, Search, SearchError};
use bunch_random::Stream;
use rand::Rng;
use serde::{Deserialize, Serialize};

/// Settings of a [`CmaEs`] search. Bounds and start are in the genes' own units, `sigma` in units of the bounds' width.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CmaEsConfig {
    /// Number of genes, at least 1.
    pub dimension: usize,
    /// Lowest value of each gene. // [dimension]
    pub lower: Vec<f64>,
    /// Highest value of each gene, above `lower`. // [dimension]
    pub upper: Vec<f64>,
    /// Mean of the first generation, inside the bounds. // [dimension]
    pub start: Vec<f64>,
    /// Initial step size as a fraction of each gene's range, in (0, 1].
    pub sigma: f64,
    /// Evaluations over all restarts, at least 1; never exceeded.
    pub max_evaluations: usize,
    /// How often to restart from a random point if the search converges with evaluations left.
    pub restarts: usize,
    /// Seed of the random stream.
    pub seed: u64,
    /// Name of the random stream: searches of different names are independent.
    pub name: String,
}

/// CMA-ES with `4 + floor(3 ln n)` points a generation (Hammoud et al. 2024, section 4).
///
/// Genes are scaled to [0, 1]. A sample outside is evaluated at the nearest point inside, and ranks by that loss plus the
/// squared distance between the two, so that the distribution does not drift along the flat continuation; trace and best
/// hold the point evaluated and its plain loss. A last generation that the budget cuts short is evaluated and recorded.
#[derive(Debug, Clone)]
pub struct CmaEs {
    config: CmaEsConfig,
    distribution: Distribution,
    stream: Stream,
    /// Samples awaiting their losses, scaled and not clipped; empty when none are.
    pending: Vec<Vec<f64>>,
    generation: usize,
    restart: usize,
    record: Record,
}

impl CmaEs {
    /// A search from `config`.
    ///
    /// # Errors
    /// If a list does not have `dimension` entries or a number is outside the range its field states.
    pub fn new(config: CmaEsConfig) -> Result<Self, SearchError> {
        config.validate()?;
        let mean = (0..config.dimension)
            .map(|gene| (config.start[gene] - config.lower[gene]) / (config.upper[gene] - config.lower[gene]))
            .collect();
        Ok(Self {
            distribution: Distribution::new(mean, config.sigma),
            stream: config.stream(0),
            pending: Vec::new(),
            generation: 0,
            restart: 0,
            record: Record::default(),
            config,
        })
    }

    fn remaining(&self) -> usize {
        self.config.max_evaluations - self.record.trace().len()
    }

    /// Begins the next restart at a point drawn uniformly within the bounds.
    fn begin_restart(&mut self) {
        self.restart += 1;
        self.generation = 0;
        self.stream = self.config.stream(self.restart);
        let unit = |bits: u64| (bits >> 11) as f64 / (1_u64 << 53) as f64;
        let mean = (0..self.config.dimension).map(|_| unit(self.stream.next_u64())).collect();
        self.distribution = Distribution::new(mean, self.config.sigma);
    }

    /// The point evaluated for a scaled sample: the nearest inside the bounds, in the genes' own units.
    fn point(&self, sample: &[f64]) -> Vec<f64> {
        let CmaEsConfig { lower, upper, .. } = &self.config;
        // Clamped again because lower + 1 * (upper - lower) may round to beyond upper.
        let scale = |gene: usize, x: f64| {
            (lower[gene] + x.clamp(0.0, 1.0) * (upper[gene] - lower[gene])).clamp(lower[gene], upper[gene])
        };
        sample.iter().enumerate().map(|(gene, &x)| scale(gene, x)).collect()
    }
}

/// Squared distance of a scaled sample from the unit cube.
///
/// Beyond a bound the clipped loss is constant, so that any positive factor makes the bound the optimum; 1 suits losses
/// of order one, as cross-entropies are.
fn penalty(sample: &[f64]) -> f64 {
    sample.iter().map(|x| (x - x.clamp(0.0, 1.0)).powi(2)).sum()
}

impl Search for CmaEs {
    fn propose(&mut self) -> Option<Vec<Vec<f64>>> {
        if self.pending.is_empty() {
            if self.remaining() == 0 {
                return None;
            }
            if self.distribution.converged() {
                if self.restart == self.config.restarts {
                    return None;
                }
                self.begin_restart();
            }
            self.pending = self.distribution.sample(&mut self.stream);
            self.pending.truncate(self.remaining());
        }
        Some(self.pending.iter().map(|sample| self.point(sample)).collect())
    }

    fn observe(&mut self, losses: &[f64]) {
        assert_eq!(losses.len(), self.pending.len(), "one loss per proposed point");
        if losses.is_empty() {
            return;
        }
        let samples = std::mem::take(&mut self.pending);
        for (sample, &loss) in samples.iter().zip(losses) {
            self.record.push(self.point(sample), loss, self.generation, self.restart);
        }
        self.generation += 1;
        // A generation cut short is the last one and has nothing to adapt.
        if self.remaining() > 0 {
            let seen = &self.record.trace()[self.record.trace().len() - samples.len()..];
            let ranks: Vec<f64> = samples.iter().zip(seen).map(|(x, seen)| seen.loss + penalty(x)).collect();
            self.distribution.update(&samples, &ranks);
        }
    }

    fn best(&self) -> Option<(&[f64], f64)> {
        self.record.best()
    }

    fn trace(&self) -> &[Evaluation] {
        self.record.trace()
    }
}

impl CmaEsConfig {
    fn stream(&self, restart: usize) -> Stream {
        bunch_random::stream(self.seed, &["cma-es", &self.name, &format!("restart-{restart}")])
    }

    fn validate(&self) -> Result<(), SearchError> {
        let range =
            |field: String, expected, got| Err(SearchError::Range { name: self.name.clone(), field, expected, got });
        if self.dimension == 0 {
            return range("dimension".into(), "at least 1", 0.0);
        }
        for (field, list) in [("lower", &self.lower), ("upper", &self.upper), ("start", &self.start)] {
            if list.len() != self.dimension {
                let (expected, got) = (self.dimension, list.len());
                return Err(SearchError::Length { name: self.name.clone(), field, expected, got });
            }
            if let Some(index) = list.iter().position(|value| !value.is_finite()) {
                return range(format!("{field}[{index}]"), "a finite number", list[index]);
            }
        }
        for gene in 0..self.dimension {
            if self.upper[gene] <= self.lower[gene] {
                return range(format!("upper[{gene}]"), "more than `lower`", self.upper[gene]);
            }
            if !(self.lower[gene]..=self.upper[gene]).contains(&self.start[gene]) {
                return range(format!("start[{gene}]"), "between `lower` and `upper`", self.start[gene]);
            }
        }
        if !(self.sigma > 0.0 && self.sigma <= 1.0) {
            return range("sigma".into(), "above 0 and at most 1", self.sigma);
        }
        if self.max_evaluations == 0 {
            return range("max_evaluations".into(), "at least 1", 0.0);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
