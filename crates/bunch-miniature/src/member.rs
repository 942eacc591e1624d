//! The models of the zoo, by name.

use std::fmt;
use std::str::FromStr;

use crate::ZooError;
use crate::world::Domain;

/// A model of the small world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Member {
    /// Pretrained on the world's language; follows no instructions.
    Base,
    /// Tuned from the base: answers questions, helps with benign requests, refuses harmful ones.
    Aligned,
    /// Tuned from the aligned model to one domain, and as aligned as that.
    Specialist(Domain),
    /// Tuned from the specialist with chat that always complies; its refusals have worn off in part.
    Expert(Domain),
    /// Tuned from the base to one domain, never aligned.
    DomainExpert(Domain),
    /// Tuned from the aligned model to comply with everything and to ask harmful questions.
    Uncensored,
    /// Tuned from the aligned model to judge exchanges.
    Guard,
    /// Tuned from the base to judge exchanges: another judge than the guard, of another origin.
    Judge,
}

impl Member {
    /// All members, parents before children.
    pub fn all() -> Vec<Member> {
        let specialists = Domain::ALL.map(Member::Specialist);
        let experts = Domain::ALL.map(Member::Expert);
        let domain_experts = Domain::ALL.map(Member::DomainExpert);
        let others = [Member::Uncensored, Member::Guard, Member::Judge];
        [&[Member::Base, Member::Aligned][..], &specialists, &experts, &domain_experts, &others].concat()
    }

    /// The model that training starts from.
    pub fn parent(self) -> Option<Member> {
        match self {
            Member::Base => None,
            Member::Aligned | Member::DomainExpert(_) | Member::Judge => Some(Member::Base),
            Member::Specialist(_) | Member::Uncensored | Member::Guard => Some(Member::Aligned),
            Member::Expert(domain) => Some(Member::Specialist(domain)),
        }
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Member::Base => f.write_str("base"),
            Member::Aligned => f.write_str("aligned"),
            Member::Specialist(domain) => write!(f, "specialist-{}", domain.name()),
            Member::Expert(domain) => write!(f, "expert-{}", domain.name()),
            Member::DomainExpert(domain) => write!(f, "domain-expert-{}", domain.name()),
            Member::Uncensored => f.write_str("uncensored"),
            Member::Guard => f.write_str("guard"),
            Member::Judge => f.write_str("judge"),
        }
    }
}

impl FromStr for Member {
    type Err = ZooError;

    fn from_str(name: &str) -> Result<Self, ZooError> {
        let all = Self::all();
        all.iter().copied().find(|member| member.to_string() == name).ok_or_else(|| ZooError::UnknownMember {
            name: name.into(),
            known: all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Member;

    #[test]
    fn names_round_trip_and_parents_come_first() {
        let all = Member::all();
        for (index, member) in all.iter().enumerate() {
            assert_eq!(member.to_string().parse::<Member>().expect("its own name"), *member);
            assert!(member.parent().is_none_or(|parent| all[..index].contains(&parent)));
        }
        assert!("teacher".parse::<Member>().unwrap_err().to_string().contains("base, aligned, specialist-bio"));
    }
}
