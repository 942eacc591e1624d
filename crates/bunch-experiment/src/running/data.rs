//! D_safety and D_expert of one pool, generated once and kept.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use bunch_checkpoint::{atomic_write, sha256_bytes};
use bunch_lm::{LanguageModel, QuestionAnswer};
use bunch_synthesis::{
    DomainData, DomainRequest, DropReason, SafetyData, SafetyRequest, Stages, synthesize_domain, synthesize_safety,
};
use serde::{Deserialize, Serialize};

use crate::ExperimentError;
use crate::declared::column::JudgeName;
use crate::weighting::{DataNeed, Source};
use crate::workbench::Workbench;
use crate::world::{RealQuestions, UNCENSORED};

/// The generated data of one pool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PoolData {
    pub(crate) safety: SafetyData,
    pub(crate) expert: DomainData,
}

/// Where a pool's data is kept, and what it is made of.
pub(crate) struct DataPlan {
    pub(crate) members: Vec<String>,
    pub(crate) need: DataNeed,
    pub(crate) path: PathBuf,
}

/// Questions that nobody generated.
struct Given {
    safety: Vec<String>,
    /// By expert.
    expert: Vec<Vec<String>>,
}

/// Questions that are given for each pair that is wanted.
const SPARE: usize = 2;

impl DataPlan {
    /// Reads the data, or generates and keeps it.
    pub(crate) fn load_or_make(&self, bench: &Workbench) -> Result<PoolData, ExperimentError> {
        if self.path.exists() {
            let bytes = fs::read(&self.path).map_err(ExperimentError::io(&self.path))?;
            return serde_json::from_slice(&bytes)
                .map_err(|error| ExperimentError::Damaged { path: self.path.clone(), what: error.to_string() });
        }
        let data = self.make(bench)?;
        let folder = self.path.parent().expect("a file in a folder");
        fs::create_dir_all(folder).map_err(ExperimentError::io(folder))?;
        atomic_write(&self.path, &serde_json::to_vec(&data).expect("plain data"))?;
        Ok(data)
    }

    fn make(&self, bench: &Workbench) -> Result<PoolData, ExperimentError> {
        let (world, manner) = (&bench.world, bench.world.manner());
        let model = |member: &str| {
            let weights = bench.weights(member)?;
            bench.model(&weights)
        };
        let models = self.members.iter().map(|member| model(member)).collect::<Result<Vec<_>, _>>()?;
        let members: Vec<(&str, &dyn LanguageModel)> =
            self.members.iter().map(String::as_str).zip(models.iter().map(|m| m as &dyn LanguageModel)).collect();
        let guard = bench.judge(JudgeName::Guard)?;
        let given = self.given(bench)?;
        let k = self.need.pairs;
        let question = |text: &str| world.parse_question(text);
        let exclude: BTreeSet<String> = bench.sets.harmful.iter().cloned().collect();
        let safety = synthesize_safety(&SafetyRequest {
            uncensored: &model(UNCENSORED)?,
            members: &members,
            guard: &*guard,
            format: bench.format(),
            categories: &world.categories(),
            parse_question: &question,
            k,
            temperature: manner.temperature,
            max_new_tokens: manner.max_new_tokens,
            seed: bench.seed,
            max_asked: manner.patience * k,
            exclude: &exclude,
            given: given.as_ref().map(|given| given.safety.as_slice()),
        })?;
        let prompts: Vec<String> =
            self.members[1..].iter().map(|member| world.ask_prompt(member)).collect::<Result<_, _>>()?;
        let experts: Vec<(&str, &dyn LanguageModel, &str)> =
            members[1..].iter().zip(&prompts).map(|(&(name, model), prompt)| (name, model, prompt.as_str())).collect();
        let exclude = bench.sets.test.values().flatten().map(|doc| doc.context.clone()).collect();
        let expert = synthesize_domain(&DomainRequest {
            experts: &experts,
            format: bench.format(),
            parse_question: &question,
            k,
            temperature: manner.temperature,
            max_new_tokens: manner.max_new_tokens,
            seed: bench.seed,
            max_asked: manner.patience * k,
            exclude: &exclude,
            given: given.as_ref().map(|given| given.expert.as_slice()),
        })?;
        self.check("D_safety", bench.seed, safety.pairs.len(), &[&safety.stages])?;
        self.check("D_expert", bench.seed, expert.pairs.len(), &expert.stages.values().collect::<Vec<_>>())?;
        Ok(PoolData { safety, expert })
    }

    /// Questions that are not generated: more than wanted, since some find no safe answer.
    fn given(&self, bench: &Workbench) -> Result<Option<Given>, ExperimentError> {
        let DataNeed { pairs, source } = self.need;
        if source == Source::Generated {
            return Ok(None);
        }
        let experts = &self.members[1..];
        let questions = |expert: &String| bench.world.real_questions(RealQuestions::Domain(expert), SPARE * pairs);
        Ok(Some(Given {
            safety: bench.world.real_questions(RealQuestions::Harmful, SPARE * pairs)?,
            expert: experts.iter().map(questions).collect::<Result<_, _>>()?,
        }))
    }

    /// Refuses fewer pairs than wanted.
    fn check(&self, what: &str, seed: u64, got: usize, stages: &[&Stages]) -> Result<(), ExperimentError> {
        if got >= self.need.pairs {
            return Ok(());
        }
        let mut lost: BTreeMap<DropReason, u64> = BTreeMap::new();
        for stage in stages.iter().flat_map(|stages| &stages.stages) {
            stage.dropped.iter().for_each(|(reason, count)| *lost.entry(*reason).or_default() += count);
        }
        let lost: Vec<String> = lost.iter().map(|(reason, count)| format!("{} {count}", wire_name(reason))).collect();
        Err(ExperimentError::Shortfall {
            what: format!("{what} of {} (seed {seed})", self.members.join(" + ")),
            got,
            wanted: self.need.pairs,
            asked: stages.iter().map(|stages| stages.asked()).sum(),
            lost: lost.join(", "),
        })
    }
}

impl PoolData {
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

/// The name a unit variant has in files.
pub(crate) fn wire_name(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
