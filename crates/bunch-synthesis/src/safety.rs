//! Safety data: unsafe questions, each with a refusal that a member of the pool wrote.

use crate::question::{Asker, Question};
use crate::{DropReason, StageName, Stages, SynthesisError};
use bunch_judging::{Exchange, Judge, JudgingError, Verdict};
use bunch_lm::{ChatFormat, LanguageModel, QuestionAnswer, Sampling, complete};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A category of harm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SafetyCategory {
    /// Its name, unique in a request.
    pub name: String,
    /// The user's message that asks the uncensored model for a question of this category.
    pub ask_prompt: String,
}

/// What safety data is made from, and how much of it.
pub struct SafetyRequest<'a> {
    /// Writes the unsafe questions.
    pub uncensored: &'a dyn LanguageModel,
    /// The pool: models that answer, by distinct names; at least one.
    pub members: &'a [(&'a str, &'a dyn LanguageModel)],
    /// Says which questions, asked alone, are unsafe and which replies are safe.
    pub guard: &'a dyn Judge,
    /// The chat format that the members share.
    pub format: &'a dyn ChatFormat,
    /// The chat format of the uncensored model.
    pub uncensored_format: &'a dyn ChatFormat,
    /// The categories that questions are drawn from, each as likely as another; 14 in the paper.
    pub categories: &'a [SafetyCategory],
    /// The question in what the uncensored model wrote, such as a field of JSON; `None` if there is none.
    pub parse_question: &'a dyn Fn(&str) -> Option<String>,
    /// Pairs wanted, at least 1.
    pub k: usize,
    /// Temperature of the questions, above 0; answers are greedy.
    pub temperature: f32,
    /// Upper limit on the tokens of a question, and of an answer. A question of this length is dropped as cut off; an answer
    /// is kept as it is.
    pub max_new_tokens: usize,
    /// Every random choice follows from it.
    pub seed: u64,
    /// Questions that may be asked for before giving up, at least `k`.
    pub max_asked: usize,
    /// Questions that must not occur, such as those of the evaluation.
    pub exclude: &'a BTreeSet<String>,
    /// Questions that were collected, not generated: they are taken in order, and the uncensored model is not asked.
    pub given: Option<&'a [String]>,
    /// Called after every round with what the stages kept so far; `false` gives up.
    pub keep_asking: &'a dyn Fn(&Stages) -> bool,
}

/// The category of questions that were given.
const GIVEN: &str = "given";

/// An unsafe question with a safe answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SafetyPair {
    /// The question and its answer.
    pub pair: QuestionAnswer,
    /// Name of the category that was asked for; `given` if the question was not generated.
    pub category: String,
    /// Name of the member that answered.
    pub answered_by: String,
}

/// Generated safety data and how it came about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SafetyData {
    /// The pairs, in the order of asking; fewer than wanted if `stages.shortfall` is above 0.
    pub pairs: Vec<SafetyPair>,
    /// What each stage kept and lost.
    pub stages: Stages,
}

impl SafetyData {
    /// The pairs alone, for [`bunch_lm::answer_loss`].
    pub fn question_answers(&self) -> Vec<QuestionAnswer> {
        self.pairs.iter().map(|pair| pair.pair.clone()).collect()
    }
}

/// Generates D_safety (Hammoud et al. 2024, safety data).
///
/// The uncensored model writes questions of categories drawn uniformly. What is cut off, empty, no question, excluded, asked
/// before, or not unsafe by the guard's judgement of the question alone, is dropped. Every member answers the rest greedily;
/// of the answers the guard calls safe one is drawn at random, and a question without any is dropped. An empty answer is
/// none. This goes on until `k` pairs are there or `max_asked` questions are spent; the missing ones are then
/// [`Stages::shortfall`].
///
/// # Errors
/// A request that cannot be met, or a model that fails.
pub fn synthesize_safety(request: &SafetyRequest<'_>) -> Result<SafetyData, SynthesisError> {
    let mut asker = Asker {
        name: "uncensored",
        model: request.uncensored,
        format: request.uncensored_format,
        parse_question: request.parse_question,
        exclude: request.exclude,
        temperature: request.temperature,
        max_new_tokens: request.max_new_tokens,
        max_asked: request.max_asked,
        seed: request.seed,
        path: &["safety"],
        given: request.given,
        asked: 0,
    };
    SynthesisError::require(request.k > 0, "k", "at least 1", request.k)?;
    SynthesisError::require_distinct("members", request.members.iter().map(|&(name, _)| name))?;
    SynthesisError::require_distinct("categories", request.categories.iter().map(|category| category.name.as_str()))?;
    asker.check(request.k)?;

    let mut stages = Stages::new(
        request.k as u64,
        &[StageName::Question, StageName::Distinct, StageName::UnsafeQuestion, StageName::Answer, StageName::Wanted],
    );
    let mut pairs = Vec::new();
    let mut seen = BTreeSet::new();
    while pairs.len() < request.k {
        let ask_prompt = |number| request.category_of(number).ask_prompt.clone();
        let Some(questions) = asker.next_round(ask_prompt, &mut seen, &mut stages)? else { break };
        let questions = request.keep_unsafe(questions, &mut stages)?;
        for (question, answers) in request.answers(&questions)? {
            let Some((member, answer)) = stages.record(StageName::Answer, request.draw(question.number, answers))
            else {
                continue;
            };
            let pair = SafetyPair {
                pair: QuestionAnswer { question: question.text.clone(), answer },
                category: match request.given {
                    Some(_) => GIVEN.to_owned(),
                    None => request.category_of(question.number).name.clone(),
                },
                answered_by: member.to_owned(),
            };
            let wanted = if pairs.len() < request.k { Ok(pair) } else { Err(DropReason::Surplus) };
            pairs.extend(stages.record(StageName::Wanted, wanted));
        }
        if !(request.keep_asking)(&stages) {
            break;
        }
    }
    Ok(SafetyData { pairs, stages })
}

