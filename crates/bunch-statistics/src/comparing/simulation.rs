//! Random numbers for tests that simulate.

use statrs::distribution::{Beta, ContinuousCDF, Normal};

/// SplitMix64 (Steele, Lea and Flood 2014, OOPSLA), and numbers drawn with it.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Uniform in (0, 1).
    pub(crate) fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (((z ^ (z >> 31)) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Normal with mean 0 and standard deviation 1.
    pub(crate) fn normal(&mut self) -> f64 {
        Normal::standard().inverse_cdf(self.uniform())
    }

    /// A rate with a beta distribution of this mean and standard deviation; the mean itself without a deviation.
    pub(crate) fn beta(&mut self, mean: f64, deviation: f64) -> f64 {
        if deviation == 0.0 {
            return mean;
        }
        let total = mean * (1.0 - mean) / (deviation * deviation) - 1.0;
        let beta = Beta::new(mean * total, (1.0 - mean) * total).expect("a deviation below that of two points");
        beta.inverse_cdf(self.uniform())
    }

    /// Successes among `n` trials.
    pub(crate) fn binomial(&mut self, n: u64, rate: f64) -> u64 {
        (0..n).filter(|_| self.uniform() < rate).count() as u64
    }
}
