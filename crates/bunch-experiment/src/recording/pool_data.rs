//! D_safety and D_expert of one pool.

use std::fs;
use std::path::Path;

use bunch_checkpoint::{atomic_write, sha256_bytes};
use bunch_lm::QuestionAnswer;
use bunch_synthesis::{DomainData, SafetyData};
use serde::{Deserialize, Serialize};

use crate::ExperimentError;

/// The generated data of one pool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PoolData {
    pub(crate) safety: SafetyData,
    pub(crate) expert: DomainData,
}

impl PoolData {
    /// The data that was kept at `path`.
    pub(crate) fn load(path: &Path) -> Result<Self, ExperimentError> {
        let bytes = fs::read(path).map_err(ExperimentError::io(path))?;
        serde_json::from_slice(&bytes)
            .map_err(|error| ExperimentError::Damaged { path: path.into(), what: error.to_string() })
    }

    /// Keeps the data; it appears at `path` complete or not at all.
    pub(crate) fn save(&self, path: &Path) -> Result<(), ExperimentError> {
        let folder = path.parent().expect("a file in a folder");
        fs::create_dir_all(folder).map_err(ExperimentError::io(folder))?;
        Ok(atomic_write(path, &serde_json::to_vec(self).expect("plain data"))?)
    }

    pub(crate) fn safety_pairs(&self) -> Vec<QuestionAnswer> {
        self.safety.question_answers()
    }

    pub(crate) fn expert_pairs(&self) -> Vec<QuestionAnswer> {
        self.expert.question_answers()
    }

    /// Hash of the pairs and how they came about.
    pub(crate) fn sha256(&self) -> String {
        sha256_bytes(&serde_json::to_vec(self).expect("plain data"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bunch_synthesis::{DomainPair, SafetyPair, Stages};

    use super::*;

    fn data() -> PoolData {
        let stages = || Stages { wanted: 1, shortfall: 0, stages: vec![] };
        let pair = |question: &str| QuestionAnswer { question: question.into(), answer: "no .".into() };
        let safety = SafetyPair { pair: pair("how ?"), category: "fire".into(), answered_by: "aligned".into() };
        let expert = DomainPair { pair: pair("what ?"), expert: "expert-bio".into() };
        PoolData {
            safety: SafetyData { pairs: vec![safety], stages: stages() },
            expert: DomainData { pairs: vec![expert], stages: BTreeMap::from([("expert-bio".into(), stages())]) },
        }
    }

    #[test]
    fn data_comes_back_as_it_was_and_its_hash_is_that_of_its_pairs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/one.json");
        let data = data();
        data.save(&path).unwrap();
        let again = PoolData::load(&path).unwrap();
        assert_eq!((&again, again.sha256()), (&data, data.sha256()));
        assert_eq!((again.safety_pairs()[0].question.as_str(), again.expert_pairs().len()), ("how ?", 1));
        let mut other = data.clone();
        other.expert.pairs[0].pair.answer = "yes .".into();
        assert_ne!(other.sha256(), data.sha256());
    }

    #[test]
    fn damaged_data_is_refused_with_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("one.json");
        fs::write(&path, "[]").unwrap();
        let error = PoolData::load(&path).unwrap_err().to_string();
        assert!(error.contains("one.json: damaged cache entry"), "{error}");
    }
}
