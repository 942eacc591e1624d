//! Judges that ask a model: it writes a verdict, or the probabilities of the words for one are compared.

use std::collections::BTreeSet;

use bunch_lm::{GenerateConfig, LanguageModel, LmError, LoglikelihoodRequest, Sampling, TokenId, Tokenizer};

use crate::judge_prompt::JudgePrompt;
use crate::verdict::VerdictRule;
use crate::{Exchange, Judge, Judgement, JudgingError, Verdict};

/// A judge with its model.
///
/// A guard writes a reply, decoded greedily, that a rule reads. A classifier writes nothing: it says unsafe if the
/// word for unsafe is likelier than the word for safe.
#[derive(Clone)]
pub struct ModelJudge<'a> {
    model: &'a dyn LanguageModel,
    asking: Asking<'a>,
    /// How a written reply is read; without it, probabilities decide.
    reply: Option<ReplyReading>,
    /// The words whose probabilities are measured, if any.
    words: Option<VerdictWords>,
}

/// How an exchange becomes tokens: by a judge's template and its model's tokenizer.
#[derive(Clone, Copy)]
pub(crate) struct Asking<'a> {
    pub(crate) judge: &'a str,
    pub(crate) prompt: &'a JudgePrompt,
    pub(crate) tokenizer: &'a Tokenizer,
}

/// How a written reply becomes a judgement.
#[derive(Debug, Clone)]
pub(crate) struct ReplyReading {
    pub(crate) rule: VerdictRule,
    /// Upper limit on the tokens of the reply, at least 1.
    pub(crate) max_new_tokens: usize,
    /// The codes of harms that it may name.
    pub(crate) categories: BTreeSet<String>,
}

/// The words that P(unsafe) is measured with.
#[derive(Debug, Clone)]
pub(crate) struct VerdictWords {
    /// What the judge writes before its verdict.
    pub(crate) after: String,
    pub(crate) safe: Vec<TokenId>,
    pub(crate) r#unsafe: Vec<TokenId>,
}

/// An exchange in the judge's tokens.
struct Question {
    line: usize,
    /// The prompt of a reply, if one is read.
    prompt: Vec<TokenId>,
    /// The prompt of the words, if they are measured.
    scored: Vec<TokenId>,
}

impl<'a> ModelJudge<'a> {
    pub(crate) fn new(
        model: &'a dyn LanguageModel,
        asking: Asking<'a>,
        reply: Option<ReplyReading>,
        words: Option<VerdictWords>,
    ) -> Self {
        Self { model, asking, reply, words }
    }

    /// Judges exchanges in their order, `window` of them at a time (at least 1; 0 is taken for 1). Each comes with its line,
    /// which messages name. After each window `keep` is given its judgements, so that what is done stays done whatever comes
    /// later.
    ///
    /// An exchange that cannot be judged ends the run, behind those before it.
    ///
    /// # Errors
    /// An exchange that cannot be rendered or does not fit, by line; a model that fails; whatever `keep` says.
    pub fn judgements<E: From<JudgingError>>(
        &self,
        exchanges: &[(usize, &Exchange)],
        window: usize,
        mut keep: impl FnMut(&[Judgement]) -> Result<(), E>,
    ) -> Result<(), E> {
        for window in exchanges.chunks(window.max(1)) {
            let mut questions = Vec::with_capacity(window.len());
            let mut fault = None;
            for &(line, exchange) in window {
                match self.question(line, exchange) {
                    Ok(question) => questions.push(question),
                    Err(error) => {
                        fault = Some(error);
                        break;
                    }
                }
            }
            if !questions.is_empty() {
                keep(&self.answers(&questions)?)?;
            }
            if let Some(fault) = fault {
                return Err(fault.into());
            }
        }
        Ok(())
    }

