//! Multiple-choice questions: what a model knows of a domain.

use bunch_random::stream;
use rand::RngExt;
use rand::seq::SliceRandom;

use super::World;
use super::domain::{Domain, Entity, RELATIONS, Tier, Topic, VALUES};
use super::error::WorldError;
use super::fact::FactQuestion;
use super::split::Split;
use super::vocabulary::Word;

/// Number of choices per question: all values of a relation, so that no draw of wrong ones adds noise.
pub const CHOICES: usize = VALUES;

/// A question for a fact, with all values of its relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MultipleChoice {
    /// What is asked for.
    pub question: FactQuestion,
    /// Different values of the relation, one token each.
    pub choices: [Word; CHOICES],
    /// Position of the true value among the choices.
    pub gold: usize,
}

impl World {
    /// The first `n` multiple-choice questions of a domain in `split`, in random order.
    ///
    /// There are 576 for dev and 576 for the test; no fact is in both. There is none for training.
    ///
    /// # Errors
    /// More questions than there are.
    pub fn multiple_choice(&self, domain: Domain, split: Split, n: usize) -> Result<Vec<MultipleChoice>, WorldError> {
        let topics = domain.entities().flat_map(Entity::topics);
        let mut topics: Vec<Topic> = topics.filter(|&topic| self.topics.of(topic) == split).collect();
        if n > topics.len() {
            let set = "multiple-choice questions";
            return Err(WorldError::TooMany { set, split, asked: n, available: topics.len() });
        }
        topics.shuffle(&mut stream(self.seed, &["miniature", "questions", domain.name(), &split.to_string()]));
        Ok(topics[..n].iter().map(|&topic| self.choices(topic)).collect())
    }

    /// The first `n` of [`World::multiple_choice`] that ask for one relation or about one tier, where these are given.
    ///
    /// # Errors
    /// More questions than there are: 192 for a relation, 288 for a tier, 96 for both.
    pub fn multiple_choice_about(
        &self,
        domain: Domain,
        split: Split,
        (relation, tier): (Option<usize>, Option<Tier>),
        n: usize,
    ) -> Result<Vec<MultipleChoice>, WorldError> {
        let all = self.multiple_choice(domain, split, Entity::count(None) / 2 * RELATIONS)?;
        let wanted = |topic: Topic| {
            relation.is_none_or(|relation| relation == topic.relation())
                && tier.is_none_or(|tier| tier == topic.entity().tier())
        };
        let mut about: Vec<MultipleChoice> =
            all.into_iter().filter(|question| wanted(question.question.topic)).collect();
        if n > about.len() {
            let set = "multiple-choice questions of that kind";
            return Err(WorldError::TooMany { set, split, asked: n, available: about.len() });
        }
        about.truncate(n);
        Ok(about)
    }

    /// The question about `topic`: its choices depend on the world and the topic only.
    fn choices(&self, topic: Topic) -> MultipleChoice {
        let [genus, species] = topic.entity().words();
        let key = ["miniature", "choices", genus, species, topic.relation_word()];
        let mut rng = stream(self.seed, &key);
        let value = self.facts.value(topic);
        let mut values: Vec<usize> = (0..VALUES).filter(|&other| other != value).collect();
        values.shuffle(&mut rng);
        let gold = rng.random_range(0..CHOICES);
        values.insert(gold, value);
        let choices = std::array::from_fn(|choice| topic.values()[values[choice]].as_str());
        MultipleChoice { question: FactQuestion::plain(topic), choices, gold }
    }
}
