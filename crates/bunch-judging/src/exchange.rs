//! Exchanges: what was asked of a model and what it replied.

/// A request and a model's reply to it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exchange {
    /// The request, without its context.
    pub prompt: String,
    /// The reply; empty if the request is to be judged alone.
    pub response: String,
    /// A text that the request is about (HarmBench's contextual behaviours); never empty.
    pub context: Option<String>,
}

impl Exchange {
    /// An exchange without a context.
    pub fn new(prompt: impl Into<String>, response: impl Into<String>) -> Self {
        Self { prompt: prompt.into(), response: response.into(), context: None }
    }

    /// A request that is to be judged alone.
    pub fn alone(prompt: impl Into<String>) -> Self {
        Self::new(prompt, "")
    }

    /// What the model was asked: the context, if there is one, and the prompt.
    pub fn request(&self) -> String {
        request(&self.prompt, self.context.as_deref())
    }
}

/// The text of a request about a context, as HarmBench gives it to a model: the context, a line `---` between empty lines,
/// the prompt. Without a context, the prompt.
pub(crate) fn request(prompt: &str, context: Option<&str>) -> String {
    match context {
        Some(context) => format!("{context}\n\n---\n\n{prompt}"),
        None => prompt.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::Exchange;

    #[test]
    fn a_context_stands_before_the_prompt() {
        let mut exchange = Exchange::new("Summarise it.", "No.");
        assert_eq!(exchange.request(), "Summarise it.");
        exchange.context = Some("A text.".into());
        assert_eq!(exchange.request(), "A text.\n\n---\n\nSummarise it.");
    }
}
