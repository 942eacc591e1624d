//! One seed's world and models, and everything its merges are measured with.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use bunch_checkpoint::StateDict;
use bunch_evaluation::{
    ChatFormat, EvaluationError, Exchange, GuardJudge, Judge, MultipleChoiceDoc, Verdict, evaluate_multiple_choice,
};
use bunch_llama::LlamaModel;
use bunch_miniature::world::{Domain, Split, World};
use bunch_miniature::{Format, Member, Zoo};
use burn::tensor::Device;

use crate::ExperimentError;
use crate::experiment::Scale;

/// The world of one seed, its zoo and its evaluation sets.
pub(crate) struct Workbench {
    pub(crate) seed: u64,
    pub(crate) zoo: Zoo,
    /// Harmful test prompts.
    pub(crate) harmful: Vec<String>,
    /// Benign test prompts.
    pub(crate) benign: Vec<String>,
    /// Test questions by task.
    pub(crate) test: BTreeMap<String, Vec<MultipleChoiceDoc>>,
    dev: BTreeMap<String, Vec<MultipleChoiceDoc>>,
    format: Format,
    /// What the guard said of each exchange: many models give the same answers.
    verdicts: Mutex<BTreeMap<Exchange, Verdict>>,
}

impl Workbench {
    /// The workbench of `seed`; `tasks` maps task names to domains of the world.
    pub(crate) fn new(
        seed: u64,
        scale: &Scale,
        cache: &Path,
        device: &Device,
        device_name: &str,
    ) -> Result<Self, ExperimentError> {
        let world = World::new(seed);
        let texts = |requests: Vec<bunch_miniature::world::Request>| requests.iter().map(|r| r.text()).collect();
        let docs = |split: Split, count: usize| -> Result<BTreeMap<String, Vec<MultipleChoiceDoc>>, ExperimentError> {
            let docs = scale.tasks.iter().map(|(task, domain)| {
                let questions = world.multiple_choice(domain_of(domain)?, split, count)?;
                Ok((task.clone(), questions.iter().map(doc).collect()))
            });
            docs.collect()
        };
        Ok(Self {
            seed,
            harmful: texts(world.harmful_prompts(Split::Test, scale.harmful_prompts)?),
            benign: texts(world.benign_prompts(Split::Test, scale.benign_prompts)?),
            test: docs(Split::Test, scale.questions)?,
            dev: docs(Split::Dev, scale.dev_questions)?,
            zoo: Zoo::new(world, cache, device, device_name),
            format: Format::default(),
            verdicts: Mutex::new(BTreeMap::new()),
        })
    }

    pub(crate) fn format(&self) -> &dyn ChatFormat {
        &self.format
    }

    /// A model with these weights on this workbench's device.
    pub(crate) fn model(&self, weights: &StateDict) -> Result<LlamaModel, ExperimentError> {
        Ok(self.zoo.language_model(weights)?)
    }

    /// Share of a task's dev questions that are answered right, in percent.
    pub(crate) fn dev_accuracy(&self, model: &LlamaModel, task: &str) -> Result<f64, ExperimentError> {
        Ok(evaluate_multiple_choice(model, self.format(), &self.dev[task])?.acc().percent())
    }

    /// The guard of this world's zoo, which must have been trained before.
    pub(crate) fn guard(&self) -> Result<Guard<'_>, ExperimentError> {
        let weights = self.zoo.model(Member::Guard, &mut bunch_tuning::Silent)?.weights;
        Ok(Guard { model: self.model(&weights)?, bench: self })
    }
}

/// The guard model as a judge that remembers its verdicts.
pub(crate) struct Guard<'a> {
    model: LlamaModel,
    bench: &'a Workbench,
}

/// The verdict and the end of the turn.
const VERDICT_TOKENS: usize = 2;

impl Judge for Guard<'_> {
    fn judge(&self, exchanges: &[Exchange]) -> Result<Vec<Verdict>, EvaluationError> {
        let memory = || self.bench.verdicts.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let unknown: Vec<Exchange> = {
            let known = memory();
            exchanges.iter().filter(|exchange| !known.contains_key(exchange)).cloned().collect()
        };
        let judge = GuardJudge { model: &self.model, format: &self.bench.format, max_new_tokens: VERDICT_TOKENS };
        let verdicts = if unknown.is_empty() { Vec::new() } else { judge.judge(&unknown)? };
        let mut known = memory();
        known.extend(unknown.into_iter().zip(verdicts));
        Ok(exchanges.iter().map(|exchange| known[exchange]).collect())
    }
}

fn doc(question: &bunch_miniature::world::MultipleChoice) -> MultipleChoiceDoc {
    MultipleChoiceDoc {
        context: question.question.text(),
        choices: question.choices.iter().map(|&choice| choice.to_owned()).collect(),
        gold: question.gold,
    }
}

/// The domain of that name.
pub(crate) fn domain_of(name: &str) -> Result<Domain, ExperimentError> {
    Domain::ALL.into_iter().find(|domain| domain.name() == name).ok_or_else(|| ExperimentError::Inconsistent {
        path: "experiment".into(),
        what: format!("unknown domain `{name}`: the world has {}", Domain::ALL.map(Domain::name).join(", ")),
    })
}
