//! What is wrong with a pool, a line each.

use std::fmt;
use std::path::PathBuf;

/// One thing that is wrong with a pool. Displayed as one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolProblem {
    /// The key of `pool.toml` that leads there, as in `member.openbio.model`.
    pub key: String,
    /// The file or folder in question.
    pub file: PathBuf,
    /// What belongs there.
    pub expected: String,
    /// What is there.
    pub got: String,
    /// What to do.
    pub remedy: String,
}

impl PoolProblem {
    pub(crate) fn new(
        key: impl Into<String>,
        file: impl Into<PathBuf>,
        (expected, got): (impl Into<String>, impl fmt::Display),
        remedy: impl Into<String>,
    ) -> Self {
        let got = one_line(&got.to_string());
        Self { key: key.into(), file: file.into(), expected: expected.into(), got, remedy: remedy.into() }
    }
}

impl fmt::Display for PoolProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, file, expected, got, remedy } = self;
        write!(f, "{key}: {}: expected {expected}, got {got}; {remedy}", file.display())
    }
}

/// The text with line breaks and indentation replaced by single spaces.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::PoolProblem;

    #[test]
    fn a_problem_is_one_line() {
        let problem = PoolProblem::new("tasks.bio", "bio.toml", ("a task", "an error\n  in line 3"), "correct it");
        assert_eq!(problem.to_string(), "tasks.bio: bio.toml: expected a task, got an error in line 3; correct it");
    }
}
