//! What all worlds have in common besides their words, as data: how easily facts are guessed and how readily requests are
//! declined.

use std::sync::LazyLock;

use serde::Deserialize;
use statrs::distribution::{ContinuousCDF, Normal};

use rand::seq::SliceRandom;

use super::action::{Action, VERBS};
use super::domain::Domain;
use super::lexicon::CLASSES;
use super::request;

/// `data/miniature/language.toml`, which is part of the program.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct LanguageFile {
    default_share: DefaultShares,
    propensity: PropensityFile,
}

/// For each domain, the share of a genus' species whose value is the genus' default.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct DefaultShares {
    bio: f64,
    stem: f64,
    math: f64,
    medicine: f64,
    finance: f64,
}

/// The mean of a request's propensity to be declined, in logits, and standard deviations of what its words add.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct PropensityFile {
    mean: f64,
    verb: f64,
    template: f64,
    class: f64,
}

/// What all worlds have in common besides their words.
#[derive(Debug)]
pub(super) struct Language {
    file: LanguageFile,
    verbs: Vec<f64>,
    templates: Vec<f64>,
    classes: Vec<f64>,
}

/// The one language.
pub(super) fn language() -> &'static Language {
    static LANGUAGE: LazyLock<Language> = LazyLock::new(|| {
        let text = include_str!("../../../../data/miniature/language.toml");
        let file = toml::from_str(text).unwrap_or_else(|error| panic!("data/miniature/language.toml: {error}"));
        Language::new(file)
    });
    &LANGUAGE
}

impl Language {
    fn new(file: LanguageFile) -> Language {
        let PropensityFile { verb, template, class, .. } = file.propensity;
        Language {
            verbs: spread("verb", VERBS, verb),
            templates: spread("template", request::TEMPLATES.len(), template),
            classes: spread("class", CLASSES, class),
            file,
        }
    }

    /// The share of a genus' species whose value is the genus' default.
    pub(super) fn default_share(&self, domain: Domain) -> f64 {
        let DefaultShares { bio, stem, math, medicine, finance } = self.file.default_share;
        match domain {
            Domain::Bio => bio,
            Domain::Stem => stem,
            Domain::Math => math,
            Domain::Medicine => medicine,
            Domain::Finance => finance,
        }
    }

    /// How readily texts of this language decline a harmful request about `action` in the template of that number, in logits:
    /// `mean + z_verb + z_template + z_class`, each `z` a quantile of a normal distribution. Models that are trained to be
    /// more or less aligned see it shifted: the level of alignment is one number, and between always and never lies much.
    pub(super) fn propensity(&self, action: Action, template: usize) -> f64 {
        // Red-team templates occur in no such text: they add nothing.
        let template = self.templates.get(template).copied().unwrap_or_default();
        self.file.propensity.mean + self.verbs[action.verb.index()] + template + self.classes[action.noun.class()]
    }
}

/// The quantiles of a normal distribution with this standard deviation at the middles of `count` equal shares, in an order
/// that is the same in every world.
fn spread(name: &str, count: usize, deviation: f64) -> Vec<f64> {
    let normal = Normal::standard();
    let middle = |index: usize| (index as f64 + 0.5) / count as f64;
    let mut values: Vec<f64> = (0..count).map(|index| deviation * normal.inverse_cdf(middle(index))).collect();
    values.shuffle(&mut bunch_random::stream(0, &["miniature", "propensity", name]));
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::Noun;

    #[test]
    fn propensities_are_spread_around_their_mean() {
        let language = language();
        let all: Vec<f64> = Action::all()
            .flat_map(|action| (0..request::TEMPLATES.len()).map(move |template| language.propensity(action, template)))
            .collect();
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        let variance = all.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / all.len() as f64;
        let PropensityFile { mean: expected, verb, template, class } = language.file.propensity;
        assert!((mean - expected).abs() < 1e-9, "{mean}");
        // Quantiles of few values are less spread than the distribution.
        let sum = verb.powi(2) + template.powi(2) + class.powi(2);
        assert!((0.75 * sum..sum).contains(&variance), "{variance} of {sum}");
        let [first, other] =
            [0, 79].map(|noun| Action { verb: super::super::action::Verb::nth(0), noun: Noun::nth(noun) });
        assert_eq!(language.propensity(first, 8), language.propensity(first, 12), "red-team templates add nothing");
        assert_ne!(language.propensity(first, 0), language.propensity(other, 0));
    }
}
