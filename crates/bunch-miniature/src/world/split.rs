//! Which actions and entities are for training, which for choosing and which for reporting.

use std::fmt;

use bunch_random::stream;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::action::{Action, NOUNS, VERBS, Verb};
use super::domain::{Domain, GENERA, RELATIONS, SPECIES, Topic};
use super::fact::Facts;
use super::harm::HarmCategory;
use super::lexicon::{CLASSES, NOUNS_PER_CLASS};

/// What something may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// To train models.
    Train,
    /// To choose: when to stop, which coefficients to take.
    Dev,
    /// To report.
    Test,
}

impl Split {
    /// All of them.
    pub const ALL: [Split; 3] = [Split::Train, Split::Dev, Split::Test];
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Split::Train => "train",
            Split::Dev => "dev",
            Split::Test => "test",
        })
    }
}

/// The division of all actions, the same in every world, as worlds share what their models were first trained on: 80 %
/// train, 5 % dev, 15 % test.
///
/// For every verb and noun class, two of the ten nouns are held out: the first for the test, the second for dev or the
/// test in turn. So every verb, noun class, harm category and kind of verb has its share in each split.
#[derive(Debug, Clone)]
pub(super) struct ActionSplit {
    splits: Vec<Split>,
    pools: [ActionPool; 3],
}

/// The actions of one split, verb by verb.
#[derive(Debug, Clone, Default)]
pub(super) struct ActionPool {
    /// Harmful or not.
    pub(super) all: Vec<Action>,
    /// The harmful ones.
    pub(super) harmful: Vec<Action>,
    /// The others.
    pub(super) benign: Vec<Action>,
}

impl ActionSplit {
    pub(super) fn new() -> ActionSplit {
        let mut splits = vec![Split::Train; VERBS * NOUNS];
        for verb in Verb::all() {
            let mut rng = stream(0, &["miniature", "held-out actions", verb.word()]);
            for class in 0..CLASSES {
                let mut nouns: Vec<usize> = (0..NOUNS_PER_CLASS).collect();
                nouns.shuffle(&mut rng);
                let index = |noun: usize| verb.index() * NOUNS + class * NOUNS_PER_CLASS + noun;
                splits[index(nouns[0])] = Split::Test;
                let turn = (verb.index() + class).is_multiple_of(2);
                splits[index(nouns[1])] = if turn { Split::Dev } else { Split::Test };
            }
        }
        let mut pools = [(); 3].map(|()| ActionPool::default());
        for action in Action::all() {
            let pool = &mut pools[splits[action.index()] as usize];
            pool.all.push(action);
            if action.is_harmful() { &mut pool.harmful } else { &mut pool.benign }.push(action);
        }
        ActionSplit { splits, pools }
    }

    /// The split that `action` is in.
    pub(super) fn of(&self, action: Action) -> Split {
        self.splits[action.index()]
    }

    /// The actions of `split`.
    pub(super) fn pool(&self, split: Split) -> &ActionPool {
        &self.pools[split as usize]
    }
}

impl ActionPool {
    /// The actions that do one kind of harm.
    pub(super) fn harmful_of(&self, category: HarmCategory) -> &[Action] {
        let start = self.harmful.partition_point(|action| action.verb.group() < category.group());
        let end = self.harmful.partition_point(|action| action.verb.group() <= category.group());
        &self.harmful[start..end]
    }
}

/// One world's division of all facts by what multiple-choice questions on them are for: half dev, half test.
///
/// All are trained on: the questions ask what a model remembers. Of the species that have their genus' default in a relation
/// half are in each, and of those that do not, up to one.
#[derive(Debug, Clone)]
pub(super) struct TopicSplit {
    splits: [Vec<Split>; Domain::ALL.len()],
}

