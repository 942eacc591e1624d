//! What users ask for: harmful and benign actions, and the wordings that make requests of them.

use std::collections::BTreeSet;

use bunch_miniature::world::Split;
use rand::seq::SliceRandom;
use serde::Deserialize;

/// Texts by split.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wordings {
    /// For training.
    pub train: Vec<String>,
    /// For choices.
    pub dev: Vec<String>,
    /// For results.
    pub test: Vec<String>,
}

impl Wordings {
    /// Those of `split`.
    pub fn of(&self, split: Split) -> &[String] {
        match split {
            Split::Train => &self.train,
            Split::Dev => &self.dev,
            Split::Test => &self.test,
        }
    }

    /// Refuses a text that occurs twice or a split without any.
    pub(crate) fn check(&self, what: &str) -> Result<(), String> {
        let mut seen = BTreeSet::new();
        for split in Split::ALL {
            if self.of(split).is_empty() {
                return Err(format!("{what}: nothing for {split}"));
            }
            if let Some(twice) = self.of(split).iter().find(|text| !seen.insert(text.to_lowercase())) {
                return Err(format!("{what}: `{twice}` occurs twice"));
            }
        }
        Ok(())
    }

    /// Refuses wordings without exactly one place for what they are about.
    pub(crate) fn check_places(&self, what: &str) -> Result<(), String> {
        let all = Split::ALL.into_iter().flat_map(|split| self.of(split));
        match all.clone().find(|wording| wording.matches("{}").count() != 1) {
            Some(wording) => Err(format!("{what}: `{wording}` needs one {{}}")),
            None => Ok(()),
        }
    }
}

/// A kind of harm, with actions of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Category {
    /// Its name.
    pub name: String,
    /// What people do, as in "how do I ..".
    pub actions: Wordings,
}

/// `data/small/requests.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requests {
    /// Sentences with `{}` in the place of the action.
    pub wordings: Wordings,
    /// The message that asks for a harmful question, with `{}` in the place of a category's name.
    pub ask_harmful: String,
    /// Answers that decline.
    pub refusals: Vec<String>,
    /// How answers begin that decline, in these words or others.
    pub refusal_prefixes: Vec<String>,
    /// Harmless prompts of other kinds, for training alone.
    pub chat: Vec<String>,
    /// Harmless actions.
    pub benign: Wordings,
    /// Harmful ones.
    #[serde(rename = "category")]
    pub categories: Vec<Category>,
}

/// Training wordings of one action.
const WORDINGS_OF_AN_ACTION: usize = 3;

/// `wording` about `action`.
fn fill(wording: &str, action: &str) -> String {
    wording.replacen("{}", action, 1)
}

impl Requests {
    pub(crate) fn check(&self) -> Result<(), String> {
        self.wordings.check("wordings")?;
        self.wordings.check_places("wordings")?;
        self.benign.check("benign")?;
        if self.ask_harmful.matches("{}").count() != 1 {
            return Err("ask_harmful needs one {}".into());
        }
        if self.refusals.is_empty() || self.categories.is_empty() || self.chat.is_empty() {
            return Err("refusals, categories and chat must not be empty".into());
        }
        let mut actions = BTreeSet::new();
        let benign = Split::ALL.into_iter().flat_map(|split| self.benign.of(split));
        let harmful = self
            .categories
            .iter()
            .flat_map(|category| Split::ALL.into_iter().flat_map(move |split| category.actions.of(split)));
        for category in &self.categories {
            category.actions.check(&format!("category `{}`", category.name))?;
        }
        match benign.chain(harmful).find(|action| !actions.insert(action.to_lowercase())) {
            Some(twice) => Err(format!("action `{twice}` occurs twice")),
            None => Ok(()),
        }
    }

    /// The harmful requests of a split: all actions once in each wording, in seeded order.
    pub fn harmful(&self, split: Split, seed: u64) -> Vec<String> {
        self.harmful_by_category(split, seed).into_iter().map(|(_, request)| request).collect()
    }

    /// The harmful requests of a split, each with its category's name.
    pub fn harmful_by_category(&self, split: Split, seed: u64) -> Vec<(&str, String)> {
        let of = |category: &'_ Category| category.actions.of(split).len();
        let names = self.categories.iter().flat_map(|category| vec![category.name.as_str(); of(category)]);
        let names: Vec<&str> = names.collect();
        let actions: Vec<&str> =
            self.categories.iter().flat_map(|category| category.actions.of(split)).map(String::as_str).collect();
        let requests = self.requests("harmful prompts", &actions, split, seed).into_iter();
        requests.map(|(action, request)| (names[action], request)).collect()
    }

    /// The benign requests of a split.
    pub fn benign(&self, split: Split, seed: u64) -> Vec<String> {
        let actions: Vec<&str> = self.benign.of(split).iter().map(String::as_str).collect();
        self.requests("benign prompts", &actions, split, seed).into_iter().map(|(_, request)| request).collect()
    }

    /// All actions in all wordings, each with its action's position.
    fn requests(&self, set: &str, actions: &[&str], split: Split, seed: u64) -> Vec<(usize, String)> {
        let wordings = self.wordings.of(split);
        let mut stream = bunch_random::stream(seed, &["small", set, &split.to_string()]);
        let mut requests = Vec::with_capacity(actions.len() * wordings.len());
        for round in 0..wordings.len() {
            let mut order: Vec<usize> = (0..actions.len()).collect();
            order.shuffle(&mut stream);
            // In each round every action occurs once, and every wording about equally often.
            let filled = |&at: &usize| (at, fill(&wordings[(at + round) % wordings.len()], actions[at]));
            requests.extend(order.iter().map(filled));
        }
        requests
    }

    /// Every harmful training request with its category's position, in the order of the file.
    pub fn harmful_training(&self) -> Vec<(usize, String)> {
        let all =
            self.categories.iter().enumerate().flat_map(|(index, category)| {
                category.actions.train.iter().map(move |action| (index, action.as_str()))
            });
        let each = all.enumerate().flat_map(|(number, (index, action))| {
            self.training_wordings(number).map(move |wording| (index, fill(wording, action)))
        });
        each.collect()
    }

    /// Every benign training request, in the order of the file.
    pub fn benign_training(&self) -> Vec<String> {
        let actions = self.benign.train.iter().enumerate();
        actions
            .flat_map(|(number, action)| self.training_wordings(number).map(move |wording| fill(wording, action)))
            .collect()
    }

    /// The wordings in which the action of that number is trained on.
    fn training_wordings(&self, number: usize) -> impl Iterator<Item = &str> {
        let wordings = &self.wordings.train;
        let count = WORDINGS_OF_AN_ACTION.min(wordings.len());
        (0..count).map(move |index| wordings[(number * count + index) % wordings.len()].as_str())
    }

    /// The message that asks for a harmful question of a category.
    pub fn ask(&self, category: &Category) -> String {
        fill(&self.ask_harmful, &category.name)
    }
}
