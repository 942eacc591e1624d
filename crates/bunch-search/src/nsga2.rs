//! NSGA-II: an evolutionary search for the Pareto front of two losses.
//!
//! Written here, as CMA-ES is, because it proposes batches, observes their losses, and draws from a named stream.

use bunch_random::Stream;
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::SearchError;

/// Chance that two parents are crossed.
const CROSSOVER: f64 = 0.9;
/// Distribution index of simulated binary crossover: the larger, the nearer children are to their parents.
const ETA_CROSSOVER: f64 = 15.0;
/// Distribution index of polynomial mutation.
const ETA_MUTATION: f64 = 20.0;

/// Settings of an [`Nsga2`] search. Bounds are in the genes' own units.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nsga2Config {
    /// Lowest value of each gene; at least one gene. // [dimension]
    pub lower: Vec<f64>,
    /// Highest value of each gene, above `lower`. // [dimension]
    pub upper: Vec<f64>,
    /// Points of a generation, at least 2.
    pub population: usize,
    /// Evaluations, at least 1; never exceeded.
    pub max_evaluations: usize,
    /// Seed of the random stream.
    pub seed: u64,
    /// Name of the random stream: searches of different names are independent.
    pub name: String,
}

/// A point with its two losses.
#[derive(Debug, Clone, PartialEq)]
pub struct Compromise {
    /// One coordinate per gene, inside all bounds.
    pub point: Vec<f64>,
    /// Both losses; positive infinity where one was NaN.
    pub losses: [f64; 2],
}

impl Compromise {
    /// Whether it is nowhere worse than `other`, and somewhere better.
    fn dominates(&self, other: &Self) -> bool {
        let pairs = || self.losses.iter().zip(&other.losses);
        pairs().all(|(a, b)| a <= b) && pairs().any(|(a, b)| a < b)
    }
}

/// NSGA-II (Deb et al. 2002, IEEE Transactions on Evolutionary Computation 6:182): the first generation is uniform within the
/// bounds; later ones are children of parents chosen by tournament, crossed and mutated; the next parents are the best of
/// both generations, by the number of fronts before their own and then by the distance to their neighbours on it.
///
/// Has the ask-and-tell interface of a [`Search`](crate::Search): [`propose`](Nsga2::propose), evaluate, [`observe`](Nsga2::observe).
#[derive(Debug, Clone)]
pub struct Nsga2 {
    config: Nsga2Config,
    stream: Stream,
    /// Points awaiting their losses, scaled to [0, 1]; empty when none are.
    pending: Vec<Vec<f64>>,
    /// Parents, best first, scaled.
    parents: Vec<Compromise>,
    /// The points that no other point so far dominates, by the first loss.
    front: Vec<Compromise>,
    evaluated: usize,
}

impl Nsga2 {
    /// A search from `config`.
    ///
    /// # Errors
    /// If `upper` and `lower` differ in length or a number is outside the range its field states.
    pub fn new(config: Nsga2Config) -> Result<Self, SearchError> {
        config.validate()?;
        let stream = bunch_random::stream(config.seed, &["nsga2", &config.name]);
        Ok(Self { config, stream, pending: Vec::new(), parents: Vec::new(), front: Vec::new(), evaluated: 0 })
    }

    /// The next batch of points to evaluate, or `None` once the budget is spent. Until its losses are observed, the same
    /// batch is proposed again.
    pub fn propose(&mut self) -> Option<Vec<Vec<f64>>> {
        let remaining = self.config.max_evaluations - self.evaluated;
        if self.pending.is_empty() && remaining > 0 {
            self.pending = if self.parents.is_empty() { self.first() } else { self.children() };
            self.pending.truncate(remaining);
        }
        (!self.pending.is_empty()).then(|| self.pending.iter().map(|point| self.unscaled(point)).collect())
    }

    /// Takes both losses of each proposed point, in order; lower is better, NaN is worst.
    ///
    /// # Panics
    /// If the number of losses is not the number of points proposed.
    pub fn observe(&mut self, losses: &[[f64; 2]]) {
        assert_eq!(losses.len(), self.pending.len(), "losses of every proposed point");
        let finite = |loss: f64| if loss.is_nan() { f64::INFINITY } else { loss };
        for (point, losses) in std::mem::take(&mut self.pending).into_iter().zip(losses) {
            self.evaluated += 1;
            let losses = losses.map(finite);
            let seen = Compromise { point: self.unscaled(&point), losses };
            let beaten = |other: &Compromise| other.dominates(&seen) || other.losses == losses;
            if losses.iter().all(|loss| loss.is_finite()) && !self.front.iter().any(beaten) {
                self.front.retain(|other| !seen.dominates(other));
                self.front.push(seen);
            }
            self.parents.push(Compromise { point, losses });
        }
        self.front.sort_by(|a, b| a.losses[0].total_cmp(&b.losses[0]));
        self.select();
    }

