//! Uniform random numbers, one for each entry.

use super::chacha::{BATCH, WORDS, key_words, write_words};

/// The number of steps in which a variate goes from 0 to 1: as many as an f32 distinguishes.
const STEPS: u32 = 1 << 24;

/// The variates of one expert's entries, uniform in [0, 1) in steps of 2^-24.
///
/// The stream belongs to purpose, seed, tensor and expert, and an entry's index is its position there: any chunking gives
/// the same values.
#[derive(Debug, Clone)]
pub(super) struct Variates {
    /// Of the stream.
    key: [u32; 8],
}

impl Variates {
    /// The variates for `purpose`, the name of the method or its family.
    pub(super) fn new(purpose: &str, seed: u64, tensor: &str, expert: usize) -> Self {
        let stream = bunch_random::stream(seed, &[purpose, tensor, &expert.to_string()]);
        Self { key: key_words(stream.get_seed()) }
    }

    /// Writes the variates of the entries from index `start` on.
    pub(super) fn draw(&self, start: usize, out: &mut [f32]) {
        let mut words = [0; BATCH];
        let (mut block, mut skipped) = ((start / WORDS) as u64, start % WORDS);
        let mut rest = out;
        while !rest.is_empty() {
            write_words(&self.key, block, &mut words);
            let count = (BATCH - skipped).min(rest.len());
            let (now, later) = rest.split_at_mut(count);
            for (variate, word) in now.iter_mut().zip(&words[skipped..]) {
                *variate = (word >> 8) as f32 / STEPS as f32;
            }
            (block, skipped, rest) = (block + (BATCH / WORDS) as u64, 0, later);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Variates;
    use proptest::prelude::*;

    const LEN: usize = 1 << 16;

    #[test]
    fn variates_are_uniform() {
        let mut variates = vec![f32::NAN; LEN];
        Variates::new("della", 0, "a.weight", 0).draw(0, &mut variates);
        assert!(variates.iter().all(|variate| (0.0..1.0).contains(variate)));
        let mean = variates.iter().map(|&variate| f64::from(variate)).sum::<f64>() / LEN as f64;
        // Five standard deviations of the mean of a uniform variate.
        assert!((mean - 0.5).abs() < 5.0 * (1.0 / 12.0_f64 / LEN as f64).sqrt(), "{mean}");
    }

    #[test]
    fn seed_tensor_and_expert_choose_the_variates() {
        let draw = |seed, tensor, expert| {
            let mut variates = [0.0; 8];
            Variates::new("della", seed, tensor, expert).draw(0, &mut variates);
            variates
        };
        let first = draw(0, "a.weight", 0);
        assert_eq!(draw(0, "a.weight", 0), first);
        for other in [draw(1, "a.weight", 0), draw(0, "b.weight", 0), draw(0, "a.weight", 1)] {
            assert_ne!(other, first);
        }
    }

    proptest! {
        #[test]
        fn chunks_draw_what_the_whole_draws(len in 1..300_usize, start in any::<prop::sample::Index>(), seed in any::<u64>()) {
            let start = start.index(len);
            let mut whole = vec![f32::NAN; len];
            Variates::new("della", seed, "a.weight", 2).draw(0, &mut whole);
            let mut part = vec![f32::NAN; len - start];
            Variates::new("della", seed, "a.weight", 2).draw(start, &mut part);
            prop_assert_eq!(&whole[start..], &part[..]);
        }
    }
}
