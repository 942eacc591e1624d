//! Safety prompts: requests that test whether a model harms or refuses.

use crate::{Exchange, exchange};

/// A request, and what its publisher says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SafetyPrompt {
    /// Its row or line, from 1 on; messages name it.
    pub line: usize,
    /// The request, without its context.
    pub prompt: String,
    /// Its publisher's name for it.
    pub id: Option<String>,
    /// A text that it is about; never empty.
    pub context: Option<String>,
    /// What harm or trap it is about.
    pub category: Option<String>,
    /// The part of the set that it belongs to.
    pub subset: Option<String>,
    /// Whether to comply would be harmful; where the publisher does not say, absent.
    pub is_unsafe: Option<bool>,
}

impl SafetyPrompt {
    /// A prompt of which nothing else is known.
    pub fn new(line: usize, prompt: impl Into<String>) -> Self {
        let prompt = prompt.into();
        Self { line, prompt, id: None, context: None, category: None, subset: None, is_unsafe: None }
    }

    /// What the model is asked: the context, if there is one, and the prompt.
    pub fn request(&self) -> String {
        exchange::request(&self.prompt, self.context.as_deref())
    }

    /// The exchange in which a model replied `response`.
    pub fn exchange(&self, response: impl Into<String>) -> Exchange {
        Exchange { prompt: self.prompt.clone(), response: response.into(), context: self.context.clone() }
    }
}
