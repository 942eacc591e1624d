//! A domain of facts: items, relations, and questions about them.

use std::collections::BTreeSet;

use bunch_miniature::world::Split;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::Wordings;

/// Something that can be asked of every item.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relation {
    /// Its name.
    pub name: String,
    /// Questions with `{}` in the place of the item.
    pub questions: Wordings,
}

/// `data/small/domains/<name>.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactDomain {
    /// The message that asks an expert for a question of the domain.
    pub ask: String,
    /// What is asked.
    #[serde(rename = "relation")]
    pub relations: Vec<Relation>,
    /// Each item's name, then its value in each relation.
    pub items: Vec<Vec<String>>,
    /// Every item whose position is a multiple of this number is asked about in dev questions, the others in test questions.
    pub dev_every: usize,
}

/// A question and its answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fact {
    /// As a user asks it.
    pub question: String,
    /// The value.
    pub answer: String,
}

/// A question for a fact with its choices, as a line of a task's data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChoiceQuestion {
    /// As a user asks it.
    pub question: String,
    /// The possible answers, all different.
    pub choices: Vec<String>,
    /// Position of the right one.
    pub answer: usize,
}

/// Choices of a multiple-choice question.
const CHOICES: usize = 4;

impl FactDomain {
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.relations.is_empty() || self.items.is_empty() || self.dev_every < 2 {
            return Err("there must be relations and items, and dev_every must be at least 2".into());
        }
        for relation in &self.relations {
            relation.questions.check(&format!("relation `{}`", relation.name))?;
            relation.questions.check_places(&format!("relation `{}`", relation.name))?;
        }
        let mut names = BTreeSet::new();
        for item in &self.items {
            let name = item.first().map_or("", String::as_str);
            if item.len() != self.relations.len() + 1 || item.iter().any(|value| value.trim().is_empty()) {
                return Err(format!("item `{name}` needs its name and {} values", self.relations.len()));
            }
            if !names.insert(name) {
                return Err(format!("item `{name}` occurs twice"));
            }
        }
        for (index, relation) in self.relations.iter().enumerate() {
            if self.values(index).len() < CHOICES {
                return Err(format!("relation `{}` has fewer than {CHOICES} values", relation.name));
            }
        }
        Ok(())
    }

    /// The different values of a relation, in order.
    fn values(&self, relation: usize) -> BTreeSet<&str> {
        self.items.iter().map(|item| item[relation + 1].as_str()).collect()
    }

    /// Every fact in every wording of a split, fact after fact: the first index is the fact, the second the wording.
    pub fn facts(&self, split: Split) -> Vec<Vec<Fact>> {
        let facts = self.items.iter().flat_map(|item| self.relations.iter().enumerate().map(move |pair| (item, pair)));
        let facts = facts.map(|(item, (index, relation))| {
            let wordings = relation.questions.of(split).iter();
            let ask = |wording: &String| Fact {
                question: wording.replacen("{}", &item[0], 1),
                answer: item[index + 1].clone(),
            };
            wordings.map(ask).collect()
        });
        facts.collect()
    }

    /// The multiple-choice questions of a split, in seeded order: each fact of the split's items once.
    pub fn multiple_choice(&self, name: &str, split: Split, seed: u64) -> Vec<ChoiceQuestion> {
        let path = ["small", "multiple choice", name, &split.to_string()];
        let mut stream = bunch_random::stream(seed, &path);
        let is_dev = |item: usize| item.is_multiple_of(self.dev_every);
        let mut facts: Vec<(usize, usize)> = (0..self.items.len())
            .filter(|&item| match split {
                Split::Train => true,
                Split::Dev => is_dev(item),
                Split::Test => !is_dev(item),
            })
            .flat_map(|item| (0..self.relations.len()).map(move |relation| (item, relation)))
            .collect();
        facts.shuffle(&mut stream);
        let questions = facts.into_iter().enumerate().map(|(number, (item, relation))| {
            let right = self.items[item][relation + 1].as_str();
            let mut others: Vec<&str> = self.values(relation).into_iter().filter(|value| *value != right).collect();
            others.shuffle(&mut stream);
            let mut choices: Vec<&str> = others.into_iter().take(CHOICES - 1).chain([right]).collect();
            choices.shuffle(&mut stream);
            let wordings = self.relations[relation].questions.of(split);
            ChoiceQuestion {
                question: wordings[number % wordings.len()].replacen("{}", &self.items[item][0], 1),
                answer: choices.iter().position(|choice| *choice == right).expect("put there above"),
                choices: choices.into_iter().map(str::to_owned).collect(),
            }
        });
        questions.collect()
    }
}
