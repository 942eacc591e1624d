//! Parameters that several methods share, validated once.

use crate::error::MergeError;
use crate::info::Info;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::borrow::Cow;
use std::fmt;

macro_rules! unit_interval {
    ($(#[$doc:meta])* $name:ident, $quantity:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
        #[serde(try_from = "f64", into = "f64")]
        pub struct $name(f64);

        impl $name {
            /// The number as a plain f64.
            pub const fn get(self) -> f64 {
                self.0
            }
        }

        impl TryFrom<f64> for $name {
            type Error = MergeError;

            fn try_from(value: f64) -> Result<Self, MergeError> {
                if (0.0..=1.0).contains(&value) {
                    Ok(Self(value))
                } else {
                    Err(MergeError::OutOfRange { quantity: $quantity, got: value })
                }
            }
        }

        impl From<$name> for f64 {
            fn from(number: $name) -> f64 {
                number.0
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "number", "minimum": 0, "maximum": 1 })
            }
        }
    };
}

unit_interval! {
    /// The fraction of a task vector's entries that is kept, from 0 to 1; one minus the drop rate.
    Density, "a density"
}

unit_interval! {
    /// A position between two models, from 0 to 1.
    Fraction, "an interpolation fraction"
}

impl Density {
    /// Every entry is kept.
    pub const ONE: Self = Self(1.0);
}

/// One density for all experts, or one for each.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Densities {
    /// The same density for all experts.
    Same(Density),
    /// One density for each expert, in their order.
    PerExpert(Vec<Density>),
}

impl Default for Densities {
    fn default() -> Self {
        Self::Same(Density::ONE)
    }
}

impl From<Density> for Densities {
    fn from(density: Density) -> Self {
        Self::Same(density)
    }
}

impl Densities {
    /// The density of the expert with this index; `None` if there is no entry for it.
    pub fn of(&self, expert: usize) -> Option<Density> {
        match self {
            Self::Same(density) => Some(*density),
            Self::PerExpert(densities) => densities.get(expert).copied(),
        }
    }

    /// Demands an entry for each of `experts` experts.
    pub(crate) fn validate(&self, info: &Info, experts: usize) -> Result<(), MergeError> {
        match self {
            Self::Same(_) => Ok(()),
            Self::PerExpert(densities) => check_entries(info, "density", densities.len(), experts),
        }
    }

    /// The density of each expert; call [`Densities::validate`] first, missing entries are left out.
    pub(crate) fn resolve(&self, experts: usize) -> Vec<Density> {
        (0..experts).filter_map(|expert| self.of(expert)).collect()
    }
}

impl<'de> Deserialize<'de> for Densities {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Not an untagged enum: serde would answer every mistake with "did not match any variant".
        struct OneOrMany;

        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Densities;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a density from 0 to 1, or a list with one for each expert")
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Densities, E> {
                Density::try_from(value).map(Densities::Same).map_err(E::custom)
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Densities, E> {
                self.visit_f64(value as f64)
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Densities, E> {
                self.visit_f64(value as f64)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Densities, A::Error> {
                let mut densities = Vec::new();
                while let Some(density) = entries.next_element()? {
                    densities.push(density);
                }
                Ok(Densities::PerExpert(densities))
            }
        }

        deserializer.deserialize_any(OneOrMany)
    }
}

impl JsonSchema for Densities {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Densities".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = Density::json_schema(generator);
        json_schema!({ "anyOf": [one, { "type": "array", "items": one }] })
    }
}

/// Over what the largest entries of a task vector are selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum TrimScope {
    /// Each tensor keeps its own fraction.
    #[default]
    Tensor,
    /// The fraction is kept over all tensors of the model together.
    Model,
}

/// How the entries that survive a random drop make up for the dropped ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Rescale {
    /// Multiply by 1/density, so that the task vector keeps its mean.
    #[default]
    Density,
    /// Multiply so that the sum of magnitudes of each tensor's task vector is unchanged.
    L1,
    /// Leave them as they are.
    None,
}

/// Demands that `weights` is empty (defaults apply) or has one finite entry for each expert.
pub(crate) fn check_weights(info: &Info, weights: &[f32], experts: usize) -> Result<(), MergeError> {
    if !weights.is_empty() {
        check_entries(info, "weights", weights.len(), experts)?;
    }
    weights.iter().try_for_each(|&weight| check_finite(info, "weights", weight))
}

/// Demands a finite parameter.
pub(crate) fn check_finite(info: &Info, field: &'static str, value: f32) -> Result<(), MergeError> {
    if value.is_finite() {
        Ok(())
    } else {
        Err(MergeError::NonFiniteParameter { method: info.name, field, got: value })
    }
}

/// The weight of each expert: `weights`, or `default` for each if the list is empty.
pub(crate) fn resolve_weights(weights: &[f32], default: f32, experts: usize) -> Vec<f32> {
    if weights.is_empty() { vec![default; experts] } else { weights.to_vec() }
}

/// The sum of the weights, by which a normalised merge divides.
pub(crate) fn weight_sum(info: &Info, weights: &[f32]) -> Result<f64, MergeError> {
    let sum: f64 = weights.iter().copied().map(f64::from).sum();
    if sum.abs() < 1e-8 { Err(MergeError::ZeroWeightSum { method: info.name, sum }) } else { Ok(sum) }
}

fn check_entries(info: &Info, field: &'static str, got: usize, expected: usize) -> Result<(), MergeError> {
    if got == expected { Ok(()) } else { Err(MergeError::EntryCount { method: info.name, field, expected, got }) }
}
