//! What an experiment needs of the world whose models it merges: models by name, chat formats, test sets, and a rule of truth.

use std::collections::BTreeMap;
use std::sync::Arc;

use bunch_benchmark::MultipleChoiceDoc;
use bunch_checkpoint::StateDict;
use bunch_judging::{Exchange, GuardFormat, RefusalList, Verdict};
use bunch_llama::{LlamaConfig, LlamaModel};
use bunch_lm::{ChatFormat, TokenId};
use bunch_report::ModelUse;
use bunch_synthesis::SafetyCategory;
use bunch_tuning::{Observer, PreferenceExample};
use burn::tensor::Device;

use crate::ExperimentError;
use crate::costs::Costs;
use crate::declared::column::PromptSet;
use crate::declared::scale::Scale;

/// The model that every world has for writing unsafe questions.
pub(crate) const UNCENSORED: &str = "uncensored";

/// The model that every world has for judging exchanges.
pub(crate) const GUARD: &str = "guard";

/// The model of the second judge, in worlds that have one.
pub(crate) const SECOND_JUDGE: &str = "judge";

/// A trained model of a world.
pub(crate) struct Trained {
    pub(crate) weights: Arc<StateDict>,
    /// Hash of names, shapes and values of the weights.
    pub(crate) sha256: String,
}

/// What models are measured with. Test questions and prompts never occur in any data; grids are selected on dev questions.
pub(crate) struct EvaluationSets {
    /// Harmful test prompts.
    pub(crate) harmful: Vec<String>,
    /// Red-team test prompts.
    pub(crate) red_team: Vec<String>,
    /// Benign test prompts.
    pub(crate) benign: Vec<String>,
    /// Harmful dev prompts.
    pub(crate) dev_harmful: Vec<String>,
    /// Test questions by task.
    pub(crate) test: BTreeMap<String, Vec<MultipleChoiceDoc>>,
    /// Dev questions by task.
    pub(crate) dev: BTreeMap<String, Vec<MultipleChoiceDoc>>,
}

impl EvaluationSets {
    /// A set of harmful test prompts.
    pub(crate) fn prompts(&self, set: PromptSet) -> &[String] {
        match set {
            PromptSet::Harmful => &self.harmful,
            PromptSet::RedTeam => &self.red_team,
        }
    }
}

/// How models are asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    /// Upper limit on the tokens of an answer, and of a generated question.
    pub(crate) max_new_tokens: usize,
    /// Upper limit on the tokens of the guard's verdict.
    pub(crate) verdict_tokens: usize,
    /// Temperature of generated questions.
    pub(crate) temperature: f32,
    /// Questions that may be asked for each pair that is wanted.
    pub(crate) patience: usize,
}

/// One seed's world.
///
/// Everything it gives follows from the seed and the content addresses; its models share one architecture and one chat
/// format.
pub(crate) trait World: Send + Sync {
    /// Names of its models, parents before children; [`UNCENSORED`] and [`GUARD`] are among them.
    fn models(&self) -> Vec<String>;

    /// The model that training of `model` starts from, if it is one of [`World::models`].
    fn parent(&self, model: &str) -> Result<Option<String>, ExperimentError>;

    /// Content address of a model: a hash of everything it follows from.
    fn key(&self, model: &str) -> Result<String, ExperimentError>;

    /// Whether the model is trained already.
    fn is_cached(&self, model: &str) -> Result<bool, ExperimentError>;

    /// Steps that training it takes at most.
    fn steps(&self, model: &str) -> Result<usize, ExperimentError>;

    /// Removes it from the cache.
    fn forget(&self, model: &str) -> Result<(), ExperimentError>;

    /// The model, trained now if it never was; its parents likewise.
    fn trained(&self, model: &str, observer: &mut dyn Observer) -> Result<Trained, ExperimentError>;

    /// A model with the given weights on the world's device.
    fn language_model(&self, weights: &StateDict) -> Result<LlamaModel, ExperimentError>;

    /// Models and data that came from outside, for the manifest.
    fn sources(&self) -> Vec<ModelUse>;

    /// Hash of the source code and data that the world's part in a cell depends on, beside its models.
    fn code(&self) -> &str;

    /// The test and dev sets of the sizes that `scale` wants.
    fn evaluation_sets(&self, scale: &Scale) -> Result<EvaluationSets, ExperimentError>;

    /// The chat format of all models but the guard.
    fn format(&self) -> &dyn ChatFormat;

    /// The guard's format.
    fn guard_format(&self) -> &dyn GuardFormat;

    /// How models are asked.
    fn manner(&self) -> Manner;

    /// Rough costs.
    fn costs(&self) -> Costs;

    /// Jobs that may run side by side, where memory limits them.
    fn max_jobs(&self) -> Option<usize>;

    /// Categories of harm, each with the message that asks for a question.
    fn categories(&self) -> Vec<SafetyCategory>;

    /// The message that asks an expert for a question of its domain.
    fn ask_prompt(&self, expert: &str) -> Result<String, ExperimentError>;

    /// The question in what a model wrote, if there is one.
    fn parse_question(&self, text: &str) -> Option<String>;

    /// Which answers to benign prompts decline them.
    fn refusal_rule(&self) -> &RefusalList;

    /// The world's own verdict, by rule and without a model.
    fn truth(&self, exchange: &Exchange) -> Verdict;

    /// The category of harm that a prompt asks for, by its title.
    fn category(&self, _prompt: &str) -> Option<String> {
        None
    }

    /// Questions that nobody generated, of the dev split: harmful requests, or an expert's domain.
    ///
    /// # Errors
    /// A world that has none.
    fn real_questions(&self, what: RealQuestions<'_>, _count: usize) -> Result<Vec<String>, ExperimentError> {
        Err(lacking(format!("questions that were not generated ({what:?})")))
    }

    /// Preferences of the training split: refusing harmful requests over complying, complying with benign ones over refusing.
    ///
    /// # Errors
    /// A world that has none.
    fn preferences(&self, _count: usize) -> Result<Vec<PreferenceExample>, ExperimentError> {
        Err(lacking("preferences".into()))
    }

    /// What its models are trained with: their shape, and where.
    ///
    /// # Errors
    /// A world whose models are not trained on.
    fn tuning(&self) -> Result<(LlamaConfig, Device), ExperimentError> {
        Err(lacking("models to tune".into()))
    }

    /// Tokens of the verdicts `safe` and `unsafe`, for judges whose probabilities are read.
    ///
    /// # Errors
    /// A world without such a judge.
    fn verdict_words(&self) -> Result<[Vec<TokenId>; 2], ExperimentError> {
        Err(lacking("a second judge".into()))
    }
}

/// What a world is asked for that it does not have.
pub(crate) fn lacking(what: String) -> ExperimentError {
    ExperimentError::Inconsistent { path: "experiment".into(), what: format!("this world has no {what}") }
}

/// Which questions are wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RealQuestions<'a> {
    /// Harmful requests.
    Harmful,
    /// Questions of an expert's domain.
    Domain(&'a str),
}

/// A model and its ancestors, itself first.
pub(crate) fn line(world: &dyn World, model: &str) -> Result<Vec<String>, ExperimentError> {
    let mut line = vec![model.to_owned()];
    while let Some(parent) = world.parent(line.last().expect("not empty"))? {
        line.push(parent);
    }
    Ok(line)
}

/// Models without repetition, parents before children.
pub(crate) fn in_order(world: &dyn World, models: &[String]) -> Vec<String> {
    world.models().into_iter().filter(|model| models.contains(model)).collect()
}
