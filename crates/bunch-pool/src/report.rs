//! What a check found: problems, and a summary of models and data.

use std::fmt;

use crate::PoolProblem;

/// What a check found. Displayed as the problems, a line each, and tables of models and data.
#[derive(Debug, Clone, PartialEq)]
pub struct PoolReport {
    /// The pool's title.
    pub title: String,
    /// Everything that is wrong.
    pub problems: Vec<PoolProblem>,
    /// The models that are there, members first.
    pub models: Vec<ModelSummary>,
    /// The prompts and tasks that could be read.
    pub data: Vec<DataSummary>,
}

/// A model of a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelSummary {
    /// Its name in the pool.
    pub name: String,
    /// What it is for.
    pub role: ModelRole,
    /// `architectures[0]` of config.json, or `model_type`.
    pub architecture: String,
    /// Number of values.
    pub parameters: u64,
    /// The dtypes of its tensors, as stored.
    pub dtypes: Vec<String>,
    /// Bytes of the weights' files.
    pub disk: u64,
}

/// What a model of a pool is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelRole {
    /// The member that task vectors are relative to.
    Base,
    /// A member.
    Member,
    /// A helper that judges.
    Judge,
    /// Any other helper.
    Helper,
}

/// A set of prompts, or a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataSummary {
    /// Its key, as in `prompts.harmful`.
    pub key: String,
    /// Prompts or questions of the test.
    pub test: Option<usize>,
    /// Prompts or questions for choices.
    pub dev: Option<usize>,
}

impl PoolReport {
    /// Bytes of all models on disk.
    pub fn disk(&self) -> u64 {
        self.models.iter().map(|model| model.disk).sum()
    }

    /// Bytes of all members in memory at 32 bits a value, as a search that merges them again and again holds them.
    pub fn members_memory(&self) -> u64 {
        let members = self.models.iter().filter(|model| matches!(model.role, ModelRole::Base | ModelRole::Member));
        members.map(|model| 4 * model.parameters).sum()
    }

    /// Bytes of the largest model in memory at 32 bits a value: what it takes to run one after the other.
    pub(crate) fn largest_memory(&self) -> u64 {
        self.models.iter().map(|model| 4 * model.parameters).max().unwrap_or(0)
    }
}

impl fmt::Display for ModelRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Base => "base",
            Self::Member => "member",
            Self::Judge => "judge",
            Self::Helper => "helper",
        })
    }
}

impl fmt::Display for PoolReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "{problem}")?;
        }
        writeln!(f, "{}{}", if self.problems.is_empty() { "" } else { "\n" }, self.title)?;
        let widest = |lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or(0);
        let name = widest(&mut self.models.iter().map(|model| model.name.len()));
        let architecture = widest(&mut self.models.iter().map(|model| model.architecture.len()));
        for model in &self.models {
            writeln!(
                f,
                "  {:name$}  {:6}  {:architecture$}  {:>8}  {:>9}  {}",
                model.name,
                model.role,
                model.architecture,
                count(model.parameters),
                bytes(model.disk),
                model.dtypes.join(", "),
            )?;
        }
        let key = widest(&mut self.data.iter().map(|data| data.key.len()));
        for data in &self.data {
            let counts = [("test", data.test), ("dev", data.dev)];
            let counts = counts.iter().filter_map(|(split, count)| Some(format!("{} {split}", (*count)?)));
            writeln!(f, "  {:key$}  {}", data.key, counts.collect::<Vec<_>>().join(", "))?;
        }
        writeln!(
            f,
            "  {} on disk; in memory {} for the largest model, {} for all members at once",
            bytes(self.disk()),
            bytes(self.largest_memory()),
            bytes(self.members_memory()),
        )?;
        match self.problems.len() {
            0 => writeln!(f, "  nothing is wrong"),
            1 => writeln!(f, "  1 problem"),
            problems => writeln!(f, "  {problems} problems"),
        }
    }
}

/// A number of values: `452 k`, `7.24 G`.
fn count(number: u64) -> String {
    scaled(number, &["", " k", " M", " G", " T"])
}

/// A number of bytes: `1.81 MB`.
fn bytes(number: u64) -> String {
    scaled(number, &[" B", " kB", " MB", " GB", " TB"])
}

fn scaled(number: u64, units: &[&str]) -> String {
    let (mut value, mut unit) = (number as f64, 0);
    while value >= 999.5 && unit + 1 < units.len() {
        (value, unit) = (value / 1000.0, unit + 1);
    }
    let decimals = if unit == 0 || value >= 99.95 {
        0
    } else if value >= 9.995 {
        1
    } else {
        2
    };
    format!("{value:.decimals$}{}", units[unit])
}

#[cfg(test)]
mod tests {
    use super::{bytes, count};

    #[test]
    fn numbers_have_three_digits() {
        let counts = [0, 999, 1000, 45_300, 451_968, 999_900, 7_241_000_000].map(count);
        assert_eq!(counts, ["0", "999", "1.00 k", "45.3 k", "452 k", "1.00 M", "7.24 G"]);
        assert_eq!(bytes(14_483_498_224), "14.5 GB");
    }
}
