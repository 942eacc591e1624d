//! The normal distribution that CMA-ES samples from and adapts.
//!
//! Hansen, "The CMA Evolution Strategy: A Tutorial" (arXiv:1604.00772), with the default constants of its Table 1 and the
//! recombination weights of the worse half set to zero.

use crate::eigen;
use bunch_random::Stream;
use rand::Rng;

/// Steps smaller than this (in unit-interval genes) change no loss that anyone reports.
const SMALLEST_STEP: f64 = 1e-7;
/// Loss differences below this are rounding.
const SMALLEST_GAIN: f64 = 1e-11;
/// Beyond this condition number the covariance matrix has lost its small directions to rounding.
const LARGEST_CONDITION: f64 = 1e14;

/// The search distribution `N(mean, sigma^2 C)` and its evolution paths.
#[derive(Debug, Clone)]
pub(crate) struct Distribution {
    constants: Constants,
    mean: Vec<f64>,
    sigma: f64,
    covariance: Vec<Vec<f64>>,
    /// `B`: eigenvectors of the covariance in its columns.
    axes: Vec<Vec<f64>>,
    /// `D`: square roots of its eigenvalues.
    lengths: Vec<f64>,
    path_sigma: Vec<f64>,
    path_covariance: Vec<f64>,
    generation: usize,
    /// Lowest loss of each generation, newest last.
    lowest: Vec<f64>,
    flat: bool,
}

/// Hansen's strategy parameters for one dimension.
#[derive(Debug, Clone)]
struct Constants {
    population: usize,
    weights: Vec<f64>,
    mu_effective: f64,
    c_sigma: f64,
    d_sigma: f64,
    c_covariance: f64,
    c_one: f64,
    c_mu: f64,
    /// `E |N(0, I)|`.
    expected_norm: f64,
}

/// `4 + floor(3 ln n)` samples a generation for `n` genes.
pub(crate) fn population(dimension: usize) -> usize {
    4 + (3.0 * (dimension as f64).ln()).floor() as usize
}

impl Constants {
    fn new(dimension: usize) -> Self {
        let n = dimension as f64;
        let population = population(dimension);
        let raw: Vec<f64> =
            (1..=population / 2).map(|rank| ((population as f64 + 1.0) / 2.0).ln() - (rank as f64).ln()).collect();
        let sum: f64 = raw.iter().sum();
        let weights: Vec<f64> = raw.iter().map(|weight| weight / sum).collect();
        let mu_effective = 1.0 / weights.iter().map(|weight| weight * weight).sum::<f64>();
        let c_sigma = (mu_effective + 2.0) / (n + mu_effective + 5.0);
        let c_one = 2.0 / ((n + 1.3).powi(2) + mu_effective);
        let rank_mu = 2.0 * (0.25 + mu_effective + 1.0 / mu_effective - 2.0) / ((n + 2.0).powi(2) + mu_effective);
        Self {
            population,
            weights,
            mu_effective,
            c_sigma,
            d_sigma: 1.0 + 2.0 * (((mu_effective - 1.0) / (n + 1.0)).sqrt() - 1.0).max(0.0) + c_sigma,
            c_covariance: (4.0 + mu_effective / n) / (n + 4.0 + 2.0 * mu_effective / n),
            c_one,
            c_mu: rank_mu.min(1.0 - c_one),
            expected_norm: n.sqrt() * (1.0 - 1.0 / (4.0 * n) + 1.0 / (21.0 * n * n)),
        }
    }
}

