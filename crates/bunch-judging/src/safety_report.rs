//! The safety report: how safe a model's responses are, how often it refuses, and how far its judges agree.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use bunch_statistics::Share;

use crate::{JudgeAgreement, Judgement, JudgingError, RefusalList, SafetyPrompt, Tally, Verdict};

/// What one judge said of each response.
#[derive(Debug, Clone, Copy)]
pub struct Judged<'a> {
    /// The judge's name.
    pub judge: &'a str,
    /// One judgement per response, in their order.
    pub judgements: &'a [Judgement],
}

/// A model's safety on a set of prompts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SafetyReport {
    /// Responses, one per prompt; all shares are over them, so that a prompt that occurs twice counts twice.
    pub responses: u64,
    /// Different requests among the prompts.
    pub distinct_prompts: u64,
    /// What each judge said.
    pub judges: Vec<JudgeReport>,
    /// What each refusal list found.
    pub refusals: Vec<RefusalReport>,
    /// How far each two judges agree.
    pub agreements: Vec<JudgeAgreement>,
}

/// One judge's verdicts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JudgeReport {
    /// The judge.
    pub judge: String,
    /// Of all responses.
    pub all: Tally,
    /// By the category of the prompt, where it has one.
    pub by_category: BTreeMap<String, Tally>,
    /// By the part of the set that the prompt belongs to, where there are parts.
    pub by_subset: BTreeMap<String, Tally>,
    /// Unsafe responses by the harm that the judge named; one response may count for several, or for none.
    pub harms: BTreeMap<String, u64>,
    /// Mean of P(unsafe), where it was measured for all responses.
    pub mean_p_unsafe: Option<f64>,
}

/// One refusal list's finds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefusalReport {
    /// The list.
    pub list: String,
    /// Refusals among all responses.
    pub all: Share,
    /// Refusals among all responses if typographic apostrophes count as the straight one, where that makes a difference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all_folded: Option<Share>,
    /// Refusals of prompts that are known to be unsafe, where refusing is right.
    pub of_unsafe_prompts: Option<Share>,
    /// Refusals of prompts that are known to be safe: over-refusal.
    pub of_safe_prompts: Option<Share>,
    /// By the category of the prompt, where it has one.
    pub by_category: BTreeMap<String, Share>,
}

impl SafetyReport {
    /// Counts what `judged` and `lists` say of the `responses` to `prompts`.
    ///
    /// # Errors
    /// No response, or another number of responses than of prompts or of a judge's judgements.
    pub fn new(
        prompts: &[SafetyPrompt],
        responses: &[String],
        judged: &[Judged<'_>],
        lists: &[RefusalList],
    ) -> Result<Self, JudgingError> {
        JudgingError::check_count("responses to the prompts", prompts.len(), responses.len())?;
        if responses.is_empty() {
            return Err(JudgingError::Empty { what: "responses" });
        }
        let requests: BTreeSet<String> = prompts.iter().map(SafetyPrompt::request).collect();
        let verdicts: Vec<Vec<Verdict>> =
            judged.iter().map(|judged| judged.judgements.iter().map(|judgement| judgement.verdict).collect()).collect();
        let mut agreements = Vec::new();
        for (index, second) in judged.iter().enumerate() {
            JudgingError::check_count("judgements of the responses", responses.len(), second.judgements.len())?;
            for (first, one) in judged.iter().zip(&verdicts).take(index) {
                agreements.push(JudgeAgreement::new((first.judge, one), (second.judge, &verdicts[index]))?);
            }
        }
        Ok(Self {
            responses: responses.len() as u64,
            distinct_prompts: requests.len() as u64,
            judges: judged.iter().filter_map(|judged| JudgeReport::new(prompts, judged)).collect(),
            refusals: lists.iter().filter_map(|list| RefusalReport::new(prompts, responses, list)).collect(),
            agreements,
        })
    }
}

impl JudgeReport {
    fn new(prompts: &[SafetyPrompt], judged: &Judged<'_>) -> Option<Self> {
        let verdicts = || judged.judgements.iter().map(|judgement| judgement.verdict);
        let by = |group: fn(&SafetyPrompt) -> Option<&String>| {
            let groups = grouped(prompts.iter().map(group).zip(verdicts()));
            groups.into_iter().filter_map(|(name, verdicts)| Some((name, Tally::of(verdicts)?))).collect()
        };
        let mut harms = BTreeMap::new();
        for code in judged.judgements.iter().flat_map(|judgement| &judgement.categories) {
            *harms.entry(code.clone()).or_default() += 1;
        }
        let probabilities: Option<Vec<f64>> = judged.judgements.iter().map(|judgement| judgement.p_unsafe).collect();
        Some(Self {
            judge: judged.judge.to_owned(),
            all: Tally::of(verdicts())?,
            by_category: by(|prompt| prompt.category.as_ref()),
            by_subset: by(|prompt| prompt.subset.as_ref()),
            harms,
            mean_p_unsafe: probabilities.map(|values| values.iter().sum::<f64>() / values.len() as f64),
        })
    }
}

impl RefusalReport {
    fn new(prompts: &[SafetyPrompt], responses: &[String], list: &RefusalList) -> Option<Self> {
        let refused: Vec<bool> = responses.iter().map(|response| list.is_refusal(response)).collect();
        let folded: Vec<bool> = responses.iter().map(|response| list.is_refusal_folded(response)).collect();
        let among = |is_unsafe: bool| {
            let pairs = prompts.iter().zip(&refused);
            Share::of(pairs.filter(|(prompt, _)| prompt.is_unsafe == Some(is_unsafe)).map(|(_, &refused)| refused))
        };
        let groups = grouped(prompts.iter().map(|prompt| prompt.category.as_ref()).zip(refused.iter().copied()));
        Some(Self {
            list: list.name.clone(),
            all: Share::of(refused.iter().copied())?,
            all_folded: Share::of(folded.iter().copied()).filter(|_| folded != refused),
            of_unsafe_prompts: among(true),
            of_safe_prompts: among(false),
            by_category: groups.into_iter().filter_map(|(name, refused)| Some((name, Share::of(refused)?))).collect(),
        })
    }
}

/// Values by the name of their group; those of none are left out.
fn grouped<'a, T>(pairs: impl Iterator<Item = (Option<&'a String>, T)>) -> BTreeMap<String, Vec<T>> {
    let mut groups: BTreeMap<String, Vec<T>> = BTreeMap::new();
    for (name, value) in pairs {
        if let Some(name) = name {
            groups.entry(name.clone()).or_default().push(value);
        }
    }
    groups
}

#[cfg(test)]
mod tests;
