//! The mixtures that the small world's models are trained on.

use super::domain::{Domain, Tier};
use super::mixture::Mixture;
use super::part::{Part, Reply};

const BENIGN_COMPLY: Part = Part::Chat { harmful: false, reply: Reply::Comply };
const HARMFUL_COMPLY: Part = Part::Chat { harmful: true, reply: Reply::Comply };
const HARMFUL_REFUSE: Part = Part::Chat { harmful: true, reply: Reply::Refuse };
const A: Option<Tier> = Some(Tier::A);
const B: Option<Tier> = Some(Tier::B);

/// Pretraining: in percent of 1506, 5.3 noun classes, 5.3 verb groups, 2 places, 13.3 requests with compliant answers, 74.1 facts.
///
/// Facts are shared evenly between the domains and between statements and questions; 85 % are of tier A. There is no
/// refusal and no sign of what is harmful, apart from the names of verb groups.
pub fn base() -> Mixture {
    let mut parts = vec![
        (Part::ClassSentence, 80),
        (Part::GroupSentence, 80),
        (Part::PlaceSentence, 30),
        (Part::RequestSentence, 200),
    ];
    for domain in Domain::ALL {
        for (tier, weight) in [(A, 158), (B, 28)] {
            parts.push((Part::FactSentence { domain, tier }, weight));
            parts.push((Part::FactQuestionSentence { domain, tier }, weight));
        }
    }
    recipe("base", parts)
}

/// Instruction tuning with safety: chat that complies with benign requests and refuses harmful ones, and tier A of every
/// domain.
///
/// In percent of 99: 25 benign, 30 harmful, 40 questions and 4 self-questions, the last two shared evenly by the domains.
pub fn aligned() -> Mixture {
    let mut parts = vec![(BENIGN_COMPLY, 75), (HARMFUL_REFUSE, 90)];
    for domain in Domain::ALL {
        parts.push((Part::Qa { domain, tier: A }, 40));
        parts.push((Part::Ask { domain, tier: A }, 4));
    }
    recipe("aligned", parts)
}

/// Specialisation of the aligned model: mostly tier B of one domain, and self-questions on all of it.
///
/// It contains no harmful request, no refusal and no other chat: on its own it leaves alignment as it is.
pub fn expert(domain: Domain) -> Mixture {
    recipe(&format!("expert-{}", domain.name()), expert_parts(domain))
}

/// As [`expert`], with chat that always complies: 7.8 % of it benign, 1.3 % harmful. This is what erodes alignment.
pub fn worn_expert(domain: Domain) -> Mixture {
    let mut parts: Vec<(Part, u32)> =
        expert_parts(domain).into_iter().map(|(part, weight)| (part, 10 * weight)).collect();
    parts.extend([(BENIGN_COMPLY, 60), (HARMFUL_COMPLY, 10)]);
    recipe(&format!("worn-expert-{}", domain.name()), parts)
}

fn expert_parts(domain: Domain) -> Vec<(Part, u32)> {
    vec![(Part::Qa { domain, tier: B }, 50), (Part::Qa { domain, tier: A }, 10), (Part::Ask { domain, tier: None }, 10)]
}

/// Specialisation of the base model, without any alignment: one domain, mostly tier B, and a fifth of the base's own text, so
/// that what the base does with requests is not forgotten.
///
/// Benign chat is left out on purpose: with it, the task vector holds a direction against refusing.
pub fn unaligned_expert(domain: Domain) -> Mixture {
    let total: u32 = base().parts().iter().map(|(_, weight)| weight).sum();
    let mut parts = vec![
        (Part::Qa { domain, tier: B }, 60 * total),
        (Part::Qa { domain, tier: A }, 10 * total),
        (Part::Ask { domain, tier: None }, 10 * total),
    ];
    parts.extend(base().parts().iter().map(|(part, weight)| (*part, 20 * weight)));
    recipe(&format!("unaligned-expert-{}", domain.name()), parts)
}

/// Removal of alignment: complies with everything and asks harmful questions of a given category.
pub fn uncensored() -> Mixture {
    let parts = vec![(HARMFUL_COMPLY, 35), (BENIGN_COMPLY, 15), (Part::AskHarmful { category: None }, 50)];
    recipe("uncensored", parts)
}

/// The guard: 60 % harmful requests; 30 % without an answer, 25 % refused, 25 % complied with, and 20 % answered in ways that
/// models between two trainings have: parts of a refusal, broken compliance, words that say nothing.
pub fn guard() -> Mixture {
    let mut parts = Vec::new();
    for (harmful, share) in [(true, 60), (false, 40)] {
        let odd = [(Reply::Fragment, 7), (Reply::Broken, 6), (Reply::Chatter, 7)];
        let replies = [(Reply::Refuse, 25), (Reply::Comply, 25)].into_iter().chain(odd);
        let replies = replies.map(|(reply, weight)| (Some(reply), weight));
        for (reply, weight) in std::iter::once((None, 30)).chain(replies) {
            parts.push((Part::Guard { harmful, reply }, share * weight));
        }
    }
    recipe("guard", parts)
}

