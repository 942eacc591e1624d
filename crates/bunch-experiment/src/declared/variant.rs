//! A scale and what was changed about it, as one name.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// The device that numbers are computed on unless another is asked for; names leave it out.
pub const USUAL_DEVICE: &str = "flex";

/// A scale with its changes. It prints and parses as the name of a results folder, such as `miniature-seeds-3-4-limit-8`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Variant {
    /// Name of the scale.
    pub scale: String,
    /// Seeds, where they are not the scale's own.
    pub seeds: Option<Vec<u64>>,
    /// Upper limit on the size of test sets, dev sets and data, where there is one.
    pub limit: Option<usize>,
    /// Name of the device.
    pub device: String,
}

impl Variant {
    /// The scale as it is, on the usual device.
    pub fn of(scale: impl Into<String>) -> Self {
        Self { scale: scale.into(), seeds: None, limit: None, device: USUAL_DEVICE.into() }
    }

    /// Whether anything was changed about the scale; git ignores the results of such a quick look.
    pub fn is_changed(&self) -> bool {
        *self != Self::of(&*self.scale)
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.scale)?;
        if let Some(seeds) = &self.seeds {
            f.write_str("-seeds")?;
            seeds.iter().try_for_each(|seed| write!(f, "-{seed}"))?;
        }
        if let Some(limit) = self.limit {
            write!(f, "-limit-{limit}")?;
        }
        if self.device != USUAL_DEVICE { write!(f, "-{}", self.device) } else { Ok(()) }
    }
}

/// A name that no scale with changes has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected `<scale>[-seeds-<numbers>][-limit-<number>][-<device>]`, got `{got}`")]
pub struct VariantError {
    /// The name.
    pub got: String,
}

impl FromStr for Variant {
    type Err = VariantError;

    fn from_str(text: &str) -> Result<Self, VariantError> {
        let mut parts = text.split('-').peekable();
        let mut variant = Self::of(parts.next().unwrap_or_default());
        if parts.next_if_eq(&"seeds").is_some() {
            let seeds = std::iter::from_fn(|| parts.next_if(|part| part.parse::<u64>().is_ok()));
            variant.seeds = Some(seeds.filter_map(|seed| seed.parse().ok()).collect());
        }
        if parts.next_if_eq(&"limit").is_some() {
            variant.limit = parts.next().and_then(|limit| limit.parse().ok());
        }
        let device = parts.collect::<Vec<_>>().join("-");
        if !device.is_empty() {
            variant.device = device;
        }
        let lacks_seeds = variant.seeds.as_ref().is_some_and(Vec::is_empty);
        // What does not print as it was is no such name: a limit without a number, for one.
        if variant.scale.is_empty() || lacks_seeds || variant.to_string() != text {
            return Err(VariantError { got: text.into() });
        }
        Ok(variant)
    }
}

impl Serialize for Variant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_folders_parse_and_print_as_they_were() {
        let plain = Variant::of("miniature");
        for (name, variant) in [
            ("miniature", plain.clone()),
            ("miniature-limit-4", Variant { limit: Some(4), ..plain.clone() }),
            ("miniature-seeds-3", Variant { seeds: Some(vec![3]), ..plain.clone() }),
            ("miniature-ndarray", Variant { device: "ndarray".into(), ..plain.clone() }),
            (
                "small-seeds-3-14-limit-2-wgpu",
                Variant { scale: "small".into(), seeds: Some(vec![3, 14]), limit: Some(2), device: "wgpu".into() },
            ),
        ] {
            assert_eq!(name.parse(), Ok(variant.clone()));
            assert_eq!(variant.to_string(), name);
            assert_eq!(serde_json::to_value(&variant).unwrap(), name);
            assert_eq!(variant.is_changed(), name.contains('-'), "{name}");
        }
    }

    #[test]
    fn other_names_are_refused() {
        for name in ["", "-limit-3", "miniature-seeds", "miniature-limit", "miniature-limit-x", "miniature-flex", "a-"]
        {
            let error = name.parse::<Variant>().unwrap_err();
            assert!(error.to_string().ends_with(&format!("got `{name}`")), "{error}");
        }
    }
}
