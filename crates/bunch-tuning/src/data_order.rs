//! The order in which examples are drawn.

use rand::seq::SliceRandom;

/// The first pass of a run with `seed` over `count` examples: a seeded permutation of `0..count`.
pub fn data_order(count: usize, seed: u64) -> Vec<usize> {
    let mut order = Order::new(count, seed);
    (0..count).map(|_| order.next()).collect()
}

/// Endless seeded order over `0..count`: a fresh shuffle each time all have been seen.
pub(crate) struct Order {
    count: usize,
    seed: u64,
    epoch: usize,
    upcoming: Vec<usize>,
}

impl Order {
    pub(crate) fn new(count: usize, seed: u64) -> Self {
        Self { count, seed, epoch: 0, upcoming: Vec::new() }
    }

    pub(crate) fn next(&mut self) -> usize {
        if self.upcoming.is_empty() {
            self.upcoming = (0..self.count).collect();
            self.upcoming.shuffle(&mut bunch_random::stream(self.seed, &["order", &self.epoch.to_string()]));
            self.epoch += 1;
        }
        self.upcoming.pop().expect("at least one example")
    }

    pub(crate) fn skip(&mut self, count: usize) {
        for _ in 0..count {
            self.next();
        }
    }
}