impl Distribution {
    /// An isotropic distribution around `mean`.
    pub(crate) fn new(mean: Vec<f64>, sigma: f64) -> Self {
        let n = mean.len();
        let identity: Vec<Vec<f64>> = (0..n).map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect()).collect();
        Self {
            constants: Constants::new(n),
            mean,
            sigma,
            covariance: identity.clone(),
            axes: identity,
            lengths: vec![1.0; n],
            path_sigma: vec![0.0; n],
            path_covariance: vec![0.0; n],
            generation: 0,
            lowest: Vec::new(),
            flat: false,
        }
    }

    /// One generation of samples. // [population, genes]
    pub(crate) fn sample(&self, stream: &mut Stream) -> Vec<Vec<f64>> {
        let n = self.mean.len();
        (0..self.constants.population)
            .map(|_| {
                let z: Vec<f64> = (0..n).map(|_| normal(stream)).collect();
                (0..n)
                    .map(|i| {
                        let y: f64 = (0..n).map(|k| self.axes[i][k] * self.lengths[k] * z[k]).sum();
                        self.mean[i] + self.sigma * y
                    })
                    .collect()
            })
            .collect()
    }

    /// Moves the distribution toward the better half of one whole generation of `samples`.
    ///
    /// Only the losses' order matters, ties going to the earlier sample. A generation without a finite loss has no order
    /// and moves nothing.
    pub(crate) fn update(&mut self, samples: &[Vec<f64>], losses: &[f64]) {
        let n = self.mean.len();
        let c = self.constants.clone();
        let mut order: Vec<usize> = (0..samples.len()).collect();
        order.sort_by(|&a, &b| losses[a].total_cmp(&losses[b]));
        let (lowest, highest) = (losses[order[0]], losses[order[order.len() - 1]]);
        self.generation += 1;
        self.lowest.push(lowest);
        self.flat = is_flat(lowest, highest);
        if lowest == f64::INFINITY {
            return;
        }

        // Selected steps y in units of sigma, and their weighted mean. // [mu, genes]
        let selected: Vec<Vec<f64>> = order[..c.weights.len()]
            .iter()
            .map(|&index| (0..n).map(|i| (samples[index][i] - self.mean[i]) / self.sigma).collect())
            .collect();
        let step: Vec<f64> = (0..n).map(|i| c.weights.iter().zip(&selected).map(|(w, y)| w * y[i]).sum()).collect();
        for (mean, step) in self.mean.iter_mut().zip(&step) {
            *mean += self.sigma * step;
        }

        // C^(-1/2) step = B D^-1 B^T step.
        let projected: Vec<f64> =
            (0..n).map(|k| (0..n).map(|i| self.axes[i][k] * step[i]).sum::<f64>() / self.lengths[k]).collect();
        let fade = (c.c_sigma * (2.0 - c.c_sigma) * c.mu_effective).sqrt();
        for i in 0..n {
            let whitened: f64 = (0..n).map(|k| self.axes[i][k] * projected[k]).sum();
            self.path_sigma[i] = (1.0 - c.c_sigma) * self.path_sigma[i] + fade * whitened;
        }
        let norm = self.path_sigma.iter().map(|x| x * x).sum::<f64>().sqrt();

        // h_sigma stalls the covariance path while the step size is still catching up.
        let settled = (1.0 - (1.0 - c.c_sigma).powi(2 * self.generation as i32)).sqrt();
        let moving = norm / settled < (1.4 + 2.0 / (n as f64 + 1.0)) * c.expected_norm;
        let drive = if moving { (c.c_covariance * (2.0 - c.c_covariance) * c.mu_effective).sqrt() } else { 0.0 };
        for (path, step) in self.path_covariance.iter_mut().zip(&step) {
            *path = (1.0 - c.c_covariance) * *path + drive * step;
        }

        // Rank-one and rank-mu update; `lost` makes up for the variance a stalled path does not contribute.
        let lost = if moving { 0.0 } else { c.c_covariance * (2.0 - c.c_covariance) };
        for i in 0..n {
            for j in 0..=i {
                let rank_mu: f64 = c.weights.iter().zip(&selected).map(|(w, y)| w * y[i] * y[j]).sum();
                let entry = (1.0 + c.c_one * lost - c.c_one - c.c_mu) * self.covariance[i][j]
                    + c.c_one * self.path_covariance[i] * self.path_covariance[j]
                    + c.c_mu * rank_mu;
                self.covariance[i][j] = entry;
                self.covariance[j][i] = entry;
            }
        }
        self.sigma *= (c.c_sigma / c.d_sigma * (norm / c.expected_norm - 1.0)).exp();

        let (eigenvalues, axes) = eigen::decompose(&self.covariance);
        // Rounding can leave a vanishing eigenvalue negative; `converged` stops the run at this condition number.
        let floor = eigenvalues.iter().copied().fold(0.0, f64::max) / LARGEST_CONDITION;
        self.lengths = eigenvalues.iter().map(|value| value.max(floor).sqrt()).collect();
        self.axes = axes;
    }

    /// Whether more samples cannot improve anything: steps or gains have become rounding (TolX, TolHistFun,
    /// ConditionCov of the tutorial's appendix B.3).
    pub(crate) fn converged(&self) -> bool {
        let longest = self.lengths.iter().copied().fold(0.0, f64::max);
        let shortest = self.lengths.iter().copied().fold(f64::INFINITY, f64::min);
        let window = 10 + (30 * self.mean.len()).div_ceil(self.constants.population);
        let stagnant = self.lowest.len() >= window && {
            let recent = &self.lowest[self.lowest.len() - window..];
            is_flat(
                recent.iter().copied().fold(f64::INFINITY, f64::min),
                recent.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            )
        };
        self.sigma * longest < SMALLEST_STEP
            || (self.flat && stagnant)
            || longest * longest >= LARGEST_CONDITION * shortest * shortest
    }
}

