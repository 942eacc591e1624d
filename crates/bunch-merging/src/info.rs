//! What a merge method says about itself.

use crate::dialect::Dialect;
use std::fmt;

/// What a merge method says about itself; a constant, filled in by the builder methods.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Info {
    /// Name in configurations: `snake_case`, equal to the tag of [`Method`](crate::Method).
    pub name: &'static str,
    /// Name in headings and tables.
    pub title: &'static str,
    /// Where the method was published.
    pub paper: Option<Paper>,
    /// What a base model is to the method.
    pub base: BaseRole,
    /// How many experts the method takes, the base not counted.
    pub experts: ExpertCount,
    /// What each model is to the method, the base first unless it is ignored; empty for methods to which all experts are alike.
    pub roles: &'static [Role],
    /// Which laws hold.
    pub laws: Laws,
    /// How a mergekit recipe spells the parameters.
    pub dialect: Dialect,
}

/// What a base model is to a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BaseRole {
    /// There must be one; experts are seen as differences from it.
    Required,
    /// With a base, experts are seen as differences from it; without, as they are.
    Optional,
    /// It is not looked at. A base that shall take part is listed among the experts.
    Ignored,
}

/// The names of roles, in the order in which methods and experiments list them. Scores are no model: a folder like a model's with a
/// number for each weight.
pub const ROLE_NAMES: [&str; 9] = [
    "base",
    "tuned",
    "aligned",
    "safety",
    "unaligned",
    "tuned_scores",
    "aligned_scores",
    "tuned_base_scores",
    "aligned_base_scores",
];

/// What one of a method's models is to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Role {
    /// Its name, one of [`ROLE_NAMES`].
    pub name: &'static str,
    /// Which model that is, as in `the aligned model`.
    pub what: &'static str,
    /// When the result is this model.
    pub identity: Option<Identity>,
    /// Whether several models may have the role; only the last one can be such.
    pub repeats: bool,
}

/// When the result of a merge is the model of a certain role.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Identity {
    /// The roles of two models that are equal then.
    pub equal: (&'static str, &'static str),
    /// Parameters that must have these values.
    pub with: &'static [(&'static str, f64)],
}

impl Role {
    /// A role that one model has.
    pub const fn new(name: &'static str, what: &'static str) -> Self {
        Self { name, what, identity: None, repeats: false }
    }

    /// Declares that the result is this model if the models of two other roles are equal and parameters have these values:
    /// a law that wrong signs and exchanged roles break.
    pub(crate) const fn result_if(
        mut self,
        equal: (&'static str, &'static str),
        with: &'static [(&'static str, f64)],
    ) -> Self {
        self.identity = Some(Identity { equal, with });
        self
    }

    /// Declares that several models may have the role.
    pub const fn repeated(mut self) -> Self {
        self.repeats = true;
        self
    }
}

/// Where a method was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paper {
    /// Identifier with its scheme, as in `arXiv:2306.01708` or `doi:10.1145/325334.325242`; a web address for what was
    /// published without one.
    pub id: &'static str,
    /// Authors and year, as in `Yadav et al., 2023`.
    pub authors: &'static str,
}

/// How many experts a method takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpertCount {
    /// The smallest number.
    pub min: usize,
    /// The largest number, if there is one.
    pub max: Option<usize>,
}

/// Which laws hold for a method. The laws that all methods obey (finite output or an error, independence of order,
/// chunking and threads, limits, configuration) need no declaration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Laws {
    /// What comes out when every expert equals the base.
    pub same_models: SameModels,
    /// Permuting experts together with their weights changes nothing beyond rounding.
    pub order_invariant: Law,
    /// With `normalize`, multiplying all weights (none negative) by one positive number changes nothing; without, it
    /// does.
    pub weight_scaling: Law,
    /// Multiplying all models by one power of two multiplies the result by it.
    pub homogeneity: Law,
}

/// How exactly the base comes out when every expert equals it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameModels {
    /// Bit for bit, whatever the parameters.
    BitForBit,
    /// Within one unit in the last place; where the method has `normalize`, only with it.
    WithinOneUlp,
    /// It does not, for the reason given.
    Except(&'static str),
}

/// Whether a law holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Law {
    /// It holds and is tested.
    Holds,
    /// It holds up to the rounding of the largest number that goes into the result, and is tested so.
    WithinRounding,
    /// It does not, for the reason given.
    Except(&'static str),
}