    /// The evaluated points that no other dominates, from the least of the first loss to the least of the second. Of
    /// points with equal losses the first is kept.
    pub fn front(&self) -> &[Compromise] {
        &self.front
    }

    fn unscaled(&self, point: &[f64]) -> Vec<f64> {
        let Nsga2Config { lower, upper, .. } = &self.config;
        let of = |(gene, &x): (usize, &f64)| lower[gene] + x * (upper[gene] - lower[gene]);
        point.iter().enumerate().map(|(gene, x)| of((gene, x)).clamp(lower[gene], upper[gene])).collect()
    }

    fn unit(&mut self) -> f64 {
        (self.stream.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn first(&mut self) -> Vec<Vec<f64>> {
        let genes = self.config.lower.len();
        (0..self.config.population).map(|_| (0..genes).map(|_| self.unit()).collect()).collect()
    }

    fn children(&mut self) -> Vec<Vec<f64>> {
        let mut children = Vec::new();
        while children.len() < self.config.population {
            let parents = [(); 2].map(|()| self.tournament());
            for mut child in self.crossed(parents) {
                self.mutate(&mut child);
                children.push(child);
            }
        }
        children.truncate(self.config.population);
        children
    }

    /// The better of two parents drawn at random.
    fn tournament(&mut self) -> usize {
        let n = self.parents.len();
        let [a, b] = [(); 2].map(|()| ((self.unit() * n as f64) as usize).min(n - 1));
        // Parents stand in the order of their fitness.
        a.min(b)
    }

    /// Simulated binary crossover (Deb and Agrawal 1995, Complex Systems 9:115) of half of the genes, drawn one by one.
    fn crossed(&mut self, parents: [usize; 2]) -> [Vec<f64>; 2] {
        let [mut a, mut b] = parents.map(|parent| self.parents[parent].point.clone());
        if self.unit() < CROSSOVER {
            for (a, b) in a.iter_mut().zip(&mut b) {
                let (crossed, u) = (self.unit() < 0.5, self.unit());
                if crossed {
                    let ratio = if u <= 0.5 { 2.0 * u } else { 1.0 / (2.0 * (1.0 - u)) };
                    let spread = ratio.powf(1.0 / (ETA_CROSSOVER + 1.0));
                    let (middle, half) = ((*a + *b) / 2.0, spread * (*a - *b) / 2.0);
                    (*a, *b) = ((middle + half).clamp(0.0, 1.0), (middle - half).clamp(0.0, 1.0));
                }
            }
        }
        [a, b]
    }

    /// Polynomial mutation of one gene on average.
    fn mutate(&mut self, point: &mut [f64]) {
        let chance = 1.0 / point.len() as f64;
        for gene in point {
            let (mutates, u) = (self.unit() < chance, self.unit());
            if mutates {
                let power = 1.0 / (ETA_MUTATION + 1.0);
                let step = if u < 0.5 { (2.0 * u).powf(power) - 1.0 } else { 1.0 - (2.0 * (1.0 - u)).powf(power) };
                *gene = (*gene + step).clamp(0.0, 1.0);
            }
        }
    }

    /// Keeps the best as the next parents, best first.
    fn select(&mut self) {
        let mut left = std::mem::take(&mut self.parents);
        while !left.is_empty() && self.parents.len() < self.config.population {
            let best: Vec<bool> = left.iter().map(|point| !left.iter().any(|other| other.dominates(point))).collect();
            let mut front = Vec::new();
            let mut rest = Vec::new();
            for (point, best) in left.into_iter().zip(best) {
                if best { front.push(point) } else { rest.push(point) }
            }
            self.parents.extend(by_crowding(front));
            left = rest;
        }
        self.parents.truncate(self.config.population);
    }
}

/// The points of a front, those farthest from their neighbours first; the ends have none.
fn by_crowding(front: Vec<Compromise>) -> Vec<Compromise> {
    let mut distance = vec![0.0; front.len()];
    for loss in 0..2 {
        let mut order: Vec<usize> = (0..front.len()).collect();
        order.sort_by(|&a, &b| front[a].losses[loss].total_cmp(&front[b].losses[loss]));
        let at = |place: usize| front[order[place]].losses[loss];
        let width = at(order.len() - 1) - at(0);
        for place in 0..order.len() {
            let is_end = place == 0 || place + 1 == order.len();
            // Equal or infinite losses have no distances.
            distance[order[place]] += match is_end {
                true => f64::INFINITY,
                false if width > 0.0 && width.is_finite() => (at(place + 1) - at(place - 1)) / width,
                false => 0.0,
            };
        }
    }
    let mut order: Vec<usize> = (0..front.len()).collect();
    order.sort_by(|&a, &b| distance[b].total_cmp(&distance[a]));
    order.into_iter().map(|index| front[index].clone()).collect()
}

impl Nsga2Config {
    fn validate(&self) -> Result<(), SearchError> {
        let name = || self.name.clone();
        let range = |field: String, expected, got| Err(SearchError::Range { name: name(), field, expected, got });
        if self.lower.is_empty() {
            return range("lower".into(), "at least one gene", 0.0);
        }
        if self.upper.len() != self.lower.len() {
            let (expected, got) = (self.lower.len(), self.upper.len());
            return Err(SearchError::Length { name: name(), field: "upper", expected, got });
        }
        for (gene, (&lower, &upper)) in self.lower.iter().zip(&self.upper).enumerate() {
            if !(lower.is_finite() && upper.is_finite() && lower < upper) {
                return range(format!("upper[{gene}]"), "finite and more than `lower`", upper);
            }
        }
        if self.population < 2 {
            return range("population".into(), "at least 2", self.population as f64);
        }
        if self.max_evaluations == 0 {
            return range("max_evaluations".into(), "at least 1", 0.0);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(seed: u64) -> Nsga2Config {
        let (lower, upper) = (vec![-1.0; 3], vec![2.0; 3]);
        Nsga2Config { lower, upper, population: 20, max_evaluations: 1010, seed, name: "test".into() }
    }

    fn search(config: Nsga2Config, losses: impl Fn(&[f64]) -> [f64; 2]) -> Nsga2 {
        let mut search = Nsga2::new(config).unwrap();
        let mut evaluated = 0;
        while let Some(points) = search.propose() {
            assert_eq!(search.propose().as_ref(), Some(&points), "until it is observed");
            assert!(points.iter().flatten().all(|x| (-1.0..=2.0).contains(x)));
            evaluated += points.len();
            search.observe(&points.iter().map(|point| losses(point)).collect::<Vec<_>>());
        }
        assert_eq!(evaluated, search.config.max_evaluations);
        search
    }

    /// Squared distances to 0 and to 1 in every gene: the best compromises are the points between them.
    fn two_spheres(x: &[f64]) -> [f64; 2] {
        [0.0, 1.0].map(|target| x.iter().map(|x| (x - target).powi(2)).sum::<f64>() / 3.0)
    }

    #[test]
    fn finds_the_line_between_two_optima() {
        for seed in 0..3 {
            let search = search(config(seed), two_spheres);
            let front = search.front();
            // On that line sqrt(a) + sqrt(b) = 1, off it more.
            let excess = |point: &Compromise| point.losses[0].sqrt() + point.losses[1].sqrt() - 1.0;
            let mean = front.iter().map(excess).sum::<f64>() / front.len() as f64;
            assert!(front.len() > 20 && mean < 0.02, "seed {seed}: {} points, {mean}", front.len());
            assert!(front[0].losses[0] < 0.01 && front[front.len() - 1].losses[1] < 0.01, "seed {seed}: {front:?}");
        }
    }

    #[test]
    fn the_front_has_what_nothing_beats() {
        let search = search(config(0), two_spheres);
        for (index, point) in search.front().iter().enumerate() {
            assert!(search.front().iter().all(|other| !other.dominates(point)));
            assert!(index == 0 || search.front()[index - 1].losses[0] < point.losses[0]);
        }
    }

    #[test]
    fn the_same_seed_is_the_same_search_and_nan_is_worst() {
        let with_holes = |x: &[f64]| if x[0] < 0.2 { [f64::NAN, 0.0] } else { two_spheres(x) };
        let [a, b] = [0, 0].map(|seed| search(config(seed), with_holes));
        assert_eq!(a.front(), b.front());
        assert!(a.front().iter().all(|point| point.point[0] >= 0.2) && !a.front().is_empty());
        assert_ne!(search(config(1), with_holes).front(), a.front());
    }

    #[test]
    fn wrong_settings_are_named() {
        let refused = |config: Nsga2Config, message: &str| {
            let error = Nsga2::new(config).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        };
        refused(Nsga2Config { lower: vec![], ..config(0) }, "`lower` is 0, expected at least one gene");
        refused(Nsga2Config { upper: vec![1.0], ..config(0) }, "`upper` has 1 entries, expected one per gene (3)");
        refused(Nsga2Config { upper: vec![2.0, -1.0, 2.0], ..config(0) }, "`upper[1]` is -1");
        refused(Nsga2Config { population: 1, ..config(0) }, "`population` is 1, expected at least 2");
        refused(Nsga2Config { max_evaluations: 0, ..config(0) }, "`max_evaluations` is 0");
    }
}
