//! Which number of a comparison a heat map shows.

use std::fmt;
use std::str::FromStr;

use super::error::ComparisonError;
use super::measures::Measures;

/// Which number of a comparison a heat map shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// [`Measures::cosine`].
    Cosine,
    /// [`Measures::relative_distance`].
    RelativeDistance,
    /// [`Measures::equal_share`].
    EqualShare,
    /// [`TaskVectorMeasures::cosine`](crate::compare::TaskVectorMeasures::cosine).
    TaskVectorCosine,
    /// [`TaskVectorMeasures::sign_agreement`](crate::compare::TaskVectorMeasures::sign_agreement).
    SignAgreement,
}

impl Quantity {
    /// All quantities.
    pub const ALL: [Self; 5] =
        [Self::Cosine, Self::RelativeDistance, Self::EqualShare, Self::TaskVectorCosine, Self::SignAgreement];

    /// The name on the command line, which [`FromStr`] understands.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cosine => "cosine",
            Self::RelativeDistance => "relative-distance",
            Self::EqualShare => "equal-share",
            Self::TaskVectorCosine => "task-vector-cosine",
            Self::SignAgreement => "sign-agreement",
        }
    }

    /// What it is, for a title.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Cosine => "Cosine of the weights",
            Self::RelativeDistance => "Relative distance |A - B| / |A|",
            Self::EqualShare => "Share of equal values",
            Self::TaskVectorCosine => "Cosine of the task vectors",
            Self::SignAgreement => "Share of equal signs in the task vectors",
        }
    }

    /// Whether it is about task vectors, which takes a base.
    pub const fn needs_base(self) -> bool {
        matches!(self, Self::TaskVectorCosine | Self::SignAgreement)
    }

    /// The number; None if the vectors have none.
    pub fn of(self, measures: &Measures) -> Option<f64> {
        match self {
            Self::Cosine => measures.cosine,
            Self::RelativeDistance => measures.relative_distance,
            Self::EqualShare => measures.equal_share,
            Self::TaskVectorCosine => measures.task_vectors?.cosine,
            Self::SignAgreement => measures.task_vectors?.sign_agreement,
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Quantity {
    type Err = ComparisonError;

    fn from_str(text: &str) -> Result<Self, ComparisonError> {
        Self::ALL.into_iter().find(|quantity| quantity.name() == text).ok_or_else(|| ComparisonError::UnknownQuantity {
            got: text.to_owned(),
            expected: Self::ALL.map(Self::name).join(", "),
        })
    }
}
