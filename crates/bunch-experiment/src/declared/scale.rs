//! What each scale of an experiment changes.

use std::collections::BTreeMap;

use bunch_evolution::Sizes;
use serde::{Deserialize, Serialize};

use crate::declared::pool_names::{BENIGN, RED_TEAM};

/// Which world's models are trained and merged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WorldKind {
    /// The small synthetic world: models of 450,000 parameters, trained from nothing.
    #[default]
    Miniature,
    /// A pretrained model that the user fetched, and what is fine-tuned from it.
    Small,
}

impl WorldKind {
    /// Absent in files and hashes where it says nothing new.
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What a scale changes: sizes, seeds, and which models and tasks stand for the paper's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scale {
    /// The world that models and tasks belong to.
    #[serde(default, skip_serializing_if = "WorldKind::is_default")]
    pub(crate) world: WorldKind,
    /// The pretrained model that a small world starts from, by its id in `data/models.toml`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) base: Option<String>,
    /// Pools of models that are there, by block, instead of a world whose models are trained: folders or files, seen from the
    /// checkout. A model stands for itself unless `models` says otherwise.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) pools: BTreeMap<String, String>,
    /// Whether grids are selected on the test questions, as the papers do; their pools have no others.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) select_on_test: bool,
    /// The blocks that are run; all unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) blocks: Option<Vec<String>>,
    /// Merges that each search may evaluate, instead of the rows' own number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) evaluations: Option<usize>,
    /// Values of the grids, by parameter, instead of the rows' own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) grid: BTreeMap<String, Vec<f64>>,
    /// Preferences that models are tuned on, instead of the rows' own number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) preferences: Option<usize>,
    /// What came out at this scale, instead of the experiment's analysis; not part of the experiment's identity either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) analysis: Option<String>,
    /// Seeds; each is a world of its own.
    pub(crate) seeds: Vec<u64>,
    /// K: pairs of D_safety, and of D_expert, for rows that do not say otherwise.
    pub(crate) pairs: usize,
    /// Harmful test prompts.
    pub(crate) harmful_prompts: usize,
    /// Red-team test prompts, for columns that ask them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) red_team_prompts: usize,
    /// Benign test prompts.
    pub(crate) benign_prompts: usize,
    /// Multiple-choice test questions per task.
    pub(crate) questions: usize,
    /// Multiple-choice dev questions per task, on which grids are selected.
    pub(crate) dev_questions: usize,
    /// The model of the pool that stands for each of the paper's models.
    pub(crate) models: BTreeMap<String, String>,
    /// The task of the pool that stands for each of the experiment's.
    pub(crate) tasks: BTreeMap<String, String>,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl Scale {
    /// Whether the scale runs the block of that name.
    pub(crate) fn runs(&self, block: &str) -> bool {
        self.blocks.as_ref().is_none_or(|blocks| blocks.iter().any(|name| name == block))
    }

    /// The sizes that strategies take from the scale.
    pub(crate) fn strategy_sizes(&self) -> Sizes {
        let Self { evaluations, preferences, grid, .. } = self;
        Sizes { evaluations: *evaluations, preferences: *preferences, grid: grid.clone(), max_pairs: None }
    }

    /// Test prompts of one of the pool's sets.
    pub(crate) fn prompt_count(&self, set: &str) -> usize {
        match set {
            BENIGN => self.benign_prompts,
            RED_TEAM => self.red_team_prompts,
            _ => self.harmful_prompts,
        }
    }

    /// All sizes of test sets, dev sets and data.
    pub(crate) fn sizes(&mut self) -> [&mut usize; 6] {
        [
            &mut self.pairs,
            &mut self.harmful_prompts,
            &mut self.red_team_prompts,
            &mut self.benign_prompts,
            &mut self.questions,
            &mut self.dev_questions,
        ]
    }
}
