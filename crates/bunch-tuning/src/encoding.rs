//! From conversations to token sequences, with what is learned marked.

use std::ops::Range;

use bunch_lm::{AddBos, Message, TokenId, Tokenizer};
use serde::{Deserialize, Serialize};

use crate::{ConversationFile, Example, PreferenceExample, PreferenceFile, TuningError};

/// How a conversation becomes one text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// By the model's chat template. The tokens of every turn of the assistant are learned, with the one that ends it.
    #[default]
    ChatTemplate,
    /// `prompt response` with one space between and the tokenizer's EOS after, as LM-Cocktail scores pairs; for one prompt
    /// and one response.
    Plain,
}

/// What happens to a sequence of more tokens than are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TooLong {
    /// It is an error.
    #[default]
    Refuse,
    /// Its end is cut off. If nothing that is learned is left, it is an error still.
    Cut,
}

/// How text becomes training sequences.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encoding {
    /// How a conversation becomes one text.
    pub format: Format,
    /// The most tokens of a sequence.
    pub max_tokens: usize,
    /// What happens to longer ones.
    pub too_long: TooLong,
}

/// Training sequences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedExamples {
    /// One for each conversation.
    pub examples: Vec<Example>,
    /// Lines of the file whose sequences were cut.
    pub cut_lines: Vec<usize>,
}

/// Training sequences of preferences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedPairs {
    /// One for each pair.
    pub examples: Vec<PreferenceExample>,
    /// Lines of the file of which a sequence was cut.
    pub cut_lines: Vec<usize>,
}

impl Encoding {
    /// The training sequences of all conversations.
    ///
    /// The prompt's tokens are those the model is given when it answers, as far as the tokenizer allows: a text is encoded
    /// as a whole where turns end between tokens, else piece by piece.
    ///
    /// # Errors
    /// A conversation that the chat template refuses or does not end, or a sequence that is too long, with its line.
    pub fn encode(&self, file: &ConversationFile, tokenizer: &Tokenizer) -> Result<EncodedExamples, TuningError> {
        let (mut examples, mut cut_lines) = (Vec::with_capacity(file.conversations.len()), Vec::new());
        for conversation in &file.conversations {
            let refuse = |what| TuningError::Line { path: file.path.clone(), line: conversation.line, what };
            let example = self.example(&conversation.messages, tokenizer).map_err(refuse)?;
            let (example, is_cut) = self.fitted(example, "conversation").map_err(refuse)?;
            cut_lines.extend(is_cut.then_some(conversation.line));
            examples.push(example);
        }
        Ok(EncodedExamples { examples, cut_lines })
    }

    /// The training sequences of all pairs; of each conversation, the last turn alone is learned.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encode_pairs(&self, file: &PreferenceFile, tokenizer: &Tokenizer) -> Result<EncodedPairs, TuningError> {
        let (mut examples, mut cut_lines) = (Vec::with_capacity(file.pairs.len()), Vec::new());
        for pair in &file.pairs {
            let side = |name: &str, messages: &[Message]| {
                let mut example = self.example(messages, tokenizer)?;
                example.learned.drain(..example.learned.len().saturating_sub(1));
                self.fitted(example, &format!("{name} conversation"))
            };
            let sides = side("chosen", &pair.chosen).and_then(|it| Ok((it, side("rejected", &pair.rejected)?)));
            let refuse = |what| TuningError::Line { path: file.path.clone(), line: pair.line, what };
            let ((chosen, is_chosen_cut), (rejected, is_rejected_cut)) = sides.map_err(refuse)?;
            cut_lines.extend((is_chosen_cut || is_rejected_cut).then_some(pair.line));
            examples.push(PreferenceExample { chosen, rejected });
        }
        Ok(EncodedPairs { examples, cut_lines })
    }

    /// The example, called `name`, in the tokens that are allowed, and whether its end was cut off.
    fn fitted(&self, mut example: Example, name: &str) -> Result<(Example, bool), String> {
        let (tokens, max) = (example.tokens.len(), self.max_tokens);
        if tokens <= max {
            return Ok((example, false));
        }
        if self.too_long == TooLong::Refuse {
            return Err(format!("the {name} has {tokens} tokens, more than the {max} allowed"));
        }
        cut(&mut example, max);
        if example.learned.is_empty() {
            return Err(format!("of the {name}'s {tokens} tokens, the first {max} are prompt alone"));
        }
        Ok((example, true))
    }

    fn example(&self, messages: &[Message], tokenizer: &Tokenizer) -> Result<Example, String> {
        match self.format {
            Format::ChatTemplate => templated(messages, tokenizer),
            Format::Plain => plain(messages, tokenizer),
        }
    }
}

