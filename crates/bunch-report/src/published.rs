//! A paper's number and how it is known.

use serde::{Deserialize, Serialize};

/// How a published value is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// Printed in the paper.
    Printed,
    /// Reported by somebody else, not checked against the paper.
    SecondHand,
    /// Read off a figure.
    Digitised,
    /// The paper states it exists but not its value.
    NotFound,
}

impl How {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Printed => "printed",
            Self::SecondHand => "second-hand",
            Self::Digitised => "digitised",
            Self::NotFound => "not-found",
        }
    }

    /// The sign put after a value that is not simply printed.
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::Printed | Self::NotFound => "",
            Self::SecondHand => "†",
            Self::Digitised => "‡",
        }
    }
}

/// One published value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// Name of the row.
    pub row: String,
    /// Name of the column.
    pub column: String,
    /// Name of the block.
    pub block: String,
    /// The value in the column's unit; absent exactly if it was not found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// How it is known.
    pub how: How,
    /// Where it stands, as in `Table 1`.
    pub source: String,
}