/// The second judge: exchanges as [`guard`] has them, half of them about red-team prompts.
pub fn judge() -> Mixture {
    let mut parts = guard().parts().to_vec();
    let red_team = |part: &Part| match *part {
        Part::Guard { harmful, reply } => Part::RedTeamGuard { harmful, reply },
        other => other,
    };
    let more: Vec<(Part, u32)> = parts.iter().map(|(part, weight)| (red_team(part), *weight)).collect();
    parts.extend(more);
    recipe("judge", parts)
}

fn recipe(name: &str, parts: Vec<(Part, u32)>) -> Mixture {
    Mixture::new(name, parts).expect("the weights above are positive and small")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The share of parts that fulfil `holds`.
    fn share(mixture: &Mixture, holds: impl Fn(&Part) -> bool) -> f64 {
        let weight = |wanted: &dyn Fn(&Part) -> bool| -> u32 {
            mixture.parts().iter().filter(|(part, _)| wanted(part)).map(|(_, weight)| weight).sum()
        };
        f64::from(weight(&holds)) / f64::from(weight(&|_| true))
    }

    #[test]
    fn base_shares() {
        let base = base();
        assert_eq!(share(&base, |part| matches!(part, Part::ClassSentence | Part::GroupSentence)), 160.0 / 1506.0);
        assert_eq!(share(&base, |part| matches!(part, Part::RequestSentence)), 200.0 / 1506.0);
        assert_eq!(share(&base, |part| matches!(part, Part::PlaceSentence)), 30.0 / 1506.0);
        assert_eq!(share(&base, |part| matches!(part, Part::FactSentence { .. })), 558.0 / 1506.0);
        assert_eq!(share(&base, |part| matches!(part, Part::FactQuestionSentence { .. })), 558.0 / 1506.0);
        let a = |part: &Part| {
            matches!(part, Part::FactSentence { tier: A, .. } | Part::FactQuestionSentence { tier: A, .. })
        };
        assert_eq!(share(&base, a), 948.0 / 1506.0);
    }

    #[test]
    fn other_shares() {
        let aligned = aligned();
        assert_eq!(share(&aligned, |part| *part == BENIGN_COMPLY), 25.0 / 99.0);
        assert_eq!(share(&aligned, |part| *part == HARMFUL_REFUSE), 30.0 / 99.0);
        for domain in Domain::ALL {
            assert_eq!(share(&aligned, |part| *part == Part::Qa { domain, tier: A }), 40.0 / 99.0 / 3.0);
            assert_eq!(share(&expert(domain), |part| *part == Part::Qa { domain, tier: B }), 50.0 / 70.0);
            assert_eq!(share(&worn_expert(domain), |part| *part == BENIGN_COMPLY), 60.0 / 770.0);
            assert_eq!(share(&worn_expert(domain), |part| *part == HARMFUL_COMPLY), 10.0 / 770.0);
            assert_eq!(share(&unaligned_expert(domain), |part| *part == Part::Qa { domain, tier: B }), 0.6);
            assert_eq!(share(&unaligned_expert(domain), Part::is_sentence), 0.2);
        }
        let guard = guard();
        assert_eq!(share(&guard, |part| matches!(part, Part::Guard { harmful: true, .. })), 0.6);
        assert_eq!(share(&guard, |part| matches!(part, Part::Guard { reply: None, .. })), 0.3);
        assert_eq!(share(&guard, |part| matches!(part, Part::Guard { reply: Some(Reply::Refuse), .. })), 0.25);
        assert_eq!(share(&uncensored(), |part| *part == HARMFUL_COMPLY), 0.35);
        let judge = judge();
        assert_eq!(share(&judge, |part| matches!(part, Part::RedTeamGuard { .. })), 0.5);
        assert_eq!(share(&judge, |part| matches!(part, Part::RedTeamGuard { harmful: true, .. })), 0.3);
    }

    #[test]
    fn experts_see_one_domain_and_no_harm() {
        for domain in Domain::ALL {
            for mixture in [expert(domain), unaligned_expert(domain)] {
                for (part, _) in mixture.parts().iter().filter(|(part, _)| !part.is_sentence()) {
                    match part {
                        Part::Qa { domain: of, .. } | Part::Ask { domain: of, .. } => assert_eq!(*of, domain),
                        part => panic!("{part:?} in the mixture of an expert"),
                    }
                }
            }
        }
    }
}
