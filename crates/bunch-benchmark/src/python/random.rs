//! Python's `random.Random`: the Mersenne twister MT19937 and `sample`, so that few-shot examples are lm-eval's.

/// Number of words of the twister's state.
const WORDS: usize = 624;

/// A generator seeded by an integer, whose draws equal those of CPython's `random.Random(seed)`.
#[derive(Debug, Clone)]
pub struct PythonRandom {
    state: Vec<u32>,
    index: usize,
}

impl PythonRandom {
    /// `random.Random(seed)`: the seed's 32-bit words, lowest first, are the key of `init_by_array`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let low = seed as u32;
        let high = (seed >> 32) as u32;
        let key: &[u32] = if high == 0 { &[low] } else { &[low, high] };
        let mut state = vec![19_650_218_u32; WORDS];
        for at in 1..WORDS {
            let before = state[at - 1];
            state[at] = 1_812_433_253_u32.wrapping_mul(before ^ (before >> 30)).wrapping_add(at as u32);
        }
        let (mut at, mut word) = (1, 0);
        let step = |state: &mut Vec<u32>, at: &mut usize| {
            *at += 1;
            if *at >= WORDS {
                state[0] = state[WORDS - 1];
                *at = 1;
            }
        };
        for _ in 0..WORDS.max(key.len()) {
            let before = state[at - 1];
            let mixed = state[at] ^ (before ^ (before >> 30)).wrapping_mul(1_664_525);
            state[at] = mixed.wrapping_add(key[word]).wrapping_add(word as u32);
            step(&mut state, &mut at);
            word = (word + 1) % key.len();
        }
        for _ in 1..WORDS {
            let before = state[at - 1];
            let mixed = state[at] ^ (before ^ (before >> 30)).wrapping_mul(1_566_083_941);
            state[at] = mixed.wrapping_sub(at as u32);
            step(&mut state, &mut at);
        }
        state[0] = 0x8000_0000;
        Self { state, index: WORDS }
    }

    fn next(&mut self) -> u32 {
        if self.index >= WORDS {
            for at in 0..WORDS {
                let joined = (self.state[at] & 0x8000_0000) | (self.state[(at + 1) % WORDS] & 0x7fff_ffff);
                let odd = if joined & 1 == 1 { 0x9908_b0df } else { 0 };
                self.state[at] = self.state[(at + 397) % WORDS] ^ (joined >> 1) ^ odd;
            }
            self.index = 0;
        }
        let mut word = self.state[self.index];
        self.index += 1;
        word ^= word >> 11;
        word ^= (word << 7) & 0x9d2c_5680;
        word ^= (word << 15) & 0xefc6_0000;
        word ^ (word >> 18)
    }

    /// `_randbelow(n)`: uniform in 0..n by rejecting words of n's bit length; n is 1 to 2^32 - 1.
    fn below(&mut self, n: usize) -> usize {
        let bits = usize::BITS - n.leading_zeros();
        loop {
            let drawn = (self.next() >> (32 - bits)) as usize;
            if drawn < n {
                return drawn;
            }
        }
    }

    /// `sample(range(population), k)`: `k` different positions in the order drawn; `None` where there are fewer than `k`.
    pub fn sample(&mut self, population: usize, k: usize) -> Option<Vec<usize>> {
        if k > population || u32::try_from(population).is_err() {
            return None;
        }
        // A set of k positions is tracked unless a list of the whole population is smaller (random.py).
        let mut set_size = 21;
        if k > 5 {
            set_size += 4_usize.pow((k as f64 * 3.0).log(4.0).ceil() as u32);
        }
        let mut chosen = Vec::with_capacity(k);
        if population <= set_size {
            let mut pool: Vec<usize> = (0..population).collect();
            for taken in 0..k {
                let left = population - taken;
                let at = self.below(left);
                chosen.push(pool[at]);
                pool[at] = pool[left - 1];
            }
        } else {
            let mut seen = std::collections::BTreeSet::new();
            while chosen.len() < k {
                let at = self.below(population);
                if seen.insert(at) {
                    chosen.push(at);
                }
            }
        }
        Some(chosen)
    }
}

#[cfg(test)]
mod tests {
    use super::PythonRandom;

    // Made with CPython 3.11: r = random.Random(seed); [[n, r.sample(range(n), k)] for n, k in ...].
    const GOLDEN: &str = include_str!("../../tests/golden/random.json");

    #[test]
    fn draws_equal_cpython() {
        type Draws = Vec<(usize, Vec<usize>)>;
        let golden: Vec<(u64, Draws)> = serde_json::from_str(GOLDEN).expect("goldens");
        assert_eq!(golden.len(), 5);
        for (seed, draws) in golden {
            let mut random = PythonRandom::new(seed);
            for (population, expected) in draws {
                let drawn = random.sample(population, expected.len()).expect("enough");
                assert_eq!(drawn, expected, "seed {seed}, {population}");
            }
        }
    }

    #[test]
    fn more_than_there_are_is_none() {
        assert_eq!(PythonRandom::new(1).sample(2, 3), None);
        assert_eq!(PythonRandom::new(1).sample(0, 0), Some(vec![]));
    }
}