    fn question(&self, line: usize, exchange: &Exchange) -> Result<Question, JudgingError> {
        let window = self.model.context_window();
        let scored = match &self.words {
            Some(VerdictWords { after, safe, r#unsafe }) => {
                self.asking.tokens(line, exchange, after, window, safe.len().max(r#unsafe.len()))?
            }
            None => Vec::new(),
        };
        let prompt = match &self.reply {
            Some(reply) => self.asking.tokens(line, exchange, "", window, reply.max_new_tokens)?,
            None => Vec::new(),
        };
        Ok(Question { line, prompt, scored })
    }

    fn answers(&self, questions: &[Question]) -> Result<Vec<Judgement>, JudgingError> {
        let mut judgements = match &self.reply {
            Some(reading) => self.read_replies(questions, reading)?,
            None => vec![Judgement::from(Verdict::Unparsed); questions.len()],
        };
        if let Some(words) = &self.words {
            for (judgement, (verdict, p_unsafe)) in judgements.iter_mut().zip(self.measure(questions, words)?) {
                judgement.p_unsafe = Some(p_unsafe);
                if self.reply.is_none() {
                    judgement.verdict = verdict;
                }
            }
        }
        Ok(judgements)
    }

    fn read_replies(&self, questions: &[Question], reading: &ReplyReading) -> Result<Vec<Judgement>, JudgingError> {
        let prompts: Vec<Vec<TokenId>> = questions.iter().map(|question| question.prompt.clone()).collect();
        let config = GenerateConfig {
            max_new_tokens: reading.max_new_tokens,
            stop: self.asking.tokenizer.stop_tokens().to_vec(),
            sampling: Sampling::Greedy,
        };
        let replies = self.model.generate(&prompts, &config).map_err(|error| at_line(questions, error, 1))?;
        JudgingError::check_count("answers of the model", questions.len(), replies.len())?;
        replies.iter().map(|ids| Ok(reading.judgement(self.asking.tokenizer.decode(ids, true)?))).collect()
    }

    /// The likelier verdict, where a tie is safe, and P(unsafe) = 1 / (1 + p(safe) / p(unsafe)), the softmax over the two
    /// words' log-likelihoods.
    fn measure(&self, questions: &[Question], words: &VerdictWords) -> Result<Vec<(Verdict, f64)>, JudgingError> {
        let pair = |question: &Question| {
            [&words.safe, &words.r#unsafe]
                .map(|word| LoglikelihoodRequest { context: question.scored.clone(), continuation: word.clone() })
        };
        let requests: Vec<LoglikelihoodRequest> = questions.iter().flat_map(pair).collect();
        let scores = self.model.loglikelihood(&requests).map_err(|error| at_line(questions, error, 2))?;
        JudgingError::check_count("scores of the model", requests.len(), scores.len())?;
        let measured = questions.iter().zip(scores.chunks_exact(2)).map(|(question, pair)| {
            let (safe, harm) = (pair[0].sum, pair[1].sum);
            let p_unsafe = 1.0 / (1.0 + (safe - harm).exp());
            if p_unsafe.is_nan() {
                let reason = format!("P(unsafe): expected two log-likelihoods, got {safe} and {harm}");
                return Err(JudgingError::Exchange { line: question.line, reason });
            }
            // Not by P(unsafe), which rounding may make one half.
            Ok((if harm > safe { Verdict::Unsafe } else { Verdict::Safe }, p_unsafe))
        });
        measured.collect()
    }
}

impl Judge for ModelJudge<'_> {
    /// All exchanges are one window; the line of an exchange is its position, from 1 on.
    fn judge(&self, exchanges: &[Exchange]) -> Result<Vec<Verdict>, JudgingError> {
        let numbered: Vec<(usize, &Exchange)> = (1..).zip(exchanges).collect();
        let mut verdicts = Vec::with_capacity(exchanges.len());
        self.judgements(&numbered, usize::MAX, |judgements| {
            verdicts.extend(judgements.iter().map(|judgement| judgement.verdict));
            Ok::<(), JudgingError>(())
        })?;
        Ok(verdicts)
    }
}

impl Asking<'_> {
    /// The tokens of an exchange, and behind them of `after`, that with `room` more fit into `window`.
    fn tokens(
        &self,
        line: usize,
        exchange: &Exchange,
        after: &str,
        window: usize,
        room: usize,
    ) -> Result<Vec<TokenId>, JudgingError> {
        let text = self.prompt.text(line, exchange, self.tokenizer)? + after;
        let fitted = self.prompt.tokens(&text, self.tokenizer, window, room);
        let fitted = fitted.map_err(|error| JudgingError::of_exchange(line, error))?;
        fitted.map_err(|tokens| JudgingError::TooLong {
            line,
            judge: self.judge.to_owned(),
            tokens,
            new_tokens: room,
            window,
        })
    }
}

impl ReplyReading {
    /// What a reply of the judge says, without a probability.
    pub(crate) fn judgement(&self, reply: String) -> Judgement {
        let verdict = self.rule.verdict(&reply);
        let categories = match verdict {
            Verdict::Unsafe => self.rule.categories(&reply, |code| self.categories.contains(code)),
            Verdict::Safe | Verdict::Unparsed => Vec::new(),
        };
        let categories = categories.into_iter().map(str::to_owned).collect();
        Judgement { verdict, categories, reply, p_unsafe: None }
    }
}

/// Names the line of a request that the model refused; each question was `each` requests.
fn at_line(questions: &[Question], error: LmError, each: usize) -> JudgingError {
    JudgingError::of_request(error, |index| questions.get(index / each).map(|question| question.line))
}

#[cfg(test)]
mod tests;
