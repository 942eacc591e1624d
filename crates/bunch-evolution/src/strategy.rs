//! What a strategy is: a way to find a row's model, in a pool, with an objective.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::AddAssign;

use bunch_checkpoint::StateDict;
use bunch_merging::{Info, Method};
use bunch_search::Evaluation;
use serde::{Deserialize, Serialize};

use crate::EvolutionError;
use crate::candidate::Candidate;
use crate::evaluations::Evaluations;
use crate::generated_data::{Data, DataNeed, Source};
use crate::members::Members;
use crate::objective::{Objective, Trainer};
use crate::strategies::fixed::BaseAs;
use crate::strategies::front::Fronts;

/// A way to find a model. The struct that implements it is its configuration: it derives serde's traits, denies unknown
/// fields, and leaves fields at their defaults out when it is written, so that a new one changes no address.
pub trait Strategy: fmt::Debug {
    /// The generated data that it looks at.
    fn data(&self) -> &[Data] {
        &[]
    }

    /// How much of that data, and from where, if any; `pairs` is the scale's K.
    fn need(&self, pairs: usize) -> Option<DataNeed> {
        (!self.data().is_empty()).then_some(DataNeed { pairs, source: Source::default() })
    }

    /// The merge methods that it uses: cells name their code, and pools whose experts have roles accept those that know
    /// them.
    fn methods(&self) -> Vec<Info> {
        Vec::new()
    }

    /// What finding a model costs in a pool of that many experts.
    fn cost(&self, experts: usize) -> Cost;

    /// Fails if it cannot run in a pool of that many experts.
    fn check(&self, experts: usize) -> Result<(), EvolutionError>;

    /// Takes the sizes that a scale sets.
    fn resize(&mut self, _sizes: &Sizes) {}

    /// The parameters whose values a scale may set, by name.
    fn grid_parameters(&self) -> Vec<&str> {
        Vec::new()
    }

    /// Whether finding the model trains one: that takes longer than anything else, so the model is cached.
    fn trains(&self) -> bool {
        false
    }

    /// Whether it reports losses of the merge that it found.
    fn reports_losses(&self) -> bool {
        false
    }

    /// Whether the model is the pool's base, whose task vector is zero.
    fn is_base(&self) -> bool {
        false
    }

    /// How the model is chosen, in words for a diagram.
    fn summary(&self) -> String;

    /// Finds the model. `name` keys the random streams; `progress` is called for every candidate that was scored.
    fn find(
        &self,
        environment: &Environment<'_>,
        name: &str,
        progress: &mut dyn FnMut(),
    ) -> Result<FoundModel, EvolutionError>;
}

/// What a strategy takes from the options of a command, which `bunch evolve` offers under its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByOptions {
    /// What it does, in half a sentence.
    pub summary: &'static str,
    /// Its settings that options give; the others have the values of the experiments. Without `parameters`, `merge` is the
    /// method with its parameters.
    pub settings: &'static [&'static str],
}

/// What a strategy finds a model with.
pub struct Environment<'a> {
    /// The pool's models.
    pub members: &'a Members,
    /// What candidates are scored on.
    pub objective: &'a dyn Objective,
    /// Who trains.
    pub trainer: &'a dyn Trainer,
    /// The fronts that rows of the pool share.
    pub fronts: &'a Fronts,
    /// Where scores of candidates are kept.
    pub evaluations: &'a dyn Evaluations,
    /// Seed of the random streams.
    pub seed: u64,
    /// Whether only the recipe of the found model is wanted: its weights are not made then.
    pub recipe_only: bool,
}

impl Environment<'_> {
    /// The weights of the merge that was found, if they are wanted.
    pub(crate) fn weights(&self, found: &Candidate<'_>) -> Result<StateDict, EvolutionError> {
        if self.recipe_only { Ok(StateDict::new()) } else { found.state_dict() }
    }
}

/// A model that a strategy found, and how.
#[derive(Debug)]
pub struct FoundModel {
    /// Its weights; empty where only the recipe is wanted.
    pub weights: StateDict,
    /// How it was found.
    pub found: Found,
    /// How it is merged, where one method merges all its tensors.
    pub merge: Option<FoundMerge>,
}

/// How a found model is merged from the members of the pool.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundMerge {
    /// The method with its parameters.
    pub method: Method,
    /// What the base is to it.
    pub base: BaseAs,
}

/// How a model was found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// Coefficients and losses by name.
    pub detail: BTreeMap<String, f64>,
    /// Every point that a search evaluated.
    pub trace: Vec<Evaluation>,
}

impl FoundMerge {
    /// A merge of the experts with the base as their reference.
    pub(crate) fn with_base(method: Method) -> Option<Self> {
        Some(Self { method, base: BaseAs::Reference })
    }
}

impl Found {
    /// Adds numbers to the detail.
    pub(crate) fn with<'a>(mut self, numbers: impl IntoIterator<Item = (&'a str, f64)>) -> Self {
        self.detail.extend(numbers.into_iter().map(|(name, number)| (name.to_owned(), number)));
        self
    }
}

/// Sizes that a scale sets; what is not set stays as the row says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sizes {
    /// Candidates of each search.
    pub evaluations: Option<usize>,
    /// Values of grids, by parameter.
    pub grid: BTreeMap<String, Vec<f64>>,
    /// Preferences that models are tuned on.
    pub preferences: Option<usize>,
    /// The most pairs, of generated data or of preferences, whatever the row says.
    pub max_pairs: Option<usize>,
}

/// What finding a model costs, by kind of work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Rough cost in candidates that are merged and scored: how often progress is reported.
    pub candidates: usize,
    /// Merges that are made.
    pub merges: usize,
    /// Losses of a candidate on all pairs of one kind of data.
    pub losses: usize,
    /// Candidates that answer the dev questions.
    pub dev_accuracies: usize,
    /// Candidates that answer the harmful dev prompts.
    pub dev_safeties: usize,
    /// Answers that preference tuning reads, the way back counted as two.
    pub tuning_reads: usize,
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.candidates += other.candidates;
        self.merges += other.merges;
        self.losses += other.losses;
        self.dev_accuracies += other.dev_accuracies;
        self.dev_safeties += other.dev_safeties;
        self.tuning_reads += other.tuning_reads;
    }
}
