//! The judge's prompt: how an exchange is put to a judge, in text and in tokens.

use std::collections::BTreeMap;

use serde::Deserialize;

use bunch_lm::{AddBos, ChatTemplate, LmError, Message, TokenId, Tokenizer};

use crate::{Exchange, JudgingError};

/// The table `[prompt]` of a judge's file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PromptDefinition {
    form: Form,
    /// A file next to the judge's; only a chat may go without, and then takes the judge model's own template.
    template: Option<String>,
    /// For exchanges with a context; `placeholders` only.
    contextual_template: Option<String>,
    add_bos: SpecialTokens,
    truncation: Truncation,
    /// Upper limit on the tokens of the reply; a judge that writes none has no limit.
    pub(crate) max_new_tokens: Option<usize>,
    max_response_tokens: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Form {
    /// A Jinja chat template is given the request as the user's turn and the reply as the assistant's.
    Chat,
    /// A text in which `{prompt}` or `{behavior}`, `{response}` or `{generation}`, and `{context}` are replaced.
    Placeholders,
}

/// [`AddBos`], as it stands in files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SpecialTokens {
    Auto,
    Never,
}

/// What is done about a prompt that does not fit into the judge's context window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Truncation {
    /// The beginning is cut off, but for BOS.
    Left,
    /// It is an error.
    Error,
}

#[derive(Debug, Clone)]
enum Template {
    Chat(Option<Box<ChatTemplate>>),
    Placeholders { plain: String, contextual: Option<String> },
}

/// How a judge is asked.
#[derive(Debug, Clone)]
pub(crate) struct JudgePrompt {
    template: Template,
    add_bos: AddBos,
    truncation: Truncation,
    max_response_tokens: Option<usize>,
}

impl JudgePrompt {
    /// The prompt of a judge that is defined in `file`, whose templates are had from `read`.
    ///
    /// # Errors
    /// A template that cannot be read or used, or numbers that make no sense.
    pub(crate) fn new(
        definition: PromptDefinition,
        file: &str,
        read: impl Fn(&str) -> Result<String, JudgingError>,
    ) -> Result<Self, JudgingError> {
        let fault = |reason: &str| Err(JudgingError::definition(file, reason));
        if definition.max_new_tokens == Some(0) || definition.max_response_tokens == Some(0) {
            return fault("prompt: max_new_tokens and max_response_tokens: expected 1 or more, got 0");
        }
        let template = match (definition.form, &definition.template, &definition.contextual_template) {
            (Form::Chat, _, Some(_)) => {
                return fault("prompt: contextual_template: only for the form \"placeholders\"");
            }
            (Form::Chat, None, None) => Template::Chat(None),
            (Form::Chat, Some(name), None) => {
                let template = ChatTemplate::new(read(name)?);
                Template::Chat(Some(Box::new(template.map_err(|error| JudgingError::definition(name, error))?)))
            }
            (Form::Placeholders, None, _) => return fault("prompt: expected a template, got none"),
            (Form::Placeholders, Some(name), contextual) => {
                let usable = |name: &String| {
                    let text = read(name)?;
                    match unusable(&text) {
                        None => Ok(text),
                        Some(reason) => Err(JudgingError::definition(name, reason)),
                    }
                };
                Template::Placeholders {
                    plain: usable(name)?,
                    contextual: contextual.as_ref().map(usable).transpose()?,
                }
            }
        };
        Ok(Self {
            template,
            add_bos: match definition.add_bos {
                SpecialTokens::Auto => AddBos::Auto,
                SpecialTokens::Never => AddBos::Never,
            },
            truncation: definition.truncation,
            max_response_tokens: definition.max_response_tokens,
        })
    }

    /// The text that the exchange of a line is put to the judge as.
    ///
    /// # Errors
    /// A template that refuses the exchange, or that needs a context where the exchange has none.
    pub(crate) fn text(&self, line: usize, exchange: &Exchange, tokenizer: &Tokenizer) -> Result<String, JudgingError> {
        let fault = |error: LmError| JudgingError::of_exchange(line, error);
        let response = match self.max_response_tokens {
            Some(limit) => cut(&exchange.response, limit, tokenizer).map_err(fault)?,
            None => exchange.response.clone(),
        };
        match &self.template {
            Template::Chat(template) => {
                let messages = [Message::user(exchange.request()), Message::assistant(response)];
                conversation(template.as_deref(), &messages, tokenizer).map_err(fault)
            }
            Template::Placeholders { plain, contextual } => {
                let template = match (&exchange.context, contextual) {
                    (Some(_), Some(contextual)) => contextual,
                    _ => plain,
                };
                let has_place = template.contains("{context}");
                if has_place && exchange.context.is_none() {
                    let reason = "the judge's template has a place for a context, but the exchange has none";
                    return Err(JudgingError::Exchange { line, reason: reason.into() });
                }
                let request = if has_place { exchange.prompt.clone() } else { exchange.request() };
                let context = exchange.context.as_deref().unwrap_or_default();
                Ok(filled(template, &request, &response, context))
            }
        }
    }

