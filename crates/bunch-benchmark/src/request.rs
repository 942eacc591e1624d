//! What the model is asked about a document, in tokens.

mod rolling;

use std::sync::Arc;

use bunch_lm::{LmError, LoglikelihoodRequest, TokenId, Tokenizer};
use sha2::{Digest, Sha256};

use crate::metric::Metric;
use crate::output_type::OutputType;
use crate::prompt::{Prompt, PromptError};
use crate::task::Protocol;
use crate::{Options, Task};

/// A document's requests.
#[derive(Debug, Clone)]
pub(crate) struct DocRequests {
    /// As texts: context and continuation; an answer that is generated has no continuation, a text that is scored as a
    /// whole no context.
    pub arguments: Vec<(Arc<str>, String)>,
    /// As tokens, within the context window.
    pub tokens: Requests,
    /// The most tokens that a context lost at its beginning to fit into the window; 0 if all fit.
    pub cut: usize,
}

/// Requests of one kind.
#[derive(Debug, Clone)]
pub(crate) enum Requests {
    /// One score for each argument.
    Score(Vec<Scored>),
    /// Windows of one text, whose scores are added.
    Rolling(Vec<Scored>),
    /// One prompt.
    Generate(Vec<TokenId>),
}

/// A continuation to be scored. Choices share their context, which is in memory once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scored {
    pub context: Arc<[TokenId]>,
    pub continuation: Vec<TokenId>,
}

/// Turns the prompts of one task into requests.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Encoder<'run> {
    pub task: &'run Task,
    pub tokenizer: &'run Tokenizer,
    pub options: &'run Options,
    /// The most tokens that the model reads at once.
    pub window: usize,
}

impl Encoder<'_> {
    /// The requests of a prompt.
    pub(crate) fn requests(&self, prompt: &Prompt) -> Result<DocRequests, PromptError> {
        let arguments = self.arguments(prompt)?;
        let tokens = match (self.task.output_type, arguments.first()) {
            (OutputType::GenerateUntil, Some((context, _))) => self.generation(context)?,
            (OutputType::LoglikelihoodRolling, Some((_, text))) => (self.rolling(text)?, 0),
            _ => self.choices(&arguments)?,
        };
        let (tokens, cut) = tokens;
        Ok(DocRequests { arguments, tokens, cut })
    }

    /// The requests as texts.
    pub(crate) fn arguments(&self, prompt: &Prompt) -> Result<Vec<(Arc<str>, String)>, PromptError> {
        let text = |what: &str| {
            let target = &prompt.target;
            target.as_str().ok_or_else(|| format!("doc_to_target: expected {what}, got {target}"))
        };
        let context: Arc<str> = prompt.contexts.first().map(String::as_str).unwrap_or_default().into();
        match self.task.output_type {
            OutputType::LoglikelihoodRolling => return Ok(vec![("".into(), text("a text")?.to_string())]),
            OutputType::GenerateUntil => return Ok(vec![(context, String::new())]),
            OutputType::MultipleChoice => {}
        }
        let delimiter = if self.options.apply_chat_template { "" } else { &self.task.target_delimiter };
        let choices = prompt.choices.as_deref().unwrap_or_default();
        let mut arguments: Vec<(Arc<str>, String)> = if prompt.right_context.is_some() {
            let target = text("the text after the contexts")?;
            let contexts = prompt.contexts.iter();
            contexts.map(|context| (context.as_str().into(), format!("{delimiter}{target}"))).collect()
        } else {
            choices.iter().map(|choice| (context.clone(), format!("{delimiter}{choice}"))).collect()
        };
        if self.task.measures(Metric::AccMutualInfo) {
            arguments.extend(choices.iter().map(|choice| ("".into(), format!("{delimiter}{choice}"))));
        }
        Ok(arguments)
    }

    fn choices(&self, arguments: &[(Arc<str>, String)]) -> Result<(Requests, usize), PromptError> {
        let (mut requests, mut most): (Vec<Scored>, usize) = (Vec::new(), 0);
        for (context, continuation) in arguments {
            let (context, continuation, cut) = self.pair(context, continuation)?;
            most = most.max(cut);
            let known = requests.last().filter(|last| *last.context == *context).map(|last| last.context.clone());
            requests.push(Scored { context: known.unwrap_or_else(|| context.into()), continuation });
        }
        Ok((Requests::Score(requests), most))
    }

    /// Context and continuation in tokens; a context that does not fit loses its beginning, of so many tokens.
    fn pair(&self, context: &str, continuation: &str) -> Result<(Vec<TokenId>, Vec<TokenId>, usize), PromptError> {
        let add_bos = self.options.add_bos;
        let (mut context_ids, continuation_ids) = match self.task.protocol {
            Protocol::LmEval => self.tokenizer.encode_pair(context, continuation, add_bos)?,
            Protocol::Adaptllm => {
                let length = self.tokenizer.encode(context, add_bos)?.len();
                let mut whole = self.tokenizer.encode(&format!("{context}{continuation}"), add_bos)?;
                let continuation = whole.split_off(length.min(whole.len()));
                (whole, continuation)
            }
        };
        if context_ids.is_empty() || continuation_ids.is_empty() {
            let part = if context_ids.is_empty() { "context" } else { "continuation" };
            return Err(PromptError::Doc(format!("the {part} has no tokens (continuation {continuation:?})")));
        }
        if continuation_ids.len() > self.window {
            let (tokens, window) = (continuation_ids.len(), self.window);
            return Err(PromptError::Doc(format!("the continuation's {tokens} tokens exceed the window of {window}")));
        }
        // The model does not read the last token.
        let excess = (context_ids.len() + continuation_ids.len()).saturating_sub(self.window + 1);
        if excess > 0 && self.task.protocol == Protocol::Adaptllm {
            let (tokens, window) = (context_ids.len() + continuation_ids.len(), self.window);
            let what =
                format!("{tokens} tokens exceed the window of {window}, and AdaptLLM's protocol cuts no question");
            return Err(PromptError::Doc(what));
        }
        context_ids.drain(..excess);
        Ok((context_ids, continuation_ids, excess))
    }

    fn generation(&self, context: &str) -> Result<(Requests, usize), PromptError> {
        let kwargs = self.task.generation_kwargs.clone().unwrap_or_default();
        if kwargs.max_gen_toks >= self.window {
            let (most, window) = (kwargs.max_gen_toks, self.window);
            return Err(PromptError::Doc(format!(
                "max_gen_toks is {most}, which leaves no room in a window of {window}"
            )));
        }
        let mut ids = self.tokenizer.encode(context, self.options.add_bos)?;
        let room = (self.window - kwargs.max_gen_toks).min(kwargs.max_ctx_toks.unwrap_or(usize::MAX));
        let excess = ids.len().saturating_sub(room);
        // transformers' own truncation, which AdaptLLM uses, counts BOS and keeps it.
        let bos = ids.first().copied().filter(|first| Some(*first) == self.tokenizer.bos());
        ids.drain(..excess);
        if let (Protocol::Adaptllm, Some(bos), Some(first)) = (self.task.protocol, bos, ids.first_mut()) {
            *first = bos;
        }
        if ids.is_empty() {
            return Err(PromptError::Doc("the prompt has no tokens".to_string()));
        }
        Ok((Requests::Generate(ids), excess))
    }

    fn rolling(&self, text: &str) -> Result<Requests, PromptError> {
        let prefix = self.tokenizer.prefix_token().ok_or(LmError::NoPrefixToken)?;
        let ids = self.tokenizer.encode(text, self.options.add_bos)?;
        if ids.is_empty() {
            return Err(PromptError::Doc("the text has no tokens".to_string()));
        }
        Ok(Requests::Rolling(rolling::windows(&ids, prefix, self.window)))
    }
}

