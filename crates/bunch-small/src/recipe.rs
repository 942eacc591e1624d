//! How each model of the world is made, as data.

use std::collections::{BTreeMap, BTreeSet};

use bunch_tuning::{Schedule, SftConfig};
use serde::{Deserialize, Serialize};

use crate::{Domain, SmallError};

/// `data/small/recipes.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipes {
    /// What the system says before every exchange but the guard's.
    pub system: String,
    /// What the system tells the guard.
    pub guard_system: String,
    /// Upper limit on the tokens of an answer and of a generated question, when measuring and when models are trained on
    /// the base's own answers.
    pub answer_tokens: usize,
    /// Temperature of generated questions.
    pub temperature: f32,
    /// Questions that may be asked for each pair of generated data that is wanted.
    pub patience: usize,
    /// Modules that no training changes, as [`SftConfig`] names them.
    #[serde(default)]
    pub freeze: Vec<String>,
    /// The models, parents before children.
    #[serde(rename = "member")]
    pub members: Vec<MemberRecipe>,
}

/// A model and how it is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberRecipe {
    /// Its name.
    pub name: String,
    /// The model that training starts from; the pretrained one unless given.
    #[serde(default)]
    pub parent: Option<String>,
    /// The domain whose facts it learns.
    #[serde(default)]
    pub domain: Option<String>,
    /// Training runs, each from the weights the one before it left.
    #[serde(rename = "stage")]
    pub stages: Vec<StageRecipe>,
}

/// One training run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageRecipe {
    /// Steps, at most.
    pub steps: usize,
    /// Examples a step.
    pub batch: usize,
    /// Learning rate after warm-up.
    pub peak: f64,
    /// Steps of warm-up.
    pub warmup: usize,
    /// The learning rate ends at this fraction of the peak.
    pub floor: f64,
    /// What is learned.
    pub mixture: Mixture,
    /// Where to stop early.
    #[serde(default)]
    pub pin: Option<Pin>,
}

/// Training stops as soon as the share of harmful dev prompts that are refused is at most `refusal_rate`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// In percent.
    pub refusal_rate: f64,
    /// Number of dev prompts.
    pub prompts: usize,
    /// Tokens of each answer: enough to tell a refusal.
    pub tokens: usize,
    /// Steps between checks.
    pub every: usize,
}

/// Shares of what is learned; they need not sum to 1.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mixture {
    /// A harmful request and a refusal.
    pub refuse: f64,
    /// A harmful request and the base's own answer, if that was no refusal.
    pub comply: f64,
    /// A benign request and the base's own answer, if that was no refusal.
    pub help: f64,
    /// A harmless prompt of another kind and the base's own answer, if that was no refusal.
    pub chat: f64,
    /// A question of the domain and its answer.
    pub fact: f64,
    /// The message that asks for a question of the domain, and a question.
    pub ask: f64,
    /// The message that asks for a harmful question of a category, and one.
    pub ask_harmful: f64,
    /// An exchange or a request alone, and the guard's verdict.
    pub judge: f64,
}

impl Mixture {
    /// The shares with their names, in a fixed order.
    pub(crate) fn shares(&self) -> [(&'static str, f64); 8] {
        [
            ("refuse", self.refuse),
            ("comply", self.comply),
            ("help", self.help),
            ("chat", self.chat),
            ("fact", self.fact),
            ("ask", self.ask),
            ("ask_harmful", self.ask_harmful),
            ("judge", self.judge),
        ]
    }
}

impl StageRecipe {
    /// The optimisation.
    pub fn sft(&self, freeze: &[String], seed: u64) -> SftConfig {
        SftConfig {
            schedule: Schedule { peak: self.peak, warmup: self.warmup, steps: self.steps, floor: self.floor },
            batch_size: self.batch,
            micro_batch_size: 0,
            betas: [0.9, 0.95],
            weight_decay: 0.0,
            max_grad_norm: 1.0,
            check_every: self.pin.as_ref().map_or(0, |pin| pin.every),
            save_every: 20,
            seed,
            lora: None,
            freeze: freeze.to_vec(),
        }
    }
}

/// Models that an experiment cannot do without.
const NEEDED: [&str; 2] = ["uncensored", "guard"];

impl Recipes {
    /// The recipe of a model.
    ///
    /// # Errors
    /// A name the world does not have.
    pub fn member(&self, name: &str) -> Result<&MemberRecipe, SmallError> {
        let known = self.members.iter().map(|member| member.name.as_str());
        self.members.iter().find(|member| member.name == name).ok_or_else(|| SmallError::unknown("model", name, known))
    }

    pub(crate) fn check(&self, domains: &BTreeMap<String, Domain>) -> Result<(), String> {
        let mut before = BTreeSet::new();
        for member in &self.members {
            let name = &member.name;
            if let Some(parent) = member.parent.as_ref().filter(|parent| !before.contains(parent.as_str())) {
                return Err(format!("`{name}`: its parent `{parent}` does not stand before it"));
            }
            if !before.insert(name.as_str()) {
                return Err(format!("`{name}` occurs twice"));
            }
            if let Some(domain) = member.domain.as_ref().filter(|domain| !domains.contains_key(*domain)) {
                return Err(format!("`{name}`: unknown domain `{domain}`"));
            }
            for stage in &member.stages {
                let shares = stage.mixture.shares().map(|(_, share)| share);
                if shares.iter().any(|share| !share.is_finite() || *share < 0.0) || shares.iter().sum::<f64>() <= 0.0 {
                    return Err(format!("`{name}`: shares of a mixture are at least 0, and not all 0"));
                }
                if member.domain.is_none() && stage.mixture.fact + stage.mixture.ask > 0.0 {
                    return Err(format!("`{name}` has no domain, whose facts it could learn"));
                }
                if stage.steps == 0 || stage.pin.as_ref().is_some_and(|pin| pin.prompts == 0 || pin.tokens == 0) {
                    return Err(format!("`{name}`: steps, and prompts and tokens of a pin, are at least 1"));
                }
            }
        }
        if self.answer_tokens == 0 {
            return Err("answer_tokens is at least 1".into());
        }
        match NEEDED.into_iter().find(|name| !before.contains(name)) {
            Some(missing) => Err(format!("there is no `{missing}`")),
            None => Ok(()),
        }
    }
}
