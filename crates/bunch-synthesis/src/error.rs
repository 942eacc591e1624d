//! What can go wrong while data is generated.

use bunch_judging::JudgingError;

/// Why no data was generated.
#[derive(Debug, thiserror::Error)]
pub enum SynthesisError {
    /// A model or judge failed.
    #[error("{model}: {source}")]
    Model {
        /// Its name in the request: `uncensored`, `guard`, or the member's or expert's own.
        model: String,
        /// What happened.
        source: JudgingError,
    },
    /// A request that cannot be met.
    #[error("{field}: expected {expected}, got {got}")]
    Request {
        /// The field.
        field: &'static str,
        /// What it may hold.
        expected: &'static str,
        /// What it holds.
        got: String,
    },
}

impl SynthesisError {
    /// Says which model an error came from; for `map_err`.
    pub(crate) fn of<E: Into<JudgingError>>(model: &str) -> impl Fn(E) -> Self {
        move |source| Self::Model { model: model.to_owned(), source: source.into() }
    }

    /// Refuses a request unless `holds`.
    pub(crate) fn require(
        holds: bool,
        field: &'static str,
        expected: &'static str,
        got: impl ToString,
    ) -> Result<(), Self> {
        if holds { Ok(()) } else { Err(Self::Request { field, expected, got: got.to_string() }) }
    }

    /// Refuses names that are missing or occur twice: data names the model that wrote it.
    pub(crate) fn require_distinct<'a>(field: &'static str, names: impl Iterator<Item = &'a str>) -> Result<(), Self> {
        let mut seen = std::collections::BTreeSet::new();
        for name in names {
            Self::require(seen.insert(name), field, "distinct names", format!("`{name}` twice"))?;
        }
        Self::require(!seen.is_empty(), field, "at least one", "none")
    }
}
