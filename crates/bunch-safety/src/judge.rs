//! Judges: a checkpoint, asked in a fixed way and read by a fixed rule, says whether a reply is safe.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use bunch_lm::{
    AddBos, GenerateConfig, LanguageModel, LmError, LoglikelihoodRequest, Message, Sampling, TokenId, Tokenizer,
};
use serde::Deserialize;

use crate::builtin::{self, JUDGES, TEMPLATES};
use crate::judge_prompt::{JudgePrompt, PromptDefinition};
use crate::{Exchange, Judgement, SafetyError, Verdict, VerdictRule, definition};

/// What a judge is called in messages.
const KIND: &str = "judge";

/// A judge without its weights: template, rule for the verdict, and where it comes from. Any checkpoint can be asked.
#[derive(Debug, Clone)]
pub struct Judge {
    /// Its file's name without the ending.
    pub name: String,
    /// What it is called.
    pub title: String,
    /// The checkpoint that it was made for, as the Hugging Face hub names it.
    pub model: String,
    /// Where its protocol comes from.
    pub source: String,
    /// The harms that it distinguishes, by code.
    pub categories: BTreeMap<String, String>,
    /// Its file's text and its templates', one after the other: what its judgements follow from beside the model.
    pub definition: String,
    rule: VerdictRule,
    score: Option<Score>,
    prompt: JudgePrompt,
}

/// A judge's file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Definition {
    title: String,
    model: String,
    source: String,
    prompt: PromptDefinition,
    verdict: VerdictRule,
    score: Option<Score>,
    #[serde(default)]
    categories: BTreeMap<String, String>,
}

/// Where P(unsafe) is measured.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Score {
    /// What the judge writes before its verdict.
    after: String,
    /// The word for safe.
    safe: String,
    /// The word for unsafe.
    r#unsafe: String,
}

/// How exchanges are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JudgeOptions {
    /// Exchanges that go to the model in one call, and so the most that are lost when a run is stopped; at least 1 (0 is
    /// taken for 1).
    pub window: usize,
    /// Whether P(unsafe) is measured, which needs a second pass of the model.
    pub probability: bool,
}

impl Default for JudgeOptions {
    /// 16 exchanges in a window, no probabilities.
    fn default() -> Self {
        Self { window: 16, probability: false }
    }
}

/// An exchange in the judge's tokens.
struct Question {
    line: usize,
    prompt: Vec<TokenId>,
    /// The prompt and what the judge writes before its verdict, if P(unsafe) is asked for.
    scored: Vec<TokenId>,
}

