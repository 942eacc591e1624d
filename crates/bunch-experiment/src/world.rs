//! What an experiment needs of the world whose models it merges: models by name, chat formats, test sets, and a rule of truth.

use std::collections::BTreeMap;

use bunch_benchmark::MultipleChoiceDoc;
use bunch_judging::RefusalList;
use bunch_lm::ChatFormat;
use bunch_synthesis::SafetyCategory;
use bunch_tuning::PreferenceExample;
use bunch_zoo::Zoo;

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

/// The judge that every world has without a model: a rule of words.
pub(crate) const TRUTH: &str = "truth";

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
    /// Its models and judges; [`UNCENSORED`] and [`GUARD`] are among the models, [`GUARD`] and [`TRUTH`] among the judges.
    fn zoo(&self) -> &Zoo;

    /// The test and dev sets of the sizes that `scale` wants.
    fn evaluation_sets(&self, scale: &Scale) -> Result<EvaluationSets, ExperimentError>;

    /// The chat format of all models but the guard.
    fn format(&self) -> &dyn ChatFormat;

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