/// Leaves the first `max` tokens.
fn cut(example: &mut Example, max: usize) {
    example.tokens.truncate(max);
    example.learned.retain_mut(|range| {
        range.end = range.end.min(max);
        range.start < range.end
    });
}

fn plain(messages: &[Message], tokenizer: &Tokenizer) -> Result<Example, String> {
    let [prompt, response] = messages else {
        return Err("has more than a prompt and a response, which needs the chat template".into());
    };
    if prompt.role != "user" {
        return Err(format!("begins with the role `{}`, which needs the chat template", prompt.role));
    }
    let eos = tokenizer.eos().ok_or("the tokenizer has no EOS token to end a response with")?;
    let text = format!("{} {}", prompt.content, response.content);
    let (mut tokens, places) = encode_pieces(&text, &[prompt.content.len()], AddBos::Auto, tokenizer)?;
    tokens.push(eos);
    Ok(Example::answer(tokens, places[0]))
}

fn templated(messages: &[Message], tokenizer: &Tokenizer) -> Result<Example, String> {
    let render = |messages: &[Message], opens: bool| tokenizer.render_chat(messages, opens).map_err(|e| e.to_string());
    let full = render(messages, false)?;
    let ends: Vec<String> = stop_texts(tokenizer)?;
    let mut cuts = Vec::new();
    for (index, _) in messages.iter().enumerate().filter(|(_, message)| message.role == "assistant") {
        let (before, until) = (render(&messages[..index], true)?, render(&messages[..=index], false)?);
        if !full.starts_with(&until) || !until.starts_with(&before) {
            return Err(format!(
                "the chat template renders what comes before turn {} differently once it is there",
                index + 1
            ));
        }
        // What follows the token that ends the turn, often a line break, is the template's.
        let turn = &until[before.len()..];
        let end = ends.iter().filter_map(|end| turn.rfind(end.as_str()).map(|at| at + end.len())).max();
        let end = end.ok_or_else(|| {
            format!("the chat template does not end the assistant's turn {} with one of {ends:?}", index + 1)
        })?;
        cuts.extend([before.len(), before.len() + end]);
    }
    // Nothing after the last end is read.
    let text = &full[..*cuts.last().ok_or("there is no turn of the assistant")?];
    let (tokens, places) = encode_pieces(text, &cuts, AddBos::Never, tokenizer)?;
    let learned: Vec<Range<usize>> = places.chunks_exact(2).map(|pair| pair[0]..pair[1]).collect();
    Ok(Example { tokens, learned })
}

/// The texts of the tokens that end a turn.
fn stop_texts(tokenizer: &Tokenizer) -> Result<Vec<String>, String> {
    let texts = tokenizer.stop_tokens().iter().map(|&id| tokenizer.decode(&[id], false));
    let texts: Vec<String> = texts.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
    match texts.is_empty() {
        true => Err("the model names no token that ends an answer".into()),
        false => Ok(texts),
    }
}

/// The tokens of `text`, and how many there are before each byte offset of `cuts`, which are in ascending order.
fn encode_pieces(
    text: &str,
    cuts: &[usize],
    add_bos: AddBos,
    tokenizer: &Tokenizer,
) -> Result<(Vec<TokenId>, Vec<usize>), String> {
    let encode = |text: &str, add_bos| tokenizer.encode(text, add_bos).map_err(|error| error.to_string());
    let whole = encode(text, add_bos)?;
    let mut places = Vec::with_capacity(cuts.len());
    for &cut in cuts {
        let before = encode(&text[..cut], add_bos)?;
        if !whole.starts_with(&before) {
            break;
        }
        places.push(before.len());
    }
    if places.len() == cuts.len() {
        return Ok((whole, places));
    }
    let (mut tokens, mut places, mut start) = (Vec::new(), Vec::new(), 0);
    for &cut in cuts {
        tokens.extend(encode(&text[start..cut], if start == 0 { add_bos } else { AddBos::Never })?);
        places.push(tokens.len());
        start = cut;
    }
    tokens.extend(encode(&text[start..], if start == 0 { add_bos } else { AddBos::Never })?);
    Ok((tokens, places))
}
