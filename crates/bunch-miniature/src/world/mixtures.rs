//! The mixtures that the miniature's models are trained on: `data/miniature/mixtures.toml`, which is part of the program.

use std::sync::LazyLock;

use serde::Deserialize;

use super::mixture::Mixture;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MixtureFile {
    #[serde(rename = "mixture")]
    mixtures: Vec<Mixture>,
}

static MIXTURES: LazyLock<Vec<Mixture>> = LazyLock::new(|| {
    let text = include_str!("../../../../data/miniature/mixtures.toml");
    let file: Result<MixtureFile, _> = toml::from_str(text);
    file.unwrap_or_else(|error| panic!("data/miniature/mixtures.toml: {error}")).mixtures
});

/// The mixture of that name.
pub fn mixture(name: &str) -> Option<&'static Mixture> {
    MIXTURES.iter().find(|mixture| mixture.name() == name)
}

/// Names of all mixtures, in file order.
pub fn mixture_names() -> Vec<&'static str> {
    MIXTURES.iter().map(Mixture::name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{Domain, Part, Reply, Tier};

    const BENIGN_COMPLY: Part = Part::Chat { harmful: false, reply: Reply::Comply };
    const HARMFUL_COMPLY: Part = Part::Chat { harmful: true, reply: Reply::Comply };
    const HARMFUL_REFUSE: Part = Part::Chat { harmful: true, reply: Reply::Refuse };
    const A: Option<Tier> = Some(Tier::A);
    const B: Option<Tier> = Some(Tier::B);

    fn named(name: &str) -> &'static Mixture {
        mixture(name).unwrap_or_else(|| panic!("no mixture `{name}`"))
    }

    fn of(name: &str, domain: Domain) -> &'static Mixture {
        named(&format!("{name}-{}", domain.name()))
    }

    /// The share of parts that fulfil `holds`.
    fn share(mixture: &Mixture, holds: impl Fn(&Part) -> bool) -> f64 {
        let weight = |wanted: &dyn Fn(&Part) -> bool| -> u32 {
            mixture.parts().iter().filter(|(part, _)| wanted(part)).map(|(_, weight)| weight).sum()
        };
        f64::from(weight(&holds)) / f64::from(weight(&|_| true))
    }

    #[test]
    fn base_shares() {
        let base = named("base");
        assert_eq!(share(base, |part| matches!(part, Part::ClassSentence | Part::GroupSentence)), 160.0 / 1506.0);
        assert_eq!(share(base, |part| matches!(part, Part::RequestSentence)), 200.0 / 1506.0);
        assert_eq!(share(base, |part| matches!(part, Part::PlaceSentence)), 30.0 / 1506.0);
        assert_eq!(share(base, |part| matches!(part, Part::FactSentence { .. })), 558.0 / 1506.0);
        assert_eq!(share(base, |part| matches!(part, Part::FactQuestionSentence { .. })), 558.0 / 1506.0);
        let a = |part: &Part| {
            matches!(part, Part::FactSentence { tier: A, .. } | Part::FactQuestionSentence { tier: A, .. })
        };
        assert_eq!(share(base, a), 948.0 / 1506.0);
    }

    #[test]
    fn other_shares() {
        let aligned = named("aligned");
        assert_eq!(share(aligned, |part| *part == BENIGN_COMPLY), 25.0 / 99.0);
        assert_eq!(share(aligned, |part| *part == HARMFUL_REFUSE), 30.0 / 99.0);
        for domain in Domain::ALL {
            assert_eq!(share(aligned, |part| *part == Part::Qa { domain, tier: A }), 40.0 / 99.0 / 3.0);
            assert_eq!(share(of("expert", domain), |part| *part == Part::Qa { domain, tier: B }), 50.0 / 70.0);
            assert_eq!(share(of("worn-expert", domain), |part| *part == BENIGN_COMPLY), 60.0 / 770.0);
            assert_eq!(share(of("worn-expert", domain), |part| *part == HARMFUL_COMPLY), 10.0 / 770.0);
            assert_eq!(share(of("unaligned-expert", domain), |part| *part == Part::Qa { domain, tier: B }), 0.6);
            assert_eq!(share(of("unaligned-expert", domain), Part::is_sentence), 0.2);
        }
        let guard = named("guard");
        assert_eq!(share(guard, |part| matches!(part, Part::Guard { harmful: true, .. })), 0.6);
        assert_eq!(share(guard, |part| matches!(part, Part::Guard { reply: None, .. })), 0.3);
        assert_eq!(share(guard, |part| matches!(part, Part::Guard { reply: Some(Reply::Refuse), .. })), 0.25);
        assert_eq!(share(named("uncensored"), |part| *part == HARMFUL_COMPLY), 0.35);
        let judge = named("judge");
        assert_eq!(share(judge, |part| matches!(part, Part::RedTeamGuard { .. })), 0.5);
        assert_eq!(share(judge, |part| matches!(part, Part::RedTeamGuard { harmful: true, .. })), 0.3);
    }

    #[test]
    fn experts_see_one_domain_and_no_harm() {
        for domain in Domain::ALL {
            for mixture in [of("expert", domain), of("unaligned-expert", domain)] {
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