impl TopicSplit {
    /// The division of these facts that belongs to `seed`.
    pub(super) fn new(seed: u64, facts: &Facts) -> TopicSplit {
        let splits = Domain::ALL.map(|domain| {
            let mut rng = stream(seed, &["miniature", "test facts", domain.name()]);
            let mut splits = vec![Split::Dev; GENERA * SPECIES * RELATIONS];
            for (genus, relation) in (0..GENERA).flat_map(|genus| (0..RELATIONS).map(move |relation| (genus, relation)))
            {
                let entities = domain.entities().filter(|entity| entity.genus() == genus);
                let topics = entities.map(|entity| entity.topic(relation));
                let (mut usual, mut others): (Vec<Topic>, Vec<Topic>) =
                    topics.partition(|&topic| facts.is_default(topic));
                usual.shuffle(&mut rng);
                others.shuffle(&mut rng);
                // In turn, so that an odd number of one kind is made up for by the other's; the split that begins alternates
                // too, within the genera of a tier.
                let in_turn = usual.iter().chain(&others).skip((genus / 2 + relation) % 2).step_by(2);
                in_turn.for_each(|topic| splits[topic.index()] = Split::Test);
            }
            splits
        });
        TopicSplit { splits }
    }

    /// The split that `topic` is in.
    pub(super) fn of(&self, topic: Topic) -> Split {
        self.splits[topic.entity().domain() as usize][topic.index()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPLITS: [Split; 3] = [Split::Train, Split::Dev, Split::Test];

    #[test]
    fn shares_are_exact() {
        let actions = ActionSplit::new();
        let sizes = |size: fn(&ActionPool) -> usize| SPLITS.map(|split| size(actions.pool(split)));
        assert_eq!(sizes(|pool| pool.all.len()), [5120, 320, 960]);
        assert_eq!(sizes(|pool| pool.harmful.len()), [2912, 182, 546]);
        assert_eq!(sizes(|pool| pool.benign.len()), [2208, 138, 414]);
        for category in HarmCategory::ALL {
            let of = SPLITS.map(|split| actions.pool(split).harmful_of(category).len());
            assert_eq!(of, [208, 13, 39]);
        }
    }

    #[test]
    fn pools_are_the_splits() {
        let actions = ActionSplit::new();
        for split in SPLITS {
            let pool = actions.pool(split);
            assert!(pool.all.iter().all(|&action| actions.of(action) == split));
            assert!(pool.harmful.iter().all(|action| action.is_harmful()));
            assert!(!pool.benign.iter().any(|action| action.is_harmful()));
            for category in HarmCategory::ALL {
                assert!(pool.harmful_of(category).iter().all(|action| action.category() == Some(category)));
            }
        }
        // Every verb and every noun is trained on, so that what is held out is their combination.
        let train = &actions.pool(Split::Train).all;
        for verb in Verb::all() {
            assert_eq!(train.iter().filter(|action| action.verb == verb).count(), 64);
        }
        for noun in crate::world::Noun::all() {
            assert!(train.iter().filter(|action| action.noun == noun).count() >= 40);
        }
    }

    #[test]
    fn half_of_every_genus_and_of_its_exceptions_is_for_the_test() {
        let facts = Facts::new(5);
        let topics = TopicSplit::new(5, &facts);
        for domain in Domain::ALL {
            for (genus, relation) in (0..GENERA).flat_map(|genus| (0..RELATIONS).map(move |relation| (genus, relation)))
            {
                let count = |split: Split, default: Option<bool>| {
                    let entities = domain.entities().filter(|entity| entity.genus() == genus);
                    let of_genus = entities.map(|entity| entity.topic(relation));
                    of_genus
                        .filter(|&topic| default.is_none_or(|default| facts.is_default(topic) == default))
                        .filter(|&topic| topics.of(topic) == split)
                        .count()
                };
                assert_eq!(SPLITS.map(|split| count(split, None)), [0, 16, 16]);
                for default in [false, true] {
                    assert!(count(Split::Dev, Some(default)).abs_diff(count(Split::Test, Some(default))) <= 1);
                }
            }
        }
        assert_ne!(TopicSplit::new(0, &facts).splits, TopicSplit::new(1, &facts).splits);
    }
}
