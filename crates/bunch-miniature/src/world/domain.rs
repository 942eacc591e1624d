//! The fields of knowledge, their entities and their relations.

use serde::{Deserialize, Serialize};

use super::lexicon::{DomainWords, lexicon};
use super::vocabulary::Word;

/// A field of knowledge with facts of its own. All domains have the same structure and no word in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Domain {
    /// Stands for biology and medicine.
    Bio,
    /// Stands for science and engineering.
    Stem,
    /// Stands for mathematics.
    Math,
    /// Stands for medicine.
    Medicine,
    /// Stands for finance.
    Finance,
}

/// How widely known an entity is: which models see its facts often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// General knowledge: even genera.
    A,
    /// Specialist knowledge: odd genera.
    B,
}

/// Number of genera in a domain.
pub const GENERA: usize = 12;
/// Number of species in a genus.
pub const SPECIES: usize = 32;
/// Number of relations in a domain.
pub const RELATIONS: usize = 3;
/// Number of values that one relation can take.
pub const VALUES: usize = 8;

/// Something that facts are about: a species of a genus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entity {
    domain: Domain,
    genus: usize,
    species: usize,
}

/// What a fact says about an entity, up to the value: "the R of G S".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic {
    entity: Entity,
    relation: usize,
}

impl Domain {
    /// All domains, in the order of their tokens.
    pub const ALL: [Domain; 5] = [Domain::Bio, Domain::Stem, Domain::Math, Domain::Medicine, Domain::Finance];

    /// The domain of that name.
    pub fn named(name: &str) -> Option<Domain> {
        Domain::ALL.into_iter().find(|domain| domain.name() == name)
    }

    /// The domain's name, which is also its word in texts: as in "bio".
    pub fn name(self) -> Word {
        match self {
            Domain::Bio => "bio",
            Domain::Stem => "stem",
            Domain::Math => "math",
            Domain::Medicine => "medicine",
            Domain::Finance => "finance",
        }
    }

    /// The domain's words.
    pub(super) fn words(self) -> &'static DomainWords {
        &lexicon().domains[self as usize]
    }

    /// All [`GENERA`] x [`SPECIES`] entities, genus by genus.
    pub fn entities(self) -> impl Iterator<Item = Entity> {
        (0..GENERA * SPECIES).map(move |index| Entity {
            domain: self,
            genus: index / SPECIES,
            species: index % SPECIES,
        })
    }
}

impl Tier {
    /// The tier of genus number `genus`.
    fn of_genus(genus: usize) -> Tier {
        if genus.is_multiple_of(2) { Tier::A } else { Tier::B }
    }
}

impl Entity {
    /// The entity number `index` of `domain`, of those in `tier` if one is given.
    ///
    /// `index` runs to [`Entity::count`] of the tier.
    pub(super) fn nth(domain: Domain, tier: Option<Tier>, index: usize) -> Entity {
        let (genus, species) = (index / SPECIES, index % SPECIES);
        let genus = match tier {
            None => genus,
            Some(Tier::A) => 2 * genus,
            Some(Tier::B) => 2 * genus + 1,
        };
        Entity { domain, genus, species }
    }

    /// Number of entities of one domain, in `tier` if one is given.
    pub fn count(tier: Option<Tier>) -> usize {
        (0..GENERA).filter(|&genus| tier.is_none_or(|tier| tier == Tier::of_genus(genus))).count() * SPECIES
    }

    /// The domain it belongs to.
    pub fn domain(self) -> Domain {
        self.domain
    }

    /// How widely known it is.
    pub fn tier(self) -> Tier {
        Tier::of_genus(self.genus)
    }

    /// Its position among [`Domain::entities`].
    pub fn index(self) -> usize {
        self.genus * SPECIES + self.species
    }

    /// Number of its genus, below [`GENERA`].
    pub fn genus(self) -> usize {
        self.genus
    }

    /// Its name: genus and species.
    pub fn words(self) -> [Word; 2] {
        let words = self.domain.words();
        [&words.genera[self.genus], &words.species[self.species]]
    }

    /// The entity with this name, if there is one.
    pub fn parse(genus: &str, species: &str) -> Option<Entity> {
        Domain::ALL.into_iter().find_map(|domain| {
            let words = domain.words();
            let genus = words.genera.iter().position(|word| word == genus)?;
            let species = words.species.iter().position(|word| word == species)?;
            Some(Entity { domain, genus, species })
        })
    }

    /// What can be asked about it.
    pub fn topics(self) -> impl Iterator<Item = Topic> {
        (0..RELATIONS).map(move |relation| Topic { entity: self, relation })
    }

    /// The topic of relation number `relation`, below [`RELATIONS`].
    pub(super) fn topic(self, relation: usize) -> Topic {
        Topic { entity: self, relation }
    }
}

impl Topic {
    /// The entity in question.
    pub fn entity(self) -> Entity {
        self.entity
    }

    /// Its position among the topics of its domain: relation by relation, entity by entity.
    pub(super) fn index(self) -> usize {
        self.entity.index() * RELATIONS + self.relation
    }

    /// Number of the relation in question, below [`RELATIONS`].
    pub fn relation(self) -> usize {
        self.relation
    }

    /// The relation's word.
    pub fn relation_word(self) -> Word {
        &self.entity.domain.words().relations[self.relation]
    }

    /// The words of all values that the relation can take.
    pub fn values(self) -> &'static [String] {
        &self.entity.domain.words().values[self.relation]
    }

    /// The topic that `relation`, `genus` and `species` name, if their domain is the same.
    pub fn parse(relation: &str, genus: &str, species: &str) -> Option<Topic> {
        let entity = Entity::parse(genus, species)?;
        let relation = entity.domain.words().relations.iter().position(|word| word == relation)?;
        Some(Topic { entity, relation })
    }
}
