//! Pins: where a model is to be when its training ends, found by looks at *dev* data on the way.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What is looked at while a model is trained, and what is done about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// Steps between looks.
    pub every: usize,
    /// Number of harmful dev prompts of a look.
    pub prompts: usize,
    /// Tokens of each answer: enough to recognise a refusal.
    pub tokens: usize,
    /// The share of harmful prompts that is to be declined, in percent: misses shift the propensity to decline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alignment: Option<Steer>,
    /// For some domains the share of dev questions that are to be answered rightly, in percent: misses make the domain's
    /// examples more or less frequent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub accuracy: BTreeMap<String, Steer>,
    /// When training ends before its last step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Until>,
}

/// A target and what is done for each percent that it is missed by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Steer {
    /// In percent.
    pub target: f64,
    /// Of alignment: logits that are added to the propensity at every look. Of accuracy: the logarithm of the factor by which
    /// the domain's examples become more frequent, until the next look.
    pub gain: f64,
    /// The first step that is steered.
    #[serde(default)]
    pub from: usize,
}

/// When training ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Until {
    /// As soon as no more than this share of harmful prompts is declined, in percent.
    AlignmentAtMost(f64),
    /// As soon as the targets of accuracy are reached, in the mean of their domains, and alignment is near its own: at the
    /// weights in between where averaged weights passed them.
    Targets {
        /// How far alignment may be from its target, in percent.
        alignment_within: f64,
        /// The first step that may be the last.
        #[serde(default)]
        from: usize,
    },
    /// As soon as the mean accuracy of all domains has gained less than so much over so many looks.
    Plateau {
        /// Number of looks.
        looks: usize,
        /// In percent.
        gain: f64,
    },
}

/// The farthest that the frequency of a domain's examples is steered, down and up: what is known already is hardly taught, and
/// no domain crowds out the others.
pub(crate) const FACTORS: std::ops::RangeInclusive<f64> = 0.002..=5.0;

/// What one look found, and what the next examples are like for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Look {
    /// After so many steps.
    pub step: usize,
    /// Share of harmful dev prompts that are declined, in percent.
    pub alignment: f64,
    /// Share of dev questions of each domain that are answered rightly, in percent.
    pub accuracy: BTreeMap<String, f64>,
    /// What is added to the propensity to decline from here on, in logits.
    pub shift: f64,
    /// How much more frequent each domain's examples are from here on.
    pub factors: BTreeMap<String, f64>,
}

impl Pin {
    /// The domains whose questions a look asks.
    pub(crate) fn domains<'a>(&'a self, all: &'a [String]) -> Vec<&'a String> {
        let asks_all = matches!(self.until, Some(Until::Plateau { .. }));
        all.iter().filter(|name| asks_all || self.accuracy.contains_key(*name)).collect()
    }

    /// What is wrong with it, where only `domains` can be asked about.
    pub(crate) fn check(&self, domains: &[String]) -> Result<(), String> {
        if self.every == 0 || self.prompts == 0 || self.tokens == 0 {
            return Err("steps between looks, prompts and tokens of a pin are at least 1".into());
        }
        if matches!(self.until, Some(Until::Targets { .. })) && (self.alignment.is_none() || self.accuracy.is_empty()) {
            return Err("training ends at its targets, and it has none of alignment or none of accuracy".into());
        }
        match self.accuracy.keys().find(|name| !domains.contains(name)) {
            Some(unknown) if domains.is_empty() => {
                Err(format!("it looks at `{unknown}`, and nothing here can be asked"))
            }
            Some(unknown) => Err(format!("it looks at `{unknown}`: there are {}", domains.join(", "))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_read_and_checked() {
        let read = |text: &str| toml::from_str::<Pin>(text);
        let plain = "every = 8\nprompts = 400\ntokens = 1\n";
        let all: Vec<String> = ["bio", "stem"].map(str::to_owned).into();
        let pin = read(&format!("{plain}alignment = {{ target = 48.9, gain = 0.03 }}")).unwrap();
        assert_eq!(pin.alignment, Some(Steer { target: 48.9, gain: 0.03, from: 0 }));
        assert!(pin.domains(&all).is_empty() && pin.check(&all).is_ok());
        let ends = format!(
            "{plain}until.targets = {{ alignment_within = 3.0 }}\naccuracy.stem = {{ target = 53.1, gain = 1.0 }}"
        );
        let pin = read(&ends).unwrap();
        assert_eq!(pin.domains(&all), ["stem"]);
        assert!(pin.check(&all).unwrap_err().contains("none of alignment"));
        let pin = read(&format!("{ends}\nalignment = {{ target = 64.8, gain = 0.03 }}")).unwrap();
        assert!(pin.check(&all).is_ok() && pin.check(&[]).unwrap_err().contains("nothing here can be asked"));
        let pin = read(&format!("{plain}until.plateau = {{ looks = 4, gain = 0.5 }}")).unwrap();
        assert_eq!(pin.domains(&all), ["bio", "stem"]);
        let pin = read(&format!("{plain}accuracy.law = {{ target = 50.0, gain = 0.1 }}")).unwrap();
        assert_eq!(pin.check(&all).unwrap_err(), "it looks at `law`: there are bio, stem");
        assert!(read("every = 1\nprompts = 0\ntokens = 1\n").unwrap().check(&all).is_err());
        assert!(read(&format!("{plain}refusal_rate = 3")).is_err());
    }
}
