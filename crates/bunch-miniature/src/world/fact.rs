//! Facts: the value that each world gives to each topic, and the sentences and questions about it.

use bunch_random::stream;
use rand::RngExt;

use super::domain::{Domain, Entity, GENERA, RELATIONS, Topic, VALUES};
use super::vocabulary::Word;

/// Probability that a fact's value is its genus' default rather than any value.
const DEFAULT_PROBABILITY: f64 = 0.5;

/// One world's facts: a value for every topic of every domain.
///
/// Every genus has a default value per relation. A species has it with probability 1/2, and otherwise a value drawn
/// uniformly from all eight: knowing the genus helps (56 % of values), knowing the species is needed for the rest.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    values: [Vec<usize>; 3],
}

impl Facts {
    /// The facts that belong to `seed`.
    pub(super) fn new(seed: u64) -> Facts {
        let values = Domain::ALL.map(|domain| {
            let mut rng = stream(seed, &["miniature", "facts", domain.name()]);
            let defaults: [[usize; RELATIONS]; GENERA] =
                [(); GENERA].map(|()| [(); RELATIONS].map(|()| rng.random_range(0..VALUES)));
            let mut value = |topic: Topic| {
                if rng.random_bool(DEFAULT_PROBABILITY) {
                    defaults[topic.entity().genus()][topic.relation()]
                } else {
                    rng.random_range(0..VALUES)
                }
            };
            domain.entities().flat_map(Entity::topics).map(&mut value).collect()
        });
        Facts { values }
    }

    /// Number of the topic's value among [`Topic::values`].
    pub(super) fn value(&self, topic: Topic) -> usize {
        let entity = topic.entity();
        self.values[entity.domain() as usize][entity.index() * RELATIONS + topic.relation()]
    }

    /// The word of the topic's value.
    pub(super) fn value_word(&self, topic: Topic) -> Word {
        &topic.values()[self.value(topic)]
    }

    /// `the R of G S is V .`
    pub(super) fn statement(&self, topic: Topic) -> Vec<Word> {
        let [genus, species] = topic.entity().words();
        vec!["the", topic.relation_word(), "of", genus, species, "is", self.value_word(topic), "."]
    }
}

/// Words before "the R of G S" and words after it.
pub(super) const TEMPLATES: [(&[Word], &[Word]); 2] = [(&["what", "is"], &["?"]), (&["tell", "me"], &[])];

/// A question for a topic's value: `what is the R of G S ?` or `tell me the R of G S`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FactQuestion {
    /// What is asked for.
    pub topic: Topic,
    template: usize,
}

impl FactQuestion {
    /// The form of questions in evaluation sets: `what is the R of G S ?`
    pub fn plain(topic: Topic) -> FactQuestion {
        FactQuestion { topic, template: 0 }
    }

    /// A question about `topic` in one of both forms.
    pub fn draw(topic: Topic, rng: &mut impl RngExt) -> FactQuestion {
        FactQuestion { topic, template: rng.random_range(0..TEMPLATES.len()) }
    }

    /// The words of its text.
    pub fn words(&self) -> Vec<Word> {
        let (before, after) = TEMPLATES[self.template];
        let [genus, species] = self.topic.entity().words();
        [before, &["the", self.topic.relation_word(), "of", genus, species], after].concat()
    }

    /// Its text.
    pub fn text(&self) -> String {
        self.words().join(" ")
    }

    /// The question whose text is `text`, up to whitespace, if there is one; genus, species and relation are then of one
    /// domain.
    pub fn parse(text: &str) -> Option<FactQuestion> {
        let words: Vec<&str> = text.split_whitespace().collect();
        (0..TEMPLATES.len()).find_map(|template| {
            let (before, after) = TEMPLATES[template];
            match words.strip_prefix(before)?.strip_suffix(after)? {
                ["the", relation, "of", genus, species] => {
                    Some(FactQuestion { topic: Topic::parse(relation, genus, species)?, template })
                }
                _ => None,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::domain::Tier;

    fn topics() -> impl Iterator<Item = Topic> {
        Domain::ALL.into_iter().flat_map(|domain| domain.entities().flat_map(Entity::topics))
    }

    #[test]
    fn every_domain_has_400_entities_and_1200_topics() {
        assert_eq!(topics().count(), 3 * 1200);
        for domain in Domain::ALL {
            assert_eq!(domain.entities().filter(|entity| entity.tier() == Tier::A).count(), 200);
            for (index, entity) in domain.entities().enumerate() {
                assert_eq!((entity.index(), Entity::nth(domain, None, index)), (index, entity));
            }
            for tier in [Tier::A, Tier::B] {
                let nth = (0..Entity::count(Some(tier))).map(|index| Entity::nth(domain, Some(tier), index));
                assert!(nth.eq(domain.entities().filter(|entity| entity.tier() == tier)));
            }
        }
    }

    #[test]
    fn questions_parse_back_and_others_do_not() {
        for topic in topics() {
            for question in [FactQuestion { topic, template: 0 }, FactQuestion { topic, template: 1 }] {
                assert_eq!(FactQuestion::parse(&question.text()), Some(question));
            }
        }
        let of = |domain: Domain| domain.entities().next().unwrap();
        let [genus, species] = of(Domain::Bio).words();
        let relation = of(Domain::Bio).topics().next().unwrap().relation_word();
        let foreign = of(Domain::Stem).topics().next().unwrap().relation_word();
        assert!(FactQuestion::parse(&format!("what is the {relation} of {genus} {species} ?")).is_some());
        assert_eq!(FactQuestion::parse(&format!("what is the {relation} of {genus} {species}")), None);
        assert_eq!(FactQuestion::parse(&format!("what is the {foreign} of {genus} {species} ?")), None);
        assert_eq!(FactQuestion::parse(&format!("what is the {relation} of {species} {genus} ?")), None);
        assert_eq!(FactQuestion::parse(""), None);
    }

    #[test]
    fn values_follow_the_genus_as_often_as_intended() {
        // The most frequent of a genus' 20 values is nearly always its default: P(default) = 1/2 + 1/2 * 1/8 = 0.5625.
        let facts = Facts::new(3);
        let mut modal = 0;
        for domain in Domain::ALL {
            for (genus, relation) in (0..GENERA).flat_map(|genus| (0..RELATIONS).map(move |relation| (genus, relation)))
            {
                let mut counts = [0; VALUES];
                for entity in domain.entities().filter(|entity| entity.genus() == genus) {
                    counts[facts.value(entity.topic(relation))] += 1;
                }
                modal += counts.iter().max().unwrap();
            }
        }
        let share = f64::from(modal) / 3600.0;
        assert!((0.53..0.60).contains(&share), "{share}");
    }

    #[test]
    fn worlds_differ_in_facts() {
        let (one, same, other) = (Facts::new(0), Facts::new(0), Facts::new(1));
        assert_eq!(one.values, same.values);
        let agree = topics().filter(|&topic| one.value(topic) == other.value(topic)).count();
        assert!(agree < 3600 / 4, "{agree} of 3600 facts are the same");
    }
}
