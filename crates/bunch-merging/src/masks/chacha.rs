//! ChaCha's words by position, many blocks at a time.

/// Words of a block.
pub(super) const WORDS: usize = 16;
/// Blocks that are computed at a time, in parallel lanes.
const LANES: usize = 16;
/// Words that are computed at a time.
pub(super) const BATCH: usize = WORDS * LANES;

/// What every block begins with.
const CONSTANTS: [u32; 4] = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574];

/// The key of a stream, as words.
pub(super) fn key_words(key: [u8; 32]) -> [u32; 8] {
    bytemuck::cast::<[u8; 32], [u32; 8]>(key).map(u32::from_le)
}

/// Writes the [`BATCH`] words from block `block` on, of the stream of `bunch_random` with this key: what its generator
/// (RFC 8439 with 8 rounds and a counter of 64 bits) computes, faster with wide registers.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
pub(super) fn write_words(key: &[u32; 8], block: u64, out: &mut [u32; BATCH]) {
    // Word by word: the first of all blocks, then the second of all blocks, and so on. As the loop over the lanes is the
    // outer one, and nothing in it is a loop that remains, it becomes vector code as a whole.
    for lane in 0..LANES {
        let words = block_words(key, 0, block.wrapping_add(lane as u64));
        for word in 0..WORDS {
            out[word * LANES + lane] = words[word];
        }
    }
    // Each shuffle rotates the bits of the position; after four rotations those of word and block have changed places.
    let mut spare = [0; BATCH];
    for _ in 0..2 {
        shuffle(out, &mut spare);
        shuffle(&spare, out);
    }
}

/// The words of block `block` of stream number `stream` of this key.
#[inline(always)]
pub(super) fn block_words(key: &[u32; 8], stream: u32, block: u64) -> [u32; WORDS] {
    let [c0, c1, c2, c3] = CONSTANTS;
    let [k0, k1, k2, k3, k4, k5, k6, k7] = *key;
    let start = [c0, c1, c2, c3, k0, k1, k2, k3, k4, k5, k6, k7, block as u32, (block >> 32) as u32, stream, 0];
    let mut state = start;
    double_round(&mut state);
    double_round(&mut state);
    double_round(&mut state);
    double_round(&mut state);
    for word in 0..WORDS {
        state[word] = state[word].wrapping_add(start[word]);
    }
    state
}

/// Four quarter rounds on columns, and four on diagonals.
#[inline(always)]
fn double_round(state: &mut [u32; WORDS]) {
    quarter_round(state, 0, 4, 8, 12);
    quarter_round(state, 1, 5, 9, 13);
    quarter_round(state, 2, 6, 10, 14);
    quarter_round(state, 3, 7, 11, 15);
    quarter_round(state, 0, 5, 10, 15);
    quarter_round(state, 1, 6, 11, 12);
    quarter_round(state, 2, 7, 8, 13);
    quarter_round(state, 3, 4, 9, 14);
}

#[inline(always)]
fn quarter_round(state: &mut [u32; WORDS], a: usize, b: usize, c: usize, d: usize) {
    state[a] = state[a].wrapping_add(state[b]);
    state[d] = (state[d] ^ state[a]).rotate_left(16);
    state[c] = state[c].wrapping_add(state[d]);
    state[b] = (state[b] ^ state[c]).rotate_left(12);
    state[a] = state[a].wrapping_add(state[b]);
    state[d] = (state[d] ^ state[a]).rotate_left(8);
    state[c] = state[c].wrapping_add(state[d]);
    state[b] = (state[b] ^ state[c]).rotate_left(7);
}

/// Writes the first half and the second half in turns.
#[inline(always)]
fn shuffle(words: &[u32; BATCH], out: &mut [u32; BATCH]) {
    let (first, second) = words.split_at(BATCH / 2);
    for (out, (first, second)) in out.chunks_exact_mut(2).zip(first.iter().zip(second)) {
        out[0] = *first;
        out[1] = *second;
    }
}

#[cfg(test)]
mod tests {
    use super::{BATCH, key_words, write_words};
    use rand::Rng;

    #[test]
    fn words_are_those_of_the_stream() {
        let mut stream = bunch_random::stream(3, &["a"]);
        let mut words = [0; BATCH];
        for block in [0, 1, 5_000, u64::from(u32::MAX) - 3, 1 << 40] {
            write_words(&key_words(stream.get_seed()), block, &mut words);
            stream.set_word_pos(u128::from(block) * 16);
            for word in words {
                assert_eq!(word, stream.next_u32(), "block {block}");
            }
        }
    }
}