impl Scored {
    /// The tokens that the model reads: all but the last one.
    fn input(&self) -> Vec<TokenId> {
        let read = self.continuation.split_last().map_or(&[][..], |(_, read)| read);
        [&self.context, read].concat()
    }

    /// The request as the model takes it.
    pub(crate) fn request(&self) -> LoglikelihoodRequest {
        LoglikelihoodRequest { context: self.context.to_vec(), continuation: self.continuation.clone() }
    }
}

impl DocRequests {
    /// The requests to be scored; none where an answer is generated.
    pub(crate) fn scored(&self) -> &[Scored] {
        match &self.tokens {
            Requests::Score(requests) | Requests::Rolling(requests) => requests,
            Requests::Generate(_) => &[],
        }
    }

    /// The tokens that the model reads for these requests, after those whose last one read `previous`: what a request
    /// shares with the one before it counts once. `previous` becomes what the last request reads.
    pub(crate) fn tokens_to_read(&self, previous: &mut Vec<TokenId>) -> usize {
        let mut read = |ids: Vec<TokenId>| {
            let shared = ids.iter().zip(previous.iter()).take_while(|(a, b)| a == b).count();
            let new = ids.len() - shared;
            *previous = ids;
            new
        };
        match &self.tokens {
            Requests::Generate(prompt) => read(prompt.clone()),
            _ => self.scored().iter().map(|request| read(request.input())).sum(),
        }
    }

    /// Adds the tokens to a hash that distinguishes runs.
    pub(crate) fn hash(&self, hash: &mut Sha256) {
        let mut part = |ids: &[TokenId]| {
            hash.update((ids.len() as u64).to_le_bytes());
            ids.iter().for_each(|id| hash.update(id.to_le_bytes()));
        };
        match &self.tokens {
            Requests::Score(requests) | Requests::Rolling(requests) => {
                requests.iter().for_each(|request| {
                    part(&request.context);
                    part(&request.continuation);
                });
            }
            Requests::Generate(prompt) => part(prompt),
        }
    }
}
