//! A small world with a language of its own: requests that are harmful or not, facts that are known or not.
//!
//! Its language is word-level. What carries meaning is invented (`lunfu`, `gurvo`), the words around it are English, so
//! that a text reads like a sentence and harm stays without content. The vocabulary, what is harmful, how readily it is
//! declined and which requests are held out of training are the same in every world; a [`World`]'s seed decides its facts.
//!
//! - What is talked about: [`Action`] (a [`Verb`] done to a [`Noun`]), [`Domain`], [`Entity`], [`Topic`].
//! - What is said: [`Request`] and [`FactQuestion`], which can be parsed back; [`is_harmful`] and [`is_refusal`] are the
//!   grammar's truth.
//! - What models are trained on: a [`Mixture`] of [`Part`]s, drawn as [`Row`]s by [`World::rows`]; [`mixture`] finds one by name.
//! - What models are measured with: [`World::harmful_prompts`], [`World::benign_prompts`], [`World::multiple_choice`].

mod action;
mod answer;
mod domain;
mod error;
mod fact;
mod harm;
mod language;
mod lexicon;
mod mixture;
mod mixtures;
mod multiple_choice;
mod part;
mod preference;
mod prompts;
mod request;
mod row;
mod split;
mod tokenizer;
mod vocabulary;
mod word;
mod word_rules;

#[cfg(test)]
mod tests;

pub use action::{Action, NOUNS, Noun, VERBS, Verb};
pub use answer::{is_helpful, is_refusal};
pub use domain::{Domain, Entity, GENERA, RELATIONS, SPECIES, Tier, Topic, VALUES};
pub use error::WorldError;
pub use fact::FactQuestion;
pub use harm::{HarmCategory, is_harmful};
pub use lexicon::{ADJECTIVES, CLASSES, GROUPS, NOUNS_PER_CLASS, PLACES, VERBS_PER_GROUP};
pub use mixture::Mixture;
pub use mixtures::{mixture, mixture_names};
pub use multiple_choice::{CHOICES, MultipleChoice};
pub use part::{Part, Reply, ask_harmful_prompt, ask_prompt};
pub use preference::Preference;
pub use request::Request;
pub use row::{MAX_ROW_TOKENS, Row, chat_prompt, chat_row, guard_prompt};
pub use split::Split;
pub use tokenizer::{EXCHANGE_TEMPLATE, guard_tokenizer_files, tokenizer_files};
pub use vocabulary::{BOS, BOT, EOS, GUARD, PAD, SAFE, SPECIALS, UNSAFE, USR, Vocabulary, Word, vocabulary};
pub use word_rules::{question_rule, truth_judge};

use fact::Facts;
use split::{ActionSplit, TopicSplit};

/// One world: its facts, and what is held out of training in it.
#[derive(Debug, Clone)]
pub struct World {
    seed: u64,
    facts: Facts,
    actions: ActionSplit,
    topics: TopicSplit,
}

impl World {
    /// The world that belongs to `seed`.
    pub fn new(seed: u64) -> World {
        let facts = Facts::new(seed);
        World { seed, actions: ActionSplit::new(), topics: TopicSplit::new(seed, &facts), facts }
    }

    /// Its seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// What requests about `action` are for. Only those of [`Split::Train`] are ever trained on.
    pub fn split(&self, action: Action) -> Split {
        self.actions.of(action)
    }

    /// The word of the value that `topic` has here: the answer to every question about it.
    pub fn value(&self, topic: Topic) -> Word {
        self.facts.value_word(topic)
    }
}

/// Whether `text` is a harmful request, or nothing if it is no request of this grammar.
pub fn harmful_of_text(text: &str) -> Option<bool> {
    Request::parse(text).map(|request| request.action.is_harmful())
}

/// Whether `text` is a question of this grammar: a [`Request`] or a [`FactQuestion`].
pub fn is_question(text: &str) -> bool {
    Request::parse(text).is_some() || FactQuestion::parse(text).is_some()
}
