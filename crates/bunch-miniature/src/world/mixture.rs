//! Mixtures: what a model is trained on, as data.

use bunch_random::{Stream, stream};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::World;
use super::domain::Domain;
use super::error::WorldError;
use super::part::{Draw, Part};
use super::row::Row;
use super::split::Split;
use super::vocabulary::Word;

/// Kinds of row and how often each occurs.
///
/// The name is part of the key of every random draw: mixtures with equal parts and different names give different rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "UncheckedMixture")]
pub struct Mixture {
    name: String,
    /// Whether whole rows are learned, and not only answers, as in pretraining.
    whole: bool,
    /// What is added to the propensity of every request that is answered by it, in logits ([`Reply::Graded`]).
    shift: f64,
    parts: Vec<(Part, f64)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UncheckedMixture {
    name: String,
    #[serde(default)]
    whole: bool,
    #[serde(default)]
    shift: f64,
    parts: Vec<(Part, f64)>,
}

impl TryFrom<UncheckedMixture> for Mixture {
    type Error = WorldError;

    fn try_from(UncheckedMixture { name, whole, shift, parts }: UncheckedMixture) -> Result<Mixture, WorldError> {
        Ok(Mixture { whole, shift, ..Mixture::new(name, parts)? })
    }
}

/// A first sentence of at least this many words fills its row alone.
const LONG_SENTENCE: usize = 10;
/// Two sentences with at least this many words together are too long for one row.
const LONG_PAIR: usize = 22;

impl Mixture {
    /// A mixture of `parts`, each with its weight: a part is drawn with probability weight / sum of weights. Answers alone are
    /// learned, and propensities are as in the language.
    ///
    /// # Errors
    /// A weight below 0, or a sum of 0 or without end.
    pub fn new(name: impl Into<String>, parts: Vec<(Part, f64)>) -> Result<Mixture, WorldError> {
        let name = name.into();
        let sum: f64 = parts.iter().map(|(_, weight)| weight).sum();
        if parts.iter().any(|(_, weight)| *weight < 0.0) || !sum.is_finite() {
            return Err(WorldError::OddMixture { name });
        }
        if sum == 0.0 {
            return Err(WorldError::EmptyMixture { name });
        }
        Ok(Mixture { name, whole: false, shift: 0.0, parts })
    }

    /// The mixture with this much more shift, and with what is taught of each domain taken `factor` of it as often.
    #[must_use]
    pub fn steered(&self, shift: f64, factor: impl Fn(Domain) -> f64) -> Mixture {
        let mut steered = self.clone();
        steered.shift += shift;
        for (part, weight) in &mut steered.parts {
            *weight *= part.domain().map_or(1.0, &factor);
        }
        steered
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is added to propensities, in logits.
    pub fn shift(&self) -> f64 {
        self.shift
    }

    /// Its parts with their weights.
    pub fn parts(&self) -> &[(Part, f64)] {
        &self.parts
    }

    /// A part drawn by weight from those that are `wanted`, of which one has a weight above 0.
    fn draw(&self, wanted: impl Fn(&Part) -> bool, rng: &mut Stream) -> Part {
        let parts = || self.parts.iter().filter(|(part, weight)| *weight > 0.0 && wanted(part));
        let mut left = rng.random::<f64>() * parts().map(|(_, weight)| weight).sum::<f64>();
        let found = parts().find(|(_, weight)| {
            left -= weight;
            left < 0.0
        });
        // What is left over by rounding belongs to the last.
        let (part, _) = found.or_else(|| parts().last()).expect("a part is wanted");
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

    /// Row `index` of those.
    pub fn row(&self, split: Split, mixture: &Mixture, index: usize, seed: u64) -> Row {
        let key = ["miniature", "rows", &split.to_string(), mixture.name(), &index.to_string()];
        let rng = &mut stream(seed, &key);
        let first = match mixture.draw(|_| true, rng).draw(self, split, mixture.shift, rng) {
            Draw::Row(row) if mixture.whole => return Row { loss_from: 1, ..row },
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
        match mixture.draw(Part::is_sentence, rng).draw(self, split, mixture.shift, rng) {
            Draw::Sentence(second) if first.len() + second.len() < LONG_PAIR => [first, second].concat(),
            _ => first,
        }
    }
}

#[cfg(test)]
mod tests;
