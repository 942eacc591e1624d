//! What a recipe says about a parameter, and what that means for one tensor.

use crate::problem::Location;
use std::collections::BTreeMap;

/// The parameters set at one level of a recipe, by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings(pub(crate) BTreeMap<String, Setting>);

impl Settings {
    /// The setting of a parameter.
    pub fn get(&self, name: &str) -> Option<&Setting> {
        self.0.get(name)
    }

    /// Names and settings in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Setting)> {
        self.0.iter().map(|(name, setting)| (name.as_str(), setting))
    }
}

/// What a recipe says about one parameter at one level.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// Its cases: the first that matches a tensor applies; one at least. A plain value or gradient is one case without a
    /// filter.
    pub cases: Vec<Case>,
    pub(crate) location: Location,
}

/// The values of a parameter for some tensors.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// What the tensor's name must contain; none and `*` match all.
    pub filter: Option<String>,
    /// One value, or several spread evenly over the layers of a slice; one at least.
    pub values: Vec<Scalar>,
}

/// One value of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// A finite number; whole for parameters that count.
    Number(f64),
    /// true or false.
    Boolean(bool),
    /// A word that the parameter knows.
    Word(String),
}

impl Setting {
    /// The value for a tensor at position `t` of its slice, from 0 (first layer) to 1 (last); `None` if no case matches.
    ///
    /// Between the values of a gradient numbers are interpolated linearly; of other values the one at or before `t`
    /// applies.
    pub fn evaluate(&self, tensor: &str, t: f64) -> Option<Scalar> {
        self.cases.iter().find(|case| case.matches(tensor))?.at(t)
    }

    /// The value, if it is the same for all tensors.
    pub fn constant(&self) -> Option<&Scalar> {
        match self.cases.as_slice() {
            [case] if case.matches_all() => match case.values.as_slice() {
                [value] => Some(value),
                _ => None,
            },
            _ => None,
        }
    }
}

impl Case {
    /// Whether all tensors match.
    pub(crate) fn matches_all(&self) -> bool {
        self.filter.as_deref().is_none_or(|filter| filter == "*")
    }

    fn matches(&self, tensor: &str) -> bool {
        self.matches_all() || self.filter.as_deref().is_some_and(|filter| tensor.contains(filter))
    }

    fn at(&self, t: f64) -> Option<Scalar> {
        let last = self.values.len().checked_sub(1)?;
        let scaled = t * last as f64;
        let index = (scaled as usize).min(last);
        let fraction = scaled - index as f64;
        match (self.values.get(index)?, self.values.get((index + 1).min(last))?) {
            (Scalar::Number(low), Scalar::Number(high)) => {
                Some(Scalar::Number((1.0 - fraction) * low + fraction * high))
            }
            (value, _) => Some(value.clone()),
        }
    }
}
