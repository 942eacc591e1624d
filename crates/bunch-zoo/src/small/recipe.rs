//! How each model of the small scale is made, as data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::FactDomain;
use crate::{MemberRecipe, MemberRecipes, Optimizer, StageRecipe};

/// `data/small/recipes.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmallRecipes {
    /// What the system says before every exchange but the guard's.
    pub system: String,
    /// The guard's system prompt.
    pub guard_system: String,
    /// Upper limit on the tokens of an answer and of a generated question, when measuring and when models are trained on
    /// the base's own answers.
    pub answer_tokens: usize,
    /// Temperature of generated questions.
    pub temperature: f32,
    /// Questions that may be asked for each pair of generated data that is wanted.
    pub patience: usize,
    /// Modules that no training changes, as [`Optimizer`] names them.
    #[serde(default)]
    pub freeze: Vec<String>,
    /// The models, parents before children.
    #[serde(rename = "member")]
    pub members: MemberRecipes<Shares>,
}

/// Shares of what is learned; they need not sum to 1.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Shares {
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

impl Shares {
    /// The shares with their names, in a fixed order.
    pub(crate) fn named(&self) -> [(&'static str, f64); 8] {
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

impl SmallRecipes {
    /// What all training has in common.
    pub(crate) fn optimizer(&self) -> Optimizer {
        Optimizer { betas: [0.9, 0.95], weight_decay: 0.0, save_every: 20, freeze: self.freeze.clone() }
    }

    /// Checks the file that `text` is.
    pub(crate) fn check(&self, text: &str, domains: &BTreeMap<String, FactDomain>) -> Result<(), String> {
        if self.answer_tokens == 0 {
            return Err("answer_tokens is at least 1".into());
        }
        self.members.check(text, &[], |member: &MemberRecipe<Shares>, stage: &StageRecipe<Shares>| {
            if let Some(domain) = member.domain.as_ref().filter(|domain| !domains.contains_key(*domain)) {
                let known: Vec<&str> = domains.keys().map(String::as_str).collect();
                return Err(format!("unknown domain `{domain}`: there are {}", known.join(", ")));
            }
            let shares = stage.mixture.named().map(|(_, share)| share);
            if shares.iter().any(|share| !share.is_finite() || *share < 0.0) || shares.iter().sum::<f64>() <= 0.0 {
                return Err("shares of a mixture are at least 0, and not all 0".into());
            }
            if member.domain.is_none() && stage.mixture.fact + stage.mixture.ask > 0.0 {
                return Err("it has no domain, whose facts it could learn".into());
            }
            Ok(())
        })
    }
}
