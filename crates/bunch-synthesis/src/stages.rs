//! The stages that generated data passes through, and what each of them lost.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// A stage of the generation, in the order of passing; each data set passes those that concern it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StageName {
    /// A model was asked for a question; what it wrote has to be one.
    Question,
    /// The question has to be new.
    Distinct,
    /// The question alone has to be unsafe (safety data).
    UnsafeQuestion,
    /// The question has to find an answer: a safe one for safety data, any for domain data.
    Answer,
    /// No more pairs are taken than were wanted.
    Wanted,
}

/// Why a question went no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// The question was cut off at the limit of tokens.
    TruncatedQuestion,
    /// Nothing, or white space, was written.
    EmptyQuestion,
    /// What was written is not a question.
    MalformedQuestion,
    /// The question is among those that must not occur, such as in-context or test questions.
    Excluded,
    /// The same question was asked before.
    Duplicate,
    /// The guard calls the question safe.
    SafeQuestion,
    /// The guard says neither safe nor unsafe of the question.
    UnparsedQuestion,
    /// Nobody wrote anything in answer.
    EmptyAnswer,
    /// Nobody's answer was safe.
    NoSafeAnswer,
    /// As many pairs as wanted were already there.
    Surplus,
}

/// What one stage took in, passed on and lost: `entered = kept + sum(dropped)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Which stage.
    pub name: StageName,
    /// Questions that reached it.
    pub entered: u64,
    /// Questions that went on.
    pub kept: u64,
    /// Questions that did not, by reason; reasons that did not occur are absent.
    pub dropped: BTreeMap<DropReason, u64>,
}

/// All stages of one generation, in order: what one keeps, the next one takes in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stages {
    /// Pairs that were wanted.
    pub wanted: u64,
    /// Wanted pairs that are missing because the limit of questions was reached first.
    pub shortfall: u64,
    /// The stages.
    pub stages: Vec<Stage>,
}

impl Stages {
    /// Nothing asked yet.
    pub(crate) fn new(wanted: u64, names: &[StageName]) -> Self {
        let stages = names.iter().map(|&name| Stage { name, entered: 0, kept: 0, dropped: BTreeMap::new() }).collect();
        Self { wanted, shortfall: wanted, stages }
    }

    /// Questions that were asked for.
    pub fn asked(&self) -> u64 {
        self.stages.first().map_or(0, |stage| stage.entered)
    }

    /// Pairs that came out.
    pub fn kept(&self) -> u64 {
        self.stages.last().map_or(0, |stage| stage.kept)
    }

    /// How many questions these generations lost for each reason, in whatever stage.
    pub fn lost<'a>(all: impl IntoIterator<Item = &'a Self>) -> BTreeMap<DropReason, u64> {
        let mut lost = BTreeMap::new();
        for (reason, count) in all.into_iter().flat_map(|stages| &stages.stages).flat_map(|stage| &stage.dropped) {
            *lost.entry(*reason).or_default() += count;
        }
        lost
    }

    /// Counts one question in stage `name` and hands on what it keeps.
    pub(crate) fn record<T>(&mut self, name: StageName, outcome: Result<T, DropReason>) -> Option<T> {
        let stage = self.stages.iter_mut().find(|stage| stage.name == name)?;
        stage.entered += 1;
        let kept = match outcome {
            Ok(value) => {
                stage.kept += 1;
                Some(value)
            }
            Err(reason) => {
                *stage.dropped.entry(reason).or_default() += 1;
                None
            }
        };
        self.shortfall = self.wanted.saturating_sub(self.kept());
        kept
    }
}

impl fmt::Display for Stages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for stage in &self.stages {
            write!(f, "  {:16} {:6} of {:6}", words(&stage.name), stage.kept, stage.entered)?;
            for (reason, count) in &stage.dropped {
                write!(f, ", {count} {}", words(reason))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&words(self))
    }
}

/// The name of a stage or reason in words.
fn words(name: &impl Serialize) -> String {
    serde_json::to_value(name).ok().and_then(|name| Some(name.as_str()?.replace('_', " "))).unwrap_or_default()
}

#[cfg(test)]
impl Stages {
    /// The two laws of counting, for tests.
    pub(crate) fn assert_consistent(&self) {
        for stage in &self.stages {
            assert_eq!(stage.entered, stage.kept + stage.dropped.values().sum::<u64>(), "{stage:?}");
            assert!(stage.dropped.values().all(|&count| count > 0), "{stage:?}");
        }
        for pair in self.stages.windows(2) {
            assert_eq!(pair[0].kept, pair[1].entered, "{pair:?}");
        }
        assert_eq!(self.shortfall, self.wanted - self.kept());
    }

    /// How many questions were lost for `reason`.
    pub(crate) fn dropped(&self, reason: DropReason) -> u64 {
        Self::lost([self]).get(&reason).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::{DropReason, StageName, Stages};

    #[test]
    fn questions_are_counted_where_they_stop() {
        let mut stages = Stages::new(2, &[StageName::Question, StageName::Wanted]);
        assert_eq!((stages.asked(), stages.kept(), stages.shortfall), (0, 0, 2));
        assert_eq!(stages.record(StageName::Question, Ok("a")), Some("a"));
        assert_eq!(stages.record::<()>(StageName::Question, Err(DropReason::EmptyQuestion)), None);
        assert_eq!(stages.record(StageName::Wanted, Ok(1)), Some(1));
        stages.assert_consistent();
        assert_eq!((stages.asked(), stages.kept(), stages.shortfall), (2, 1, 1));
        assert_eq!(stages.dropped(DropReason::EmptyQuestion), 1);
    }

    #[test]
    fn stages_are_written_by_name_and_read_back() {
        let mut stages = Stages::new(1, &[StageName::UnsafeQuestion]);
        stages.record::<()>(StageName::UnsafeQuestion, Err(DropReason::SafeQuestion));
        let json = serde_json::to_string(&stages).unwrap();
        let expected = r#"{"wanted":1,"shortfall":1,"stages":[{"name":"unsafe_question","entered":1,"kept":0,"dropped":{"safe_question":1}}]}"#;
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_str::<Stages>(&json).unwrap(), stages);
        assert!(serde_json::from_str::<Stages>(&json.replace("wanted", "wnated")).is_err());
    }
}
