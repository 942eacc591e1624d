//! How the models of a curriculum are trained, as data.

use std::collections::BTreeSet;

use bunch_tuning::{Schedule, SftConfig};
use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::{Pin, ZooError};

/// A model and how it is trained; `M` says what is learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberRecipe<M> {
    /// Its name.
    pub name: String,
    /// The model that training starts from; what the curriculum starts from unless given.
    #[serde(default)]
    pub parent: Option<String>,
    /// The domain that it is an expert of.
    #[serde(default)]
    pub domain: Option<String>,
    /// Training runs, each from the weights that the one before it left.
    #[serde(rename = "stage")]
    pub stages: Vec<StageRecipe<M>>,
}

/// One training run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageRecipe<M> {
    /// Steps, at most.
    pub steps: usize,
    /// Examples per step.
    pub batch: usize,
    /// Learning rate after warm-up.
    pub peak: f64,
    /// Steps of warm-up.
    pub warmup: usize,
    /// The learning rate ends at this fraction of the peak.
    pub floor: f64,
    /// What is learned.
    pub mixture: M,
    /// Decay of the average of the weights that is looked at and kept; the last weights are, unless given.
    #[serde(default)]
    pub average: Option<f32>,
    /// What is looked at on the way.
    #[serde(default)]
    pub pin: Option<Pin>,
}

/// What the training of all models of a curriculum has in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Optimizer {
    /// AdamW's decay rates of the gradient's mean and square.
    pub betas: [f32; 2],
    /// Decoupled weight decay.
    pub weight_decay: f32,
    /// Steps between saved states.
    pub save_every: usize,
    /// Modules that no training changes, as [`SftConfig`] names them.
    #[serde(default)]
    pub freeze: Vec<String>,
}

impl<M> StageRecipe<M> {
    /// The optimisation.
    pub fn sft(&self, optimizer: &Optimizer, seed: u64) -> SftConfig {
        SftConfig {
            schedule: Schedule { peak: self.peak, warmup: self.warmup, steps: self.steps, floor: self.floor },
            batch_size: self.batch,
            micro_batch_size: 0,
            betas: optimizer.betas,
            weight_decay: optimizer.weight_decay,
            max_grad_norm: 1.0,
            check_every: self.pin.as_ref().map_or(0, |pin| pin.every),
            save_every: optimizer.save_every,
            seed,
            lora: None,
            freeze: optimizer.freeze.clone(),
            average: self.average,
        }
    }
}

/// Models that an experiment cannot do without.
const NEEDED: [&str; 2] = ["uncensored", "guard"];

/// The members of a curriculum, parents before children, with their places in the file that they were read from.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent, bound = "M: Deserialize<'de>")]
pub struct MemberRecipes<M>(Vec<Spanned<MemberRecipe<M>>>);

impl<M> MemberRecipes<M> {
    /// All of them, in file order.
    pub fn iter(&self) -> impl Iterator<Item = &MemberRecipe<M>> {
        self.0.iter().map(Spanned::get_ref)
    }

    /// The recipe of a model.
    ///
    /// # Errors
    /// A name that no member has.
    pub fn get(&self, name: &str) -> Result<&MemberRecipe<M>, ZooError> {
        let found = self.iter().find(|member| member.name == name);
        found.ok_or_else(|| ZooError::unknown("model", name, self.iter().map(|member| member.name.as_str())))
    }

    /// Checks the members of the file that `text` is; pins may look at `domains`, and
    /// `of_stage` checks what is learned.
    ///
    /// # Errors
    /// What is wrong and in which line.
    pub(crate) fn check(
        &self,
        text: &str,
        domains: &[String],
        of_stage: impl Fn(&MemberRecipe<M>, &StageRecipe<M>) -> Result<(), String>,
    ) -> Result<(), String> {
        let of_stage = |member: &MemberRecipe<M>, stage: &StageRecipe<M>| {
            if stage.steps == 0 {
                return Err("steps are at least 1".into());
            }
            stage.pin.as_ref().map_or(Ok(()), |pin| pin.check(domains))?;
            of_stage(member, stage)
        };
        let mut before: BTreeSet<&str> = BTreeSet::new();
        for member in &self.0 {
            let start = text.get(..member.span().start).unwrap_or_default();
            let line = 1 + start.matches('\n').count();
            let wrong = |what: String| format!("line {line}: `{}`: {what}", member.get_ref().name);
            check_member(member.get_ref(), &before, of_stage).map_err(wrong)?;
            before.insert(&member.get_ref().name);
        }
        match NEEDED.into_iter().find(|name| !before.contains(name)) {
            Some(missing) => Err(format!("there is no `{missing}`")),
            None => Ok(()),
        }
    }
}

/// Checks one member; `before` are the names of those before it.
fn check_member<M>(
    member: &MemberRecipe<M>,
    before: &BTreeSet<&str>,
    of_stage: impl Fn(&MemberRecipe<M>, &StageRecipe<M>) -> Result<(), String>,
) -> Result<(), String> {
    if let Some(parent) = member.parent.as_deref().filter(|parent| !before.contains(parent)) {
        let before: Vec<&str> = before.iter().copied().collect();
        let known = if before.is_empty() { "nothing".into() } else { before.join(", ") };
        return Err(format!("its parent `{parent}` does not stand before it, where there is {known}"));
    }
    if before.contains(member.name.as_str()) {
        return Err("it occurs twice".into());
    }
    member.stages.iter().try_for_each(|stage| of_stage(member, stage))
}
