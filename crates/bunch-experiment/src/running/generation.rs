//! D_safety and D_expert of one pool, generated once and kept.

use std::collections::BTreeSet;

use bunch_evolution::{DataNeed, Source};
use bunch_lm::LanguageModel;
use bunch_synthesis::{DomainRequest, SafetyRequest, Stages, synthesize_domain, synthesize_safety};

use crate::ExperimentError;
use crate::declared::pool_names::{GUARD, HARMFUL, UNCENSORED};
use crate::declared::wire_name::wire_name;
use crate::recording::pool_data::PoolData;
use crate::seed_pool::SeedPool;

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
    pub(crate) fn make(&self, seed_pool: &SeedPool) -> Result<PoolData, ExperimentError> {
        let (form, generation) = (seed_pool.pool().question_form()?, seed_pool.generation());
        let max_new_tokens = seed_pool.max_new_tokens();
        let model = |member: &str| {
            let weights = seed_pool.weights(member)?;
            seed_pool.model(&*weights)
        };
        let models = self.members.iter().map(|member| model(member)).collect::<Result<Vec<_>, _>>()?;
        let members: Vec<(&str, &dyn LanguageModel)> =
            self.members.iter().map(String::as_str).zip(models.iter().map(|m| m as &dyn LanguageModel)).collect();
        let guard = seed_pool.judge(GUARD)?;
        let given = self.given(seed_pool)?;
        let k = self.need.pairs;
        let max_asked = generation.max_asked as usize * k;
        let question = |text: &str| form.question(text);
        let exclude: BTreeSet<String> = seed_pool.prompts(HARMFUL)?.texts.iter().cloned().collect();
        let safety = synthesize_safety(&SafetyRequest {
            uncensored: &model(UNCENSORED)?,
            members: &members,
            guard: &*guard,
            format: seed_pool.format(),
            uncensored_format: seed_pool.format(),
            categories: &seed_pool.pool().categories(UNCENSORED)?,
            parse_question: &question,
            k,
            temperature: generation.temperature,
            max_new_tokens,
            seed: seed_pool.seed,
            max_asked,
            exclude: &exclude,
            given: given.as_ref().map(|given| given.safety.as_slice()),
            keep_asking: &|_| true,
        })?;
        let prompts: Vec<String> =
            self.members[1..].iter().map(|member| seed_pool.pool().ask_prompt(member)).collect::<Result<_, _>>()?;
        let experts: Vec<(&str, &dyn LanguageModel, &str)> =
            members[1..].iter().zip(&prompts).map(|(&(name, model), prompt)| (name, model, prompt.as_str())).collect();
        let exclude = seed_pool.questions.values().flatten().cloned().collect();
        let expert = synthesize_domain(&DomainRequest {
            experts: &experts,
            format: seed_pool.format(),
            parse_question: &question,
            k,
            temperature: generation.temperature,
            max_new_tokens,
            seed: seed_pool.seed,
            max_asked,
            exclude: &exclude,
            given: given.as_ref().map(|given| given.expert.as_slice()),
            keep_asking: &|_| true,
        })?;
        self.check("D_safety", seed_pool.seed, safety.pairs.len(), &[&safety.stages])?;
        self.check("D_expert", seed_pool.seed, expert.pairs.len(), &expert.stages.values().collect::<Vec<_>>())?;
        Ok(PoolData { safety, expert })
    }

    /// Questions that are not generated: more than wanted, since some find no safe answer.
    fn given(&self, seed_pool: &SeedPool) -> Result<Option<Given>, ExperimentError> {
        let DataNeed { pairs, source } = self.need;
        if source == Source::Generated {
            return Ok(None);
        }
        let questions = |model: &str| {
            let given = seed_pool.pool().questions(model)?.into_iter().take(SPARE * pairs);
            Ok::<_, ExperimentError>(given.map(|question| question.request()).collect())
        };
        Ok(Some(Given {
            safety: questions(UNCENSORED)?,
            expert: self.members[1..].iter().map(|expert| questions(expert)).collect::<Result<_, _>>()?,
        }))
    }

    /// Refuses fewer pairs than wanted.
    fn check(&self, what: &str, seed: u64, got: usize, stages: &[&Stages]) -> Result<(), ExperimentError> {
        if got >= self.need.pairs {
            return Ok(());
        }
        let lost = Stages::lost(stages.iter().copied());
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
