//! Random bits of many entries at a time, as many of each entry as a comparison needs.

use super::chacha::{WORDS, block_words, key_words};
use crate::block::BLOCK;

/// Words of 64 bits, one for each entry of a span: two blocks of ChaCha.
pub(super) const SPAN_WORDS: usize = BLOCK / 64;
/// Planes that are drawn at a time.
const PLANES: usize = 4;
/// Blocks of ChaCha that are computed at a time, in parallel lanes.
const LANES: usize = 2 * PLANES;

/// The variates of one expert's entries, uniform in [0, 1) in steps of 2^-32, of which no more bits are drawn than
/// it takes to compare them.
///
/// Plane p holds the bit of value 2^-(p+1) of every entry. It is the stream number p of the key that belongs to seed, tensor
/// and expert, and a bit's place there depends on the entry's index alone: any chunking gives the same bits.
#[derive(Debug)]
pub(super) struct BitPlanes {
    key: [u32; 8],
}

impl BitPlanes {
    /// The planes of one expert's entries.
    pub(super) fn new(seed: u64, tensor: &str, expert: usize) -> Self {
        let stream = bunch_random::stream(seed, &["dare", tensor, &expert.to_string()]);
        Self { key: key_words(stream.get_seed()) }
    }

    /// One bit for each entry from index `span * BLOCK` on: set where the variate is below `threshold` * 2^-32.
    ///
    /// Planes are compared from the highest on until the rest cannot matter: one is enough for a threshold of a half, a
    /// dozen leave few of 1024 entries equal to any threshold.
    pub(super) fn below(&self, span: usize, threshold: u64) -> [u64; SPAN_WORDS] {
        let Ok(threshold) = u32::try_from(threshold) else { return [u64::MAX; SPAN_WORDS] };
        let (mut below, mut equal) = ([0; SPAN_WORDS], [u64::MAX; SPAN_WORDS]);
        let mut drawn = [[0; LANES]; WORDS];
        // The threshold's bits that are not compared yet, the highest first.
        let (mut rest, mut plane) = (threshold, 0);
        while rest != 0 && equal.iter().any(|equal| *equal != 0) {
            draw(&self.key, span, plane, &mut drawn);
            compare(&drawn, rest, &mut below, &mut equal);
            (rest, plane) = (rest << PLANES, plane + PLANES as u32);
        }
        below
    }
}

/// Draws [`PLANES`] planes of a span from plane `plane` on: word by word, each plane's word of the span's first block, then
/// of its second.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn draw(key: &[u32; 8], span: usize, plane: u32, out: &mut [[u32; LANES]; WORDS]) {
    for lane in 0..LANES {
        let words = block_words(key, plane + (lane / 2) as u32, 2 * span as u64 + (lane % 2) as u64);
        for (out, word) in out.iter_mut().zip(words) {
            out[lane] = word;
        }
    }
}

/// Compares the drawn bits with the highest bits of `threshold`, where those before are equal.
fn compare(
    drawn: &[[u32; LANES]; WORDS],
    threshold: u32,
    below: &mut [u64; SPAN_WORDS],
    equal: &mut [u64; SPAN_WORDS],
) {
    for plane in 0..PLANES {
        let is_set = threshold << plane >> 31 == 1;
        for ((words, below), equal) in drawn.iter().zip(&mut *below).zip(&mut *equal) {
            let bits = u64::from(words[2 * plane]) | u64::from(words[2 * plane + 1]) << 32;
            if is_set {
                *below |= *equal & !bits;
                *equal &= bits;
            } else {
                *equal &= !bits;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BitPlanes, SPAN_WORDS};
    use crate::block::BLOCK;
    use proptest::prelude::*;
    use rand::Rng;

    /// The variate of an entry, from the generator of `bunch_random`.
    fn variate(seed: u64, tensor: &str, expert: usize, index: usize) -> u32 {
        let mut stream = bunch_random::stream(seed, &["dare", tensor, &expert.to_string()]);
        let (word, bit) = (index / 64 % SPAN_WORDS, index % 64);
        let block = 2 * (index / BLOCK) + bit / 32;
        (0..32).fold(0, |variate, plane| {
            stream.set_stream(plane);
            stream.set_word_pos((16 * block + word) as u128);
            variate << 1 | (stream.next_u32() >> (bit % 32) & 1)
        })
    }

    #[test]
    fn bits_are_those_of_the_generator() {
        for span in [0, 1, 70_000] {
            let variates: Vec<u32> = (0..BLOCK).map(|index| variate(3, "a", 1, span * BLOCK + index)).collect();
            // One that an entry equals, the one above, and those that need few bits.
            let of_entry = u64::from(variates[77]);
            for threshold in [0, 1, of_entry, of_entry + 1, 1 << 28, 1 << 31, 0x4ccc_cccd, u64::from(u32::MAX), 1 << 32]
            {
                let below = BitPlanes::new(3, "a", 1).below(span, threshold);
                for (index, variate) in variates.iter().enumerate() {
                    let is_below = below[index / 64] >> (index % 64) & 1 == 1;
                    assert_eq!(is_below, u64::from(*variate) < threshold, "{variate} and {threshold}");
                }
            }
        }
    }

    #[test]
    fn seed_tensor_and_expert_choose_the_bits() {
        let draw = |seed, tensor, expert| BitPlanes::new(seed, tensor, expert).below(0, 1 << 31);
        let first = draw(0, "a", 0);
        assert_eq!(draw(0, "a", 0), first);
        assert!([draw(1, "a", 0), draw(0, "b", 0), draw(0, "a", 1)].iter().all(|other| *other != first));
    }

    proptest! {
        #[test]
        fn what_is_below_a_threshold_is_below_every_higher_one(
            low in 0..=1_u64 << 32, high in 0..=1_u64 << 32, seed in any::<u64>(),
        ) {
            let planes = BitPlanes::new(seed, "a.weight", 0);
            let (fewer, more) = (planes.below(5, low.min(high)), planes.below(5, low.max(high)));
            prop_assert!(fewer.iter().zip(more).all(|(fewer, more)| fewer & !more == 0));
        }
    }
}