impl Judge {
    /// The names of the builtin judges, in order.
    pub fn names() -> impl Iterator<Item = &'static str> {
        builtin::names(JUDGES)
    }

    /// The builtin judge `name`.
    ///
    /// # Errors
    /// No judge of that name; the message names those there are.
    pub fn builtin(name: &str) -> Result<Self, SafetyError> {
        let template = |path: &str| {
            let file = path.strip_prefix("templates/").unwrap_or(path);
            builtin::text("template", TEMPLATES, file).map(str::to_owned)
        };
        Self::parse(name, builtin::text(KIND, JUDGES, name)?, name, template)
    }

    /// A judge of the user's, in a TOML file like those of `data/judges`; its name is the file's, and its templates lie
    /// where the file says, seen from its folder.
    ///
    /// # Errors
    /// A file or template that cannot be read or used.
    pub fn load(path: &Path) -> Result<Self, SafetyError> {
        let text = std::fs::read_to_string(path).map_err(SafetyError::io(path))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let template = |name: &str| {
            let path = folder.join(name);
            std::fs::read_to_string(&path).map_err(SafetyError::io(&path))
        };
        Self::parse(&definition::stem(path), &text, &path.display().to_string(), template)
    }

    /// The builtin judge `name`, or the judge in the file of that path if it ends in `.toml`.
    ///
    /// # Errors
    /// As [`Self::builtin`] and [`Self::load`].
    pub fn find(name: &str) -> Result<Self, SafetyError> {
        if definition::is_file(name) { Self::load(Path::new(name)) } else { Self::builtin(name) }
    }

    fn parse(
        name: &str,
        text: &str,
        file: &str,
        template: impl Fn(&str) -> Result<String, SafetyError>,
    ) -> Result<Self, SafetyError> {
        let Definition { title, model, source, prompt, verdict: rule, score, categories } =
            toml::from_str(text).map_err(|error| SafetyError::definition(file, error))?;
        if let Some(fault) = rule.fault() {
            return Err(SafetyError::definition(file, fault));
        }
        if score.as_ref().is_some_and(|score| score.safe.is_empty() || score.r#unsafe.is_empty()) {
            return Err(SafetyError::definition(
                file,
                "score: expected a word for safe and one for unsafe, got an empty one",
            ));
        }
        let definition = RefCell::new(text.to_owned());
        let read = |name: &str| {
            let text = template(name)?;
            definition.borrow_mut().push_str(&text);
            Ok(text)
        };
        let prompt = JudgePrompt::new(prompt, file, read)?;
        let definition = definition.into_inner();
        Ok(Self { name: name.to_owned(), title, model, source, categories, definition, rule, score, prompt })
    }

    /// Whether P(unsafe) can be asked for.
    pub fn has_probability(&self) -> bool {
        self.score.is_some()
    }

    /// The text that an exchange is put to the judge as. The tokenizer is the judge's.
    ///
    /// # Errors
    /// A template that refuses the exchange, or that needs a context where it has none.
    pub fn render(&self, exchange: &Exchange, tokenizer: &Tokenizer) -> Result<String, SafetyError> {
        self.prompt.text(exchange, tokenizer)
    }

    /// The text of any conversation by the judge's chat template: an odd number of turns asks guards about the user's last
    /// turn, an even one about the assistant's. None if the judge has no chat template.
    ///
    /// # Errors
    /// A conversation that the template refuses.
    pub fn render_conversation(
        &self,
        messages: &[Message],
        tokenizer: &Tokenizer,
    ) -> Result<Option<String>, SafetyError> {
        Ok(self.prompt.conversation(messages, tokenizer)?)
    }

    /// What a reply of the judge says, without a probability.
    pub fn read(&self, reply: String) -> Judgement {
        let verdict = self.rule.verdict(&reply);
        let categories = match verdict {
            Verdict::Unsafe => self.rule.categories(&reply, |code| self.categories.contains_key(code)),
            Verdict::Safe | Verdict::Unparsed => Vec::new(),
        };
        let categories = categories.into_iter().map(str::to_owned).collect();
        Judgement { verdict, categories, reply, p_unsafe: None }
    }

    /// Judges exchanges in their order, with greedy decoding up to the judge model's stop tokens. After each window `keep`
    /// is given its judgements, so that what is done stays done whatever comes later.
    ///
    /// An exchange that cannot be judged ends the run, behind those before it.
    ///
    /// # Errors
    /// An exchange that cannot be rendered or does not fit, by line; a model that fails; P(unsafe) of a judge without a
    /// `[score]`; whatever `keep` says.
    pub fn judge<E: From<SafetyError>>(
        &self,
        exchanges: &[Exchange],
        model: &dyn LanguageModel,
        tokenizer: &Tokenizer,
        options: JudgeOptions,
        mut keep: impl FnMut(&[Judgement]) -> Result<(), E>,
    ) -> Result<(), E> {
        let words = self.words(tokenizer, options)?;
        for window in exchanges.chunks(options.window.max(1)) {
            let mut questions = Vec::with_capacity(window.len());
            let mut fault = None;
            for exchange in window {
                match self.question(exchange, model, tokenizer, words.as_ref()) {
                    Ok(question) => questions.push(question),
                    Err(error) => {
                        fault = Some(error);
                        break;
                    }
                }
            }
            if !questions.is_empty() {
                let mut judgements = self.answers(&questions, model, tokenizer)?;
                if let Some(words) = &words {
                    set_probabilities(&mut judgements, &questions, words, model)?;
                }
                keep(&judgements)?;
            }
            if let Some(fault) = fault {
                return Err(fault.into());
            }
        }
        Ok(())
    }

    /// Judges exchanges in their order and returns all judgements.
    ///
    /// # Errors
    /// As [`Self::judge`].
    pub fn judge_all(
        &self,
        exchanges: &[Exchange],
        model: &dyn LanguageModel,
        tokenizer: &Tokenizer,
        options: JudgeOptions,
    ) -> Result<Vec<Judgement>, SafetyError> {
        let mut all = Vec::with_capacity(exchanges.len());
        self.judge(exchanges, model, tokenizer, options, |judgements| {
            all.extend_from_slice(judgements);
            Ok::<(), SafetyError>(())
        })?;
        Ok(all)
    }

    fn words(&self, tokenizer: &Tokenizer, options: JudgeOptions) -> Result<Option<Words>, SafetyError> {
        if !options.probability {
            return Ok(None);
        }
        let Some(Score { after, safe, r#unsafe }) = &self.score else {
            return Err(SafetyError::definition(&self.name, "expected a table [score] to measure P(unsafe), got none"));
        };
        let encode = |word: &String| tokenizer.encode(word, AddBos::Never);
        Ok(Some(Words { after: after.clone(), safe: encode(safe)?, r#unsafe: encode(r#unsafe)? }))
    }

    fn question(
        &self,
        exchange: &Exchange,
        model: &dyn LanguageModel,
        tokenizer: &Tokenizer,
        words: Option<&Words>,
    ) -> Result<Question, SafetyError> {
        let (line, window) = (exchange.line, model.context_window());
        let text = self.prompt.text(exchange, tokenizer)?;
        let tokens = |text: &str, room: usize| {
            let tokens = self.prompt.tokens(text, tokenizer, window, room);
            tokens.map_err(|error| SafetyError::of_exchange(line, error))?.map_err(|tokens| SafetyError::TooLong {
                line,
                judge: self.name.clone(),
                tokens,
                new_tokens: room,
                window,
            })
        };
        let scored = match words {
            Some(words) => tokens(&format!("{text}{}", words.after), words.safe.len().max(words.r#unsafe.len()))?,
            None => Vec::new(),
        };
        Ok(Question { line, prompt: tokens(&text, self.prompt.max_new_tokens)?, scored })
    }

    fn answers(
        &self,
        questions: &[Question],
        model: &dyn LanguageModel,
        tokenizer: &Tokenizer,
    ) -> Result<Vec<Judgement>, SafetyError> {
        let prompts: Vec<Vec<TokenId>> = questions.iter().map(|question| question.prompt.clone()).collect();
        let config = GenerateConfig {
            max_new_tokens: self.prompt.max_new_tokens,
            stop: tokenizer.stop_tokens().to_vec(),
            sampling: Sampling::Greedy,
        };
        let replies = model.generate(&prompts, &config).map_err(|error| at_line(questions, error, 1))?;
        SafetyError::check_replies(questions.len(), replies.len())?;
        replies.iter().map(|ids| Ok(self.read(tokenizer.decode(ids, true)?))).collect()
    }
}

/// The words that P(unsafe) is measured with.
struct Words {
    after: String,
    safe: Vec<TokenId>,
    r#unsafe: Vec<TokenId>,
}

/// P(unsafe) = 1 / (1 + p(safe) / p(unsafe)), the softmax over the two words' log-likelihoods.
fn set_probabilities(
    judgements: &mut [Judgement],
    questions: &[Question],
    words: &Words,
    model: &dyn LanguageModel,
) -> Result<(), SafetyError> {
    let pair = |question: &Question| {
        [&words.safe, &words.r#unsafe]
            .map(|word| LoglikelihoodRequest { context: question.scored.clone(), continuation: word.clone() })
    };
    let requests: Vec<LoglikelihoodRequest> = questions.iter().flat_map(pair).collect();
    let scores = model.loglikelihood(&requests).map_err(|error| at_line(questions, error, 2))?;
    SafetyError::check_replies(requests.len(), scores.len())?;
    for ((judgement, question), pair) in judgements.iter_mut().zip(questions).zip(scores.chunks_exact(2)) {
        let (safe, harm) = (pair[0].sum, pair[1].sum);
        let probability = 1.0 / (1.0 + (safe - harm).exp());
        if probability.is_nan() {
            let reason = format!("P(unsafe): expected two log-likelihoods, got {safe} and {harm}");
            return Err(SafetyError::Exchange { line: question.line, reason });
        }
        judgement.p_unsafe = Some(probability);
    }
    Ok(())
}

/// Names the line of a request that the model refused; each question was `each` requests.
fn at_line(questions: &[Question], error: LmError, each: usize) -> SafetyError {
    SafetyError::of_request(error, |index| questions.get(index / each).map(|question| question.line))
}

#[cfg(test)]
mod tests;