/// Whether two ends of a range of losses are equal up to rounding; equal infinities are.
fn is_flat(lowest: f64, highest: f64) -> bool {
    lowest == highest || highest - lowest <= SMALLEST_GAIN
}

/// A standard normal number, by Marsaglia's polar method.
fn normal(stream: &mut Stream) -> f64 {
    loop {
        // 53 random bits each, on (-1, 1).
        let [u, v] = [(); 2].map(|()| (stream.next_u64() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0);
        let s = u * u + v * v;
        if s > 0.0 && s < 1.0 {
            return u * (-2.0 * s.ln() / s).sqrt();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_the_tutorials() {
        // Computed by hand from Table 1 for n = 10: lambda = 4 + floor(6.9), mu = 5.
        let c = Constants::new(10);
        assert_eq!((c.population, c.weights.len()), (10, 5));
        let raw =
            [5.5_f64.ln(), (5.5_f64 / 2.0).ln(), (5.5_f64 / 3.0).ln(), (5.5_f64 / 4.0).ln(), (5.5_f64 / 5.0).ln()];
        let sum: f64 = raw.iter().sum();
        assert!((c.weights[0] - raw[0] / sum).abs() < 1e-15);
        assert!((c.mu_effective - 3.1672992814107035).abs() < 1e-12, "{}", c.mu_effective);
        assert!((c.c_one - 2.0 / (11.3 * 11.3 + c.mu_effective)).abs() < 1e-15);
        assert!((c.expected_norm - 3.084726563).abs() < 1e-3, "{}", c.expected_norm);
        assert_eq!([1, 2, 3, 4, 6, 14].map(population), [4, 6, 7, 8, 9, 11]);
    }

    #[test]
    fn normal_numbers_have_the_right_moments() {
        let mut stream = bunch_random::stream(3, &["moments"]);
        let draws: Vec<f64> = (0..100_000).map(|_| normal(&mut stream)).collect();
        let moment = |k: i32| draws.iter().map(|x| x.powi(k)).sum::<f64>() / draws.len() as f64;
        // Five standard errors of each: sqrt(1, 2, 96 / 100,000).
        assert!(moment(1).abs() < 5.0 * 0.00317, "{}", moment(1));
        assert!((moment(2) - 1.0).abs() < 5.0 * 0.00448, "{}", moment(2));
        assert!((moment(4) - 3.0).abs() < 5.0 * 0.031, "{}", moment(4));
    }

    #[test]
    fn a_generation_without_a_finite_loss_moves_nothing() {
        let mut distribution = Distribution::new(vec![0.5, 0.5], 0.2);
        let samples = distribution.sample(&mut bunch_random::stream(0, &["x"]));
        distribution.update(&samples, &vec![f64::INFINITY; samples.len()]);
        assert_eq!((distribution.mean, distribution.sigma), (vec![0.5, 0.5], 0.2));
    }
}