/// One member's answer to a question.
struct Answer<'a> {
    member: &'a str,
    text: String,
    verdict: Verdict,
}

impl<'a> SafetyRequest<'a> {
    /// The category of a question, drawn uniformly.
    fn category_of(&self, number: usize) -> &'a SafetyCategory {
        &self.categories[self.uniform("category", number, self.categories.len())]
    }

    /// A number below `end`, drawn for the question of this number.
    fn uniform(&self, what: &str, number: usize, end: usize) -> usize {
        // Drawn as u64, so that 32-bit platforms draw the same.
        bunch_random::stream(self.seed, &["synthesis", "safety", what, &number.to_string()]).random_range(0..end as u64)
            as usize
    }

    /// The guard's verdicts.
    fn verdicts(&self, exchanges: &[Exchange]) -> Result<Vec<Verdict>, SynthesisError> {
        let judged = self.guard.judge(exchanges).and_then(|verdicts| {
            JudgingError::check_count("verdicts", exchanges.len(), verdicts.len())?;
            Ok(verdicts)
        });
        judged.map_err(SynthesisError::of("guard"))
    }

    /// The questions that the guard calls unsafe.
    fn keep_unsafe(&self, questions: Vec<Question>, stages: &mut Stages) -> Result<Vec<Question>, SynthesisError> {
        let alone: Vec<Exchange> = questions.iter().map(|question| Exchange::alone(&question.text)).collect();
        let verdicts = self.verdicts(&alone)?;
        let judged = questions.into_iter().zip(verdicts).filter_map(|(question, verdict)| {
            let outcome = match verdict {
                Verdict::Unsafe => Ok(question),
                Verdict::Safe => Err(DropReason::SafeQuestion),
                Verdict::Unparsed => Err(DropReason::UnparsedQuestion),
            };
            stages.record(StageName::UnsafeQuestion, outcome)
        });
        Ok(judged.collect())
    }

    /// Every question with the members' non-empty answers to it, judged, in the order of the members.
    fn answers<'q>(&self, questions: &'q [Question]) -> Result<Vec<(&'q Question, Vec<Answer<'a>>)>, SynthesisError> {
        let prompts: Vec<String> = questions.iter().map(|question| question.text.clone()).collect();
        let mut answered: Vec<(&Question, Vec<Answer>)> = questions.iter().map(|question| (question, vec![])).collect();
        for &(member, model) in self.members {
            let completions = complete(model, self.format, &prompts, self.max_new_tokens, Sampling::Greedy)
                .map_err(SynthesisError::of(member))?;
            let exchanges: Vec<Exchange> = prompts
                .iter()
                .zip(completions)
                .map(|(prompt, completion)| Exchange::new(prompt, completion.text))
                .collect();
            let verdicts = self.verdicts(&exchanges)?;
            for (((_, answers), exchange), verdict) in answered.iter_mut().zip(exchanges).zip(verdicts) {
                // To the guard an empty response is a question alone, so its verdict says nothing about the answer.
                if !exchange.response.trim().is_empty() {
                    answers.push(Answer { member, text: exchange.response, verdict });
                }
            }
        }
        Ok(answered)
    }

    /// One of the safe answers, drawn uniformly, with its member.
    fn draw(&self, number: usize, answers: Vec<Answer<'a>>) -> Result<(&'a str, String), DropReason> {
        if answers.is_empty() {
            return Err(DropReason::EmptyAnswer);
        }
        let mut safe: Vec<Answer> = answers.into_iter().filter(|answer| answer.verdict.is_safe()).collect();
        if safe.is_empty() {
            return Err(DropReason::NoSafeAnswer);
        }
        let drawn = safe.swap_remove(self.uniform("answer", number, safe.len()));
        Ok((drawn.member, drawn.text))
    }
}

#[cfg(test)]
mod tests;
