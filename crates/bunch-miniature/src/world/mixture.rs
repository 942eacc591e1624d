//! Mixtures: what a model is trained on, as data.

use bunch_random::{Stream, stream};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::World;
use super::error::WorldError;
use super::part::{Draw, Part};
use super::row::Row;
use super::split::Split;
use super::vocabulary::Word;

/// Kinds of row and how often each occurs.
///
/// The name is part of the key of every random draw: mixtures with equal parts and different names give different rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "UncheckedMixture")]
pub struct Mixture {
    name: String,
    parts: Vec<(Part, u32)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UncheckedMixture {
    name: String,
    parts: Vec<(Part, u32)>,
}

impl TryFrom<UncheckedMixture> for Mixture {
    type Error = WorldError;

    fn try_from(UncheckedMixture { name, parts }: UncheckedMixture) -> Result<Mixture, WorldError> {
        Mixture::new(name, parts)
    }
}

/// A first sentence of at least this many words fills its row alone.
const LONG_SENTENCE: usize = 10;
/// Two sentences with at least this many words together are too long for one row.
const LONG_PAIR: usize = 22;

impl Mixture {
    /// A mixture of `parts`, each with its weight: a part is drawn with probability weight / sum of weights.
    ///
    /// # Errors
    /// Weights whose sum is 0 or does not fit into 32 bits.
    pub fn new(name: impl Into<String>, parts: Vec<(Part, u32)>) -> Result<Mixture, WorldError> {
        let name = name.into();
        match parts.iter().try_fold(0_u32, |sum, (_, weight)| sum.checked_add(*weight)) {
            None => Err(WorldError::HeavyMixture { name }),
            Some(0) => Err(WorldError::EmptyMixture { name }),
            Some(_) => Ok(Mixture { name, parts }),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its parts with their weights.
    pub fn parts(&self) -> &[(Part, u32)] {
        &self.parts
    }

    /// A part drawn by weight from those that are `wanted`, of which one has a weight above 0.
    fn draw(&self, wanted: impl Fn(&Part) -> bool, rng: &mut Stream) -> Part {
        let parts = || self.parts.iter().filter(|(part, _)| wanted(part));
        let mut left = rng.random_range(0..parts().map(|(_, weight)| weight).sum());
        let (part, _) = parts()
            .find(|(_, weight)| {
                let found = left < *weight;
                left = left.saturating_sub(*weight);
                found
            })
            .expect("the draw is below the sum of weights");
        *part
    }
}

impl World {
    /// `n` training rows of `mixture`, none of which contains an action that is held out.
    ///
    /// Row `i` depends on this world, `seed`, the mixture and `i` only, not on `n`.
    pub fn rows(&self, mixture: &Mixture, n: usize, seed: u64) -> Vec<Row> {
        self.rows_of(Split::Train, mixture, n, seed)
    }

    /// As [`World::rows`], with the actions of `split` in place of those for training: to measure a loss or the guard's
    /// accuracy on what no model has seen. Facts are the same in every split.
    pub fn rows_of(&self, split: Split, mixture: &Mixture, n: usize, seed: u64) -> Vec<Row> {
        (0..n).map(|index| self.row(split, mixture, index, seed)).collect()
    }

    fn row(&self, split: Split, mixture: &Mixture, index: usize, seed: u64) -> Row {
        let key = ["miniature", "rows", &split.to_string(), mixture.name(), &index.to_string()];
        let rng = &mut stream(seed, &key);
        let first = match mixture.draw(|_| true, rng).draw(self, split, rng) {
            Draw::Row(row) => return row,
            Draw::Sentence(words) => words,
        };
        Row::text(&self.packed(first, split, mixture, rng))
    }

    /// `first`, and after it a second sentence of `mixture` if both are short.
    fn packed(&self, first: Vec<Word>, split: Split, mixture: &Mixture, rng: &mut Stream) -> Vec<Word> {
        if first.len() >= LONG_SENTENCE {
            return first;
        }
        match mixture.draw(Part::is_sentence, rng).draw(self, split, rng) {
            Draw::Sentence(second) if first.len() + second.len() < LONG_PAIR => [first, second].concat(),
            _ => first,
        }
    }
}

#[cfg(test)]
mod tests;
