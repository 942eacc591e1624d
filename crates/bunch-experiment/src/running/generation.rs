//! D_safety and D_expert of one pool, generated once and kept.

use std::collections::{BTreeMap, BTreeSet};

use bunch_evolution::{DataNeed, Source};
use bunch_lm::LanguageModel;
use bunch_synthesis::{DomainRequest, DropReason, SafetyRequest, Stages, synthesize_domain, synthesize_safety};

use crate::ExperimentError;
use crate::declared::column::JudgeName;
use crate::declared::wire_name::wire_name;
use crate::recording::pool_data::PoolData;
use crate::workbench::Workbench;
use crate::world::{RealQuestions, UNCENSORED};

/// Questions that nobody generated.
struct Given {
    safety: Vec<String>,
    /// By expert.
    expert: Vec<Vec<String>>,
}

/// Questions that are given for each pair that is wanted.
const SPARE: usize = 2;

/// What a pool's data is generated with.
pub(crate) struct Generation<'a> {
    /// The models of the pool, the base first.
    pub(crate) members: &'a [String],
    pub(crate) need: DataNeed,
}

impl Generation<'_> {
    /// Generates the data; all models must have been trained before.
    pub(crate) fn make(&self, bench: &Workbench) -> Result<PoolData, ExperimentError> {
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
