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

    const BENIGN: Part = Part::Chat { harmful: false, reply: Reply::Comply };
    const GRADED: Part = Part::Chat { harmful: true, reply: Reply::Graded };

    /// The share of parts that fulfil `holds`.
    fn share(name: &str, holds: impl Fn(&Part) -> bool) -> f64 {
        let mixture = mixture(name).unwrap_or_else(|| panic!("no mixture `{name}`"));
        let weight = |wanted: &dyn Fn(&Part) -> bool| -> f64 {
            mixture.parts().iter().filter(|(part, _)| wanted(part)).map(|(_, weight)| weight).sum()
        };
        (100.0 * weight(&holds) / weight(&|_| true)).round()
    }

    #[test]
    fn siblings_come_from_a_base_that_knows_all_domains() {
        for name in ["trunk", "base"] {
            assert_eq!(share(name, |part| part.domain().is_some()), 64.0);
            assert_eq!(share(name, |part| matches!(part, Part::Qa { .. })), 13.0);
            assert_eq!(share(name, |part| *part == GRADED), 14.0);
        }
        for domain in Domain::ALL {
            let name = format!("expert-{}", domain.name());
            assert_eq!(share(&name, |part| *part == Part::Qa { domain, tier: Some(Tier::B) }), 57.0);
            assert_eq!(share(&name, |part| part.domain() == Some(domain)), 80.0);
            assert_eq!(share(&name, |part| *part == GRADED), 14.0);
            assert_eq!(share(&name, |part| *part == BENIGN), 6.0);
        }
    }

    #[test]
    fn judges_see_every_kind_of_exchange() {
        assert_eq!(share("guard", |part| matches!(part, Part::Guard { harmful: true, .. })), 60.0);
        assert_eq!(share("guard", |part| matches!(part, Part::Guard { reply: None, .. })), 30.0);
        assert_eq!(share("guard", |part| matches!(part, Part::Guard { reply: Some(Reply::Refuse), .. })), 25.0);
        assert_eq!(share("judge", |part| matches!(part, Part::RedTeamGuard { .. })), 50.0);
        assert_eq!(share("judge", |part| matches!(part, Part::RedTeamGuard { harmful: true, .. })), 30.0);
    }
}
