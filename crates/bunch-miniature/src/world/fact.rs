//! Facts: the value that each world gives to each topic, and the sentences and questions about it.

use bunch_random::stream;
use rand::RngExt;
use rand::seq::SliceRandom;

use super::domain::{Domain, GENERA, RELATIONS, SPECIES, Topic, VALUES};
use super::language::language;
use super::vocabulary::Word;

/// One world's facts: a value for every topic of every domain.
///
/// Every genus has a default value per relation, which a fixed share of its species has, the same in every genus of a domain
/// ([`Language::default_share`]); the other values are spread evenly over the rest of the species. So knowing the genus helps
/// as much in one world, genus and relation as in another, and knowing the species is needed for the rest.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    values: [Vec<usize>; Domain::ALL.len()],
    defaults: [Vec<usize>; Domain::ALL.len()],
}

impl Facts {
    /// The facts that belong to `seed`.
    pub(super) fn new(seed: u64) -> Facts {
        let mut defaults = [(); Domain::ALL.len()].map(|()| vec![0; GENERA * RELATIONS]);
        let values = Domain::ALL.map(|domain| {
            let mut rng = stream(seed, &["miniature", "facts", domain.name()]);
            let usual = (language().default_share(domain) * SPECIES as f64).round() as usize;
            let mut values = vec![0; GENERA * SPECIES * RELATIONS];
            for (genus, relation) in (0..GENERA).flat_map(|genus| (0..RELATIONS).map(move |relation| (genus, relation)))
            {
                let mut order: Vec<usize> = (0..VALUES).collect();
                order.shuffle(&mut rng);
                let (default, others) = (order[0], &order[1..]);
                defaults[domain as usize][genus * RELATIONS + relation] = default;
                let mut of_species: Vec<usize> = (0..SPECIES)
                    .map(|i| if i < usual { default } else { others[(i - usual) % others.len()] })
                    .collect();
                of_species.shuffle(&mut rng);
                for (species, value) in of_species.into_iter().enumerate() {
                    values[(genus * SPECIES + species) * RELATIONS + relation] = value;
                }
            }
            values
        });
        Facts { values, defaults }
    }

    /// Whether the topic's value is the default of its genus.
    pub(super) fn is_default(&self, topic: Topic) -> bool {
        let entity = topic.entity();
        self.value(topic) == self.defaults[entity.domain() as usize][entity.genus() * RELATIONS + topic.relation()]
    }

    /// Number of the topic's value among [`Topic::values`].
    pub(super) fn value(&self, topic: Topic) -> usize {
        self.values[topic.entity().domain() as usize][topic.index()]
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
    use crate::world::domain::{Entity, Tier};

    fn topics() -> impl Iterator<Item = Topic> {
        Domain::ALL.into_iter().flat_map(|domain| domain.entities().flat_map(Entity::topics))
    }

    #[test]
    fn every_domain_has_384_entities_and_1152_topics() {
        assert_eq!(topics().count(), 5 * 1152);
        for domain in Domain::ALL {
            assert_eq!(domain.entities().filter(|entity| entity.tier() == Tier::A).count(), 192);
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
    fn every_genus_has_its_default_equally_often() {
        let facts = Facts::new(3);
        for domain in Domain::ALL {
            let usual = (language().default_share(domain) * SPECIES as f64).round() as usize;
            for (genus, relation) in (0..GENERA).flat_map(|genus| (0..RELATIONS).map(move |relation| (genus, relation)))
            {
                let of_genus = || {
                    let entities = domain.entities().filter(|entity| entity.genus() == genus);
                    entities.map(|entity| entity.topic(relation))
                };
                assert_eq!(of_genus().filter(|&topic| facts.is_default(topic)).count(), usual);
                let mut counts = [0; VALUES];
                of_genus().for_each(|topic| counts[facts.value(topic)] += 1);
                counts.sort_unstable();
                assert!(counts[VALUES - 2] - counts[0] <= 1 && counts[VALUES - 1] == usual, "{counts:?}");
            }
        }
    }

    #[test]
    fn worlds_differ_in_facts() {
        let (one, same, other) = (Facts::new(0), Facts::new(0), Facts::new(1));
        assert_eq!(one.values, same.values);
        let agree = topics().filter(|&topic| one.value(topic) == other.value(topic)).count();
        // Each world draws values evenly, defaults among them: two agree on one fact of eight.
        assert!(agree < 5760 / 5, "{agree} of 5760 facts are the same");
    }
}
