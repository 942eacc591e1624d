//! Domain data: questions of an expert's own domain with its own answers.

use crate::question::{Asker, Question};
use crate::{DropReason, StageName, Stages, SynthesisError};
use bunch_lm::{ChatFormat, Completion, LanguageModel, QuestionAnswer, Sampling, complete};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What domain data is made from, and how much of it.
pub struct DomainRequest<'a> {
    /// The N - 1 experts of the pool: distinct name, model, and the user's message that asks it for a question of its domain.
    pub experts: &'a [(&'a str, &'a dyn LanguageModel, &'a str)],
    /// The chat format that the experts share.
    pub format: &'a dyn ChatFormat,
    /// The question in what an expert wrote, such as a field of JSON; `None` if there is none.
    pub parse_question: &'a dyn Fn(&str) -> Option<String>,
    /// Pairs wanted of all experts together: each writes K / (N - 1), and the first ones one more where that leaves a rest. At
    /// least one per expert.
    pub k: usize,
    /// Temperature of the questions, above 0; answers are greedy.
    pub temperature: f32,
    /// Upper limit on the tokens of a question, and of an answer. A question of this length is dropped as cut off; an answer
    /// is kept as it is.
    pub max_new_tokens: usize,
    /// Every random choice follows from it.
    pub seed: u64,
    /// Questions that all experts together may be asked for before giving up, shared out as `k` is; at least `k`.
    pub max_asked: usize,
    /// Questions that must not occur, such as in-context ones and those of the evaluation.
    pub exclude: &'a BTreeSet<String>,
    /// For each expert questions that were collected, not generated: they are taken in order, and the expert only answers.
    pub given: Option<&'a [Vec<String>]>,
    /// Called after every round with what an expert's stages kept so far; `false` gives up on that expert.
    pub keep_asking: &'a dyn Fn(&Stages) -> bool,
}

/// An expert's question with its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DomainPair {
    /// The question and its answer.
    pub pair: QuestionAnswer,
    /// Name of the expert that wrote both.
    pub expert: String,
}

/// Generated domain data and how it came about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DomainData {
    /// The pairs, expert after expert, each in the order of asking; fewer than wanted where a shortfall is above 0.
    pub pairs: Vec<DomainPair>,
    /// What each stage kept and lost, by expert.
    pub stages: BTreeMap<String, Stages>,
}

impl DomainData {
    /// The pairs alone, for [`bunch_lm::answer_loss`].
    pub fn question_answers(&self) -> Vec<QuestionAnswer> {
        self.pairs.iter().map(|pair| pair.pair.clone()).collect()
    }

    /// Wanted pairs that are missing, over all experts.
    pub fn shortfall(&self) -> u64 {
        self.stages.values().map(|stages| stages.shortfall).sum()
    }
}

/// Generates D_expert (Hammoud et al. 2024, domain data) by self-questioning.
///
/// Each expert writes questions of its domain. What is cut off, empty, no question, excluded, or asked before by it or an
/// expert before it, is dropped; the expert answers the rest greedily, and a question with an empty answer is dropped. This
/// goes on until its share of `k` is there or its share of `max_asked` is spent.
///
/// # Errors
/// A request that cannot be met, or a model that fails.
pub fn synthesize_domain(request: &DomainRequest<'_>) -> Result<DomainData, SynthesisError> {
    let experts = request.experts.len();
    SynthesisError::require_distinct("experts", request.experts.iter().map(|&(name, _, _)| name))?;
    SynthesisError::require(request.k >= experts, "k", "at least one per expert", request.k)?;
    let mut data = DomainData { pairs: Vec::new(), stages: BTreeMap::new() };
    let mut seen = BTreeSet::new();
    for (index, &(expert, model, ask_prompt)) in request.experts.iter().enumerate() {
        let mut asker = Asker {
            name: expert,
            model,
            format: request.format,
            parse_question: request.parse_question,
            exclude: request.exclude,
            temperature: request.temperature,
            max_new_tokens: request.max_new_tokens,
            max_asked: share(request.max_asked, experts, index),
            seed: request.seed,
            path: &["domain", expert],
            given: request.given.map(|given| given[index].as_slice()),
            asked: 0,
        };
        let wanted = share(request.k, experts, index);
        asker.check(wanted)?;
        let names = [StageName::Question, StageName::Distinct, StageName::Answer, StageName::Wanted];
        let mut stages = Stages::new(wanted as u64, &names);
        while stages.shortfall > 0 {
            let Some(questions) = asker.next_round(|_| ask_prompt.to_owned(), &mut seen, &mut stages)? else { break };
            for (question, completion) in request.answers(expert, model, questions)? {
                let empty = completion.text.trim().is_empty();
                let answer = if empty { Err(DropReason::EmptyAnswer) } else { Ok(completion.text) };
                let Some(answer) = stages.record(StageName::Answer, answer) else { continue };
                let pair = QuestionAnswer { question: question.text, answer };
                let wanted = if stages.shortfall > 0 { Ok(pair) } else { Err(DropReason::Surplus) };
                let kept = stages.record(StageName::Wanted, wanted);
                data.pairs.extend(kept.map(|pair| DomainPair { pair, expert: expert.to_owned() }));
            }
            if !(request.keep_asking)(&stages) {
                break;
            }
        }
        data.stages.insert(expert.to_owned(), stages);
    }
    Ok(data)
}

/// Part number `index` of `total` in `parts` parts, the first ones one larger where that leaves a rest.
fn share(total: usize, parts: usize, index: usize) -> usize {
    total / parts + usize::from(index < total % parts)
}

impl DomainRequest<'_> {
    /// The questions with the expert's answers.
    fn answers(
        &self,
        expert: &str,
        model: &dyn LanguageModel,
        questions: Vec<Question>,
    ) -> Result<Vec<(Question, Completion)>, SynthesisError> {
        let prompts: Vec<String> = questions.iter().map(|question| question.text.clone()).collect();
        let completions = complete(model, self.format, &prompts, self.max_new_tokens, Sampling::Greedy)
            .map_err(SynthesisError::of(expert))?;
        Ok(questions.into_iter().zip(completions).collect())
    }
}

#[cfg(test)]
mod tests;
