//! What is wrong with a recipe, and where.

use std::fmt;
use std::sync::Arc;

/// Where a part of a recipe is written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Location {
    /// In a file, or whatever the text was given as.
    Text {
        /// Name of the file.
        file: Arc<str>,
        /// Line, counted from 1.
        line: usize,
        /// Column in characters, counted from 1.
        column: usize,
    },
    /// A whole file.
    File(Arc<str>),
    /// In an option of the command line, as written there.
    Option(Arc<str>),
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text { file, line, column } => write!(f, "{file}:{line}:{column}"),
            Self::File(place) | Self::Option(place) => write!(f, "{place}"),
        }
    }
}

/// One thing that is wrong with a recipe.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{location}: {}{fault}", if key.is_empty() { String::new() } else { format!("{key}: ") })]
pub struct Problem {
    /// Where it is.
    pub location: Location,
    /// The keys that lead there, as in `models[1].parameters.density`; empty at the top.
    pub key: String,
    /// What is wrong.
    pub fault: Fault,
}

/// What can be wrong.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Fault {
    /// The text is not of its notation.
    #[error("expected {notation}, got an error: {message}")]
    Syntax {
        /// `YAML` or `TOML`.
        notation: &'static str,
        /// What the parser says.
        message: String,
    },
    /// The file cannot be read.
    #[error("{message}")]
    Unreadable {
        /// What the system says.
        message: String,
    },
    /// What is read refuses the value.
    #[error("{message}")]
    Invalid {
        /// Why.
        message: String,
    },
    /// The value is of another kind, or outside its range.
    #[error("expected {expected}, got {got}")]
    Expected {
        /// What belongs here.
        expected: String,
        /// What is here.
        got: String,
    },
    /// Something that must be there is not.
    #[error("expected {expected}, got nothing")]
    Missing {
        /// What belongs here.
        expected: String,
    },
    /// There is no key, method or parameter of this name.
    #[error("unknown {what} `{got}`{}; expected {}", hint(.nearest.as_deref()), one_of(.known))]
    Unknown {
        /// What the name is for, as in `key`.
        what: String,
        /// The name.
        got: String,
        /// The known name that is most like it, if any is.
        nearest: Option<String>,
        /// The known names.
        known: Vec<String>,
    },
    /// Something is there twice.
    #[error("expected each {what} once, got `{got}` again after {first}")]
    Repeated {
        /// What it is, as in `key`.
        what: &'static str,
        /// Its name.
        got: String,
        /// Where it was first.
        first: Location,
    },
    /// A parameter that all models share is set on one of them.
    #[error(
        "expected it in `parameters` of the whole recipe, a module or a slice, as all models share it, got it on one model"
    )]
    Misplaced,
    /// The method refuses the parameters.
    #[error("expected parameters that the method takes, got an error: {message}")]
    Refused {
        /// What the method says.
        message: String,
    },
}

impl Fault {
    pub(crate) fn expected(expected: impl Into<String>, got: impl Into<String>) -> Self {
        Self::Expected { expected: expected.into(), got: got.into() }
    }
}

/// Everything that is wrong with a recipe, in the order of the text; at least one thing.
#[derive(Debug, Clone, PartialEq)]
pub struct RecipeProblems(pub Vec<Problem>);

impl fmt::Display for RecipeProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            write!(f, "{}{problem}", if index > 0 { "\n" } else { "" })?;
        }
        Ok(())
    }
}

impl std::error::Error for RecipeProblems {}

impl From<Problem> for RecipeProblems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default()
}

fn one_of(names: &[String]) -> String {
    match names {
        [] => "none".into(),
        names => format!("one of {}", names.join(", ")),
    }
}