impl Laws {
    /// What most task-vector methods obey: everything.
    pub const ALL: Self = Self {
        same_models: SameModels::BitForBit,
        order_invariant: Law::Holds,
        weight_scaling: Law::Holds,
        homogeneity: Law::Holds,
    };
}

impl Info {
    /// A method that needs a base and takes one expert or more, obeys [`Laws::ALL`] and has no paper.
    pub const fn new(name: &'static str, title: &'static str) -> Self {
        let experts = ExpertCount { min: 1, max: None };
        let (base, laws, dialect) = (BaseRole::Required, Laws::ALL, Dialect::SAME);
        Self { name, title, paper: None, base, experts, roles: &[], laws, dialect }
    }

    /// Names the paper: identifier with its scheme, authors and year.
    pub const fn paper(mut self, id: &'static str, authors: &'static str) -> Self {
        self.paper = Some(Paper { id, authors });
        self
    }

    /// Declares that the method ignores the base.
    pub(crate) const fn without_base(mut self) -> Self {
        self.base = BaseRole::Ignored;
        self
    }

    /// Declares that the method works with and without a base.
    pub(crate) const fn with_optional_base(mut self) -> Self {
        self.base = BaseRole::Optional;
        self
    }

    /// Declares how a mergekit recipe spells the parameters, where that differs.
    pub const fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// Declares how many experts the method takes.
    pub const fn experts(mut self, min: usize, max: Option<usize>) -> Self {
        self.experts = ExpertCount { min, max };
        self
    }

    /// Declares the laws that hold.
    pub const fn laws(mut self, laws: Laws) -> Self {
        self.laws = laws;
        self
    }

    /// Declares what each model is to the method, in the order of [`ROLE_NAMES`]: the base first, unless it is ignored. The
    /// number of experts follows, and that their order matters.
    pub const fn roles(mut self, roles: &'static [Role]) -> Self {
        assert!(roles.len() > 1, "two models at least");
        let experts = roles.len() - self.bases();
        let max = if roles[roles.len() - 1].repeats { None } else { Some(experts) };
        self.experts = ExpertCount { min: experts, max };
        self.laws.order_invariant = Law::Except("each model has its own role");
        self.roles = roles;
        self
    }

    /// How many of the roles are the base's.
    const fn bases(&self) -> usize {
        !matches!(self.base, BaseRole::Ignored) as usize
    }

    /// The roles of the experts, in their order; none for methods to which all are alike.
    pub fn expert_roles(&self) -> &'static [Role] {
        self.roles.get(self.bases()..).unwrap_or_default()
    }

    /// The role of the expert with this index; none for methods to which all are alike.
    pub fn role_of(&self, expert: usize) -> Option<&'static Role> {
        let roles = self.expert_roles();
        roles.get(expert).or(roles.last().filter(|role| role.repeats))
    }

    /// What the method takes, as in `base and exactly one expert`, or `base, tuned and aligned`.
    pub fn models(&self) -> String {
        match self.roles.split_last() {
            Some((last, others)) => {
                let others: Vec<&str> = others.iter().map(|role| role.name).collect();
                format!("{} and {}{}", others.join(", "), last.name, if last.repeats { ", one or more" } else { "" })
            }
            None => match self.base {
                BaseRole::Required => format!("base and {}", self.experts),
                BaseRole::Optional => format!("base or none, and {}", self.experts),
                BaseRole::Ignored => self.experts.to_string(),
            },
        }
    }
}

impl ExpertCount {
    /// Whether `count` experts are as many as the method takes.
    pub fn contains(&self, count: usize) -> bool {
        count >= self.min && self.max.is_none_or(|max| count <= max)
    }
}

impl fmt::Display for ExpertCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.min, self.max) {
            (1, Some(1)) => write!(f, "exactly one expert"),
            (1, None) => write!(f, "one expert or more"),
            (min, None) => write!(f, "{min} experts or more"),
            (min, Some(max)) if min == max => write!(f, "exactly {min} experts"),
            (min, Some(max)) => write!(f, "{min} to {max} experts"),
        }
    }
}

impl Paper {
    /// The web address of the paper, if the scheme of its identifier is known.
    pub fn url(&self) -> Option<String> {
        let (scheme, id) = self.id.split_once(':')?;
        match scheme {
            "arXiv" => Some(format!("https://arxiv.org/abs/{id}")),
            "doi" => Some(format!("https://doi.org/{id}")),
            "https" => Some(self.id.into()),
            _ => None,
        }
    }
}
