//! Parameters that several methods share, validated once.

use crate::error::MergeError;
use crate::info::Info;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

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
    /// The fraction of a task vector's entries, those of largest magnitude, that is dropped, from 0 to 1.
    OutlierFraction, "an outlier fraction"
}

unit_interval! {
    /// By how much the probabilities of keeping an entry differ from the density, at most, from 0 to 1.
    Spread, "a spread of probabilities"
}

unit_interval! {
    /// A position between two models, from 0 to 1.
    Fraction, "an interpolation fraction"
}

impl Density {
    /// Every entry is kept.
    pub const ONE: Self = Self(1.0);
    /// Every second entry is kept.
    pub(crate) const HALF: Self = Self(0.5);
    /// One entry in ten is kept.
    pub(crate) const TENTH: Self = Self(0.1);
}

impl OutlierFraction {
    /// One entry in a hundred is dropped.
    pub(crate) const HUNDREDTH: Self = Self(0.01);
}

impl Spread {
    /// mergekit's choice: probabilities differ by 0.3 between the smallest entry and the largest.
    pub(crate) const DEFAULT: Self = Self(0.15);
}

impl Fraction {
    /// In the middle.
    pub(crate) const HALF: Self = Self(0.5);
    /// SafeMERGE's share of the tuned model.
    pub(crate) const FOUR_FIFTHS: Self = Self(0.8);
}

/// A number that experts may share or have each its own.
pub trait PerExpertNumber: Copy + Into<f64> + TryFrom<f64, Error = MergeError> + JsonSchema {
    /// The field of configurations that holds it.
    const FIELD: &'static str;
    /// What is expected there, in words.
    const EXPECTED: &'static str;
}

impl PerExpertNumber for Density {
    const FIELD: &'static str = "density";
    const EXPECTED: &'static str = "a density from 0 to 1, or a list with one for each expert";
}

impl PerExpertNumber for OutlierFraction {
    const FIELD: &'static str = "gamma";
    const EXPECTED: &'static str = "an outlier fraction from 0 to 1, or a list with one for each expert";
}

impl PerExpertNumber for Spread {
    const FIELD: &'static str = "epsilon";
    const EXPECTED: &'static str = "a spread of probabilities from 0 to 1, or a list with one for each expert";
}

/// One number for all experts, or one for each.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum PerExpert<T> {
    /// The same number for all experts.
    Same(T),
    /// One number for each expert, in their order.
    PerExpert(Vec<T>),
}

/// One density for all experts, or one for each.
pub type Densities = PerExpert<Density>;

impl Default for Densities {
    fn default() -> Self {
        Self::Same(Density::ONE)
    }
}

impl<T> From<T> for PerExpert<T> {
    fn from(number: T) -> Self {
        Self::Same(number)
    }
}

impl<T: PerExpertNumber> PerExpert<T> {
    /// The number of the expert with this index; `None` if there is no entry for it.
    pub fn of(&self, expert: usize) -> Option<T> {
        match self {
            Self::Same(number) => Some(*number),
            Self::PerExpert(numbers) => numbers.get(expert).copied(),
        }
    }

    /// Demands an entry for each of `experts` experts.
    pub(crate) fn validate(&self, info: &Info, experts: usize) -> Result<(), MergeError> {
        match self {
            Self::Same(_) => Ok(()),
            Self::PerExpert(numbers) => check_entries(info, T::FIELD, numbers.len(), experts),
        }
    }

    /// The number of each expert; call [`PerExpert::validate`] first, missing entries are left out.
    pub(crate) fn resolve(&self, experts: usize) -> Vec<T> {
        (0..experts).filter_map(|expert| self.of(expert)).collect()
    }
}

impl<'de, T: PerExpertNumber + Deserialize<'de>> Deserialize<'de> for PerExpert<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Not an untagged enum: serde would answer every mistake with "did not match any variant".
        struct OneOrMany<T>(PhantomData<T>);

        impl<'de, T: PerExpertNumber + Deserialize<'de>> Visitor<'de> for OneOrMany<T> {
            type Value = PerExpert<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(T::EXPECTED)
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<PerExpert<T>, E> {
                T::try_from(value).map(PerExpert::Same).map_err(E::custom)
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<PerExpert<T>, E> {
                self.visit_f64(value as f64)
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<PerExpert<T>, E> {
                self.visit_f64(value as f64)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<PerExpert<T>, A::Error> {
                let mut numbers = Vec::new();
                while let Some(number) = entries.next_element()? {
                    numbers.push(number);
                }
                Ok(PerExpert::PerExpert(numbers))
            }
        }

        deserializer.deserialize_any(OneOrMany(PhantomData))
    }
}

impl<T: PerExpertNumber> JsonSchema for PerExpert<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("PerExpert{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = T::json_schema(generator);
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

/// Demands a finite parameter of 0 or more.
pub(crate) fn check_not_negative(info: &Info, field: &'static str, value: f32) -> Result<(), MergeError> {
    check_finite(info, field, value)?;
    if value >= 0.0 {
        Ok(())
    } else {
        let expected = "a number of 0 or more";
        Err(MergeError::Parameter { method: info.name, field, expected, got: value.to_string() })
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
