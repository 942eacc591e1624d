//! Exchanges: what was asked of a model and what it replied.

/// A request and a model's reply to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// Where it stands in its file or prompt set, from 1 on; messages name it.
    pub line: usize,
    /// The request, without its context.
    pub prompt: String,
    /// The reply.
    pub response: String,
    /// A text that the request is about (HarmBench's contextual behaviours); never empty.
    pub context: Option<String>,
}

impl Exchange {
    /// An exchange without a context.
    pub fn new(line: usize, prompt: impl Into<String>, response: impl Into<String>) -> Self {
        Self { line, prompt: prompt.into(), response: response.into(), context: None }
    }

    /// What the model was asked: see [`request`].
    pub fn request(&self) -> String {
        request(&self.prompt, self.context.as_deref())
    }
}

/// The text of a request about a context, as HarmBench gives it to a model: the context, a line `---` between empty lines,
/// the prompt. Without a context, the prompt.
pub fn request(prompt: &str, context: Option<&str>) -> String {
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
        let mut exchange = Exchange::new(1, "Summarise it.", "No.");
        assert_eq!(exchange.request(), "Summarise it.");
        exchange.context = Some("A text.".into());
        assert_eq!(exchange.request(), "A text.\n\n---\n\nSummarise it.");
    }
}
