//! The folder of generated data: D_safety, D_expert, and how they came about.

use std::path::{Path, PathBuf};

use bunch_checkpoint::{atomic_write, sha256_file};
use bunch_journal::read_lines;
use bunch_lm::QuestionAnswer;
use bunch_synthesis::{DomainData, SafetyData};
use serde_json::{Map, Value, json};

use crate::AlignmentError;

/// D_safety: a line for each pair.
pub(crate) const SAFETY: &str = "safety.jsonl";
/// D_expert: a line for each pair.
pub(crate) const EXPERT: &str = "expert.jsonl";
/// What each stage kept and lost.
pub(crate) const STAGES: &str = "stages.json";
/// What the data follows from, and the hashes of its files.
pub(crate) const DATA: &str = "data.json";

/// The pairs of a folder of generated data.
#[derive(Debug, Clone, PartialEq)]
pub struct DataFolder {
    /// Unsafe questions with safe answers.
    pub safety: Vec<QuestionAnswer>,
    /// The experts' own questions and answers.
    pub expert: Vec<QuestionAnswer>,
    /// Hashes of both files.
    pub sha256: [String; 2],
}

impl DataFolder {
    /// Reads `safety.jsonl` and `expert.jsonl` of a folder, which need only say question and answer.
    ///
    /// # Errors
    /// A file that is missing, empty, or has a line without question or answer.
    pub fn read(folder: &Path) -> Result<Self, AlignmentError> {
        let [safety, expert] = [SAFETY, EXPERT].map(|name| folder.join(name));
        let sha256 = [sha256_file(&safety)?, sha256_file(&expert)?];
        Ok(Self { safety: read_pairs(&safety)?, expert: read_pairs(&expert)?, sha256 })
    }
}

fn read_pairs(path: &Path) -> Result<Vec<QuestionAnswer>, AlignmentError> {
    let mut pairs = Vec::new();
    for line in read_lines(path)? {
        let text = |name: &str| Ok::<_, AlignmentError>(line.text(path, name)?.to_owned());
        pairs.push(QuestionAnswer { question: text("question")?, answer: text("answer")? });
    }
    if pairs.is_empty() {
        return Err(AlignmentError::Unfit {
            path: path.to_owned(),
            expected: "a line with `question` and `answer` for each pair".into(),
            got: "none".into(),
            remedy: "make the data: bunch synthesize".into(),
        });
    }
    Ok(pairs)
}

/// Writes the files of a folder; the last one says that the others are complete.
pub(crate) fn write(
    folder: &Path,
    safety: &SafetyData,
    expert: &DomainData,
    identity: &Map<String, Value>,
) -> Result<(), AlignmentError> {
    let lines = |pairs: &mut dyn Iterator<Item = Value>| pairs.map(|pair| format!("{pair}\n")).collect::<String>();
    let mut of_safety = safety.pairs.iter().map(|pair| {
        json!({
            "question": pair.pair.question, "answer": pair.pair.answer,
            "category": pair.category, "answered_by": pair.answered_by,
        })
    });
    let mut of_experts = expert
        .pairs
        .iter()
        .map(|pair| json!({ "question": pair.pair.question, "answer": pair.pair.answer, "expert": pair.expert }));
    let stages = json!({ "safety": safety.stages, "expert": expert.stages });
    let files = [(SAFETY, lines(&mut of_safety)), (EXPERT, lines(&mut of_experts)), (STAGES, pretty(&stages))];
    let mut hashes = Map::new();
    for (name, text) in files {
        let path: PathBuf = folder.join(name);
        atomic_write(&path, text.as_bytes())?;
        hashes.insert(name.to_owned(), sha256_file(&path)?.into());
    }
    let mut identity = identity.clone();
    identity.insert("sha256".into(), hashes.into());
    Ok(atomic_write(&folder.join(DATA), pretty(&identity.into()).as_bytes())?)
}

/// JSON for people.
pub(crate) fn pretty(value: &Value) -> String {
    format!("{}\n", serde_json::to_string_pretty(value).expect("plain data"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn pairs_of_ones_own_are_data_too_and_a_line_without_answer_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        fs::write(path.join(SAFETY), "{\"question\":\"how ?\",\"answer\":\"no .\"}\n").unwrap();
        let missing = DataFolder::read(path).unwrap_err().to_string();
        assert!(missing.contains(EXPERT), "{missing}");
        fs::write(path.join(EXPERT), "").unwrap();
        let empty = DataFolder::read(path).unwrap_err().to_string();
        assert!(empty.contains("expert.jsonl: expected a line") && empty.ends_with("bunch synthesize"), "{empty}");
        fs::write(path.join(EXPERT), "{\"question\":\"what ?\"}\n").unwrap();
        let error = DataFolder::read(path).unwrap_err().to_string();
        assert!(error.contains("line 1") && error.contains("answer"), "{error}");
        fs::write(path.join(EXPERT), "{\"question\":\"what ?\",\"answer\":\"it .\",\"expert\":\"bio\"}\n").unwrap();
        let data = DataFolder::read(path).unwrap();
        assert_eq!((data.safety[0].answer.as_str(), data.expert[0].question.as_str()), ("no .", "what ?"));
    }
}