    /// The text of any conversation by the judge's chat template; none without one.
    #[cfg(test)]
    pub(crate) fn conversation(&self, messages: &[Message], tokenizer: &Tokenizer) -> Result<Option<String>, LmError> {
        match &self.template {
            Template::Chat(template) => conversation(template.as_deref(), messages, tokenizer).map(Some),
            Template::Placeholders { .. } => Ok(None),
        }
    }

    /// The tokens of a prompt's text and, behind it, of the beginning of a reply; with `room` more they fit into `window`.
    ///
    /// # Errors
    /// `Ok(Err(tokens))` if they do not fit and must not be cut; text that cannot be encoded.
    pub(crate) fn tokens(
        &self,
        text: &str,
        tokenizer: &Tokenizer,
        window: usize,
        room: usize,
    ) -> Result<Result<Vec<TokenId>, usize>, LmError> {
        let mut tokens = tokenizer.encode(text, self.add_bos)?;
        let most = window.saturating_sub(room);
        if tokens.len() <= most {
            return Ok(Ok(tokens));
        }
        let begins = usize::from(tokens.first().is_some_and(|&first| tokenizer.bos() == Some(first)));
        if self.truncation == Truncation::Error || most <= begins {
            return Ok(Err(tokens.len()));
        }
        // A tokenizer that truncates cuts the text and puts BOS before what is left.
        tokens.drain(begins..begins + tokens.len() - most);
        Ok(Ok(tokens))
    }
}

fn conversation(
    template: Option<&ChatTemplate>,
    messages: &[Message],
    tokenizer: &Tokenizer,
) -> Result<String, LmError> {
    let Some(template) = template else { return tokenizer.render_chat(messages, false) };
    let named = [("bos_token", tokenizer.bos_text()), ("eos_token", tokenizer.eos_text())];
    let named: BTreeMap<String, String> =
        named.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?.to_owned()))).collect();
    template.render(messages, false, &named)
}

/// The text of the first `limit` tokens, those that the tokenizer puts before it counted, as HarmBench's
/// `evaluate_completions.py` cuts it: shorter texts go through the tokenizer too.
fn cut(text: &str, limit: usize, tokenizer: &Tokenizer) -> Result<String, LmError> {
    let mut tokens = tokenizer.encode(text, AddBos::Auto)?;
    tokens.truncate(limit);
    tokenizer.decode(&tokens, true)
}

/// Replaces the placeholders in one pass: braces in what is filled in stay what they are.
fn filled(template: &str, request: &str, response: &str, context: &str) -> String {
    let places = [
        ("{prompt}", request),
        ("{behavior}", request),
        ("{response}", response),
        ("{generation}", response),
        ("{context}", context),
    ];
    let mut text = String::with_capacity(template.len() + request.len() + response.len() + context.len());
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        text += &rest[..at];
        rest = &rest[at..];
        let place = places.iter().find(|(place, _)| rest.starts_with(place));
        let (length, value) = place.map_or((1, "{"), |&(place, value)| (place.len(), value));
        text += value;
        rest = &rest[length..];
    }
    text + rest
}

/// Why a template with placeholders cannot be used, if so.
fn unusable(template: &str) -> Option<&'static str> {
    if !["{prompt}", "{behavior}"].iter().any(|place| template.contains(place)) {
        Some("expected a place for the request, {prompt} or {behavior}, got none")
    } else if !["{response}", "{generation}"].iter().any(|place| template.contains(place)) {
        Some("expected a place for the reply, {response} or {generation}, got none")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{filled, unusable};

    #[test]
    fn what_is_filled_in_is_not_filled_again() {
        let text = filled("{prompt}|{response}|{context}|{other}|{", "{response}", "{prompt} {}", "{context}");
        assert_eq!(text, "{response}|{prompt} {}|{context}|{other}|{");
        assert_eq!(filled("é{behavior}é", "ü", "", ""), "éüé");
    }

    #[test]
    fn templates_need_both_places() {
        assert_eq!(unusable("{behavior} {generation}"), None);
        assert!(unusable("{response}").unwrap().contains("{prompt}"));
        assert!(unusable("{prompt}").unwrap().contains("{response}"));
    }
}
