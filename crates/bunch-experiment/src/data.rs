//! D_safety and D_expert of one pool, generated once and kept.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use bunch_checkpoint::{atomic_write, sha256_bytes};
use bunch_evaluation::QuestionAnswer;
use bunch_lm::LanguageModel;
use bunch_miniature::world::{self, HarmCategory, ask_harmful_prompt, ask_prompt};
use bunch_miniature::{MAX_ANSWER_TOKENS, Member};
use bunch_synthesis::{
    DomainData, DomainRequest, SafetyCategory, SafetyData, SafetyRequest, synthesize_domain, synthesize_safety,
};
use bunch_tuning::Silent;
use serde::{Deserialize, Serialize};

use crate::ExperimentError;
use crate::workbench::Workbench;

/// Temperature of generated questions. The paper uses 0.8 for models whose questions otherwise derail.
const TEMPERATURE: f32 = 1.0;

/// Questions that may be asked for each one wanted.
const PATIENCE: usize = 20;

/// The generated data of one pool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PoolData {
    pub(crate) safety: SafetyData,
    pub(crate) expert: DomainData,
}

/// Where a pool's data is kept, and what it is made of.
pub(crate) struct DataPlan {
    pub(crate) members: Vec<Member>,
    pub(crate) pairs: usize,
    pub(crate) path: PathBuf,
}

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
        let model =
            |member| -> Result<_, ExperimentError> { bench.model(&bench.zoo.model(member, &mut Silent)?.weights) };
        let names: Vec<String> = self.members.iter().map(ToString::to_string).collect();
        let models = self.members.iter().map(|&member| model(member)).collect::<Result<Vec<_>, _>>()?;
        let members: Vec<(&str, &dyn LanguageModel)> =
            names.iter().map(String::as_str).zip(models.iter().map(|m| m as &dyn LanguageModel)).collect();
        let guard = bench.guard()?;
        let categories: Vec<SafetyCategory> = HarmCategory::ALL
            .into_iter()
            .map(|category| SafetyCategory { name: category.title().into(), ask_prompt: ask_harmful_prompt(category) })
            .collect();
        let question = |text: &str| world::is_question(text).then(|| text.to_owned());
        let exclude: BTreeSet<String> = bench.harmful.iter().cloned().collect();
        let safety = synthesize_safety(&SafetyRequest {
            uncensored: &model(Member::Uncensored)?,
            members: &members,
            guard: &guard,
            format: bench.format(),
            categories: &categories,
            parse_question: &question,
            k: self.pairs,
            temperature: TEMPERATURE,
            max_new_tokens: MAX_ANSWER_TOKENS,
            seed: bench.seed,
            max_asked: PATIENCE * self.pairs,
            exclude: &exclude,
        })?;
        let prompts: Vec<String> = self.members[1..]
            .iter()
            .map(|member| match member {
                Member::Expert(domain) => Ok(ask_prompt(*domain)),
                other => Err(ExperimentError::Inconsistent {
                    path: "experiment".into(),
                    what: format!("`{other}` is no expert of a domain"),
                }),
            })
            .collect::<Result<_, _>>()?;
        let experts: Vec<(&str, &dyn LanguageModel, &str)> =
            members[1..].iter().zip(&prompts).map(|(&(name, model), prompt)| (name, model, prompt.as_str())).collect();
        let exclude = bench.test.values().flatten().map(|doc| doc.context.clone()).collect();
        let expert = synthesize_domain(&DomainRequest {
            experts: &experts,
            format: bench.format(),
            parse_question: &question,
            k: self.pairs,
            temperature: TEMPERATURE,
            max_new_tokens: MAX_ANSWER_TOKENS,
            seed: bench.seed,
            max_asked: PATIENCE * self.pairs,
            exclude: &exclude,
        })?;
        let short = |what: &str, got: usize, asked: u64| {
            let what = format!("{what} of {} (seed {})", names.join(" + "), bench.seed);
            if got < self.pairs {
                Err(ExperimentError::Shortfall { what, got, wanted: self.pairs, asked })
            } else {
                Ok(())
            }
        };
        short("D_safety", safety.pairs.len(), safety.stages.asked())?;
        short("D_expert", expert.pairs.len(), expert.stages.values().map(|stages| stages.asked()).sum())?;
        Ok(PoolData { safety, expert })
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
