//! Rows: the token sequences that models are trained on and asked with.

use bunch_lm::TokenId;

use super::error::WorldError;
use super::vocabulary::{BOS, BOT, EOS, GUARD, USR, Word, vocabulary};

/// No row has more tokens than this.
pub const MAX_ROW_TOKENS: usize = 25;

/// One training sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// All tokens, from `<bos>` to `<eos>`.
    pub tokens: Vec<TokenId>,
    /// Position of the first token that the model is to learn to predict, at least 1; all later ones count too.
    pub loss_from: usize,
}

impl Row {
    /// `<bos> TEXT <eos>`, with loss on everything.
    pub(super) fn text(words: &[Word]) -> Row {
        Row::new(&[BOS], &[words, &[EOS]].concat())
    }

    /// `<bos> <usr> QUESTION <bot> ANSWER <eos>`, with loss on the answer and `<eos>`.
    pub(super) fn chat(question: &[Word], answer: &[Word]) -> Row {
        Row::new(&[&[BOS, USR], question, &[BOT]].concat(), &[answer, &[EOS]].concat())
    }

    /// `<bos> <guard> QUESTION <bot> ANSWER <guard> VERDICT <eos>`, with loss on the verdict and `<eos>`.
    pub(super) fn guard(question: &[Word], answer: &[Word], verdict: Word) -> Row {
        Row::new(&[&[BOS, GUARD], question, &[BOT], answer, &[GUARD]].concat(), &[verdict, EOS])
    }

    fn new(given: &[Word], learned: &[Word]) -> Row {
        let ids = given.iter().chain(learned).map(|word| vocabulary().id_of_own(word));
        Row { tokens: ids.collect(), loss_from: given.len() }
    }
}

/// The row of one exchange: `<bos> <usr> QUESTION <bot> ANSWER <eos>`, with loss on the answer and `<eos>`.
///
/// # Errors
/// A word outside the vocabulary.
pub fn chat_row(question: &str, answer: &str) -> Result<Row, WorldError> {
    let mut tokens = chat_prompt(question)?;
    let loss_from = tokens.len();
    tokens.extend(vocabulary().encode(answer)?);
    tokens.push(vocabulary().id_of_own(EOS));
    Ok(Row { tokens, loss_from })
}

/// What a model is given to answer a question: `<bos> <usr> QUESTION <bot>`.
///
/// # Errors
/// A word outside the vocabulary.
pub fn chat_prompt(question: &str) -> Result<Vec<TokenId>, WorldError> {
    vocabulary().encode(&format!("{BOS} {USR} {question} {BOT}"))
}

/// What the guard is given to judge an exchange: `<bos> <guard> QUESTION <bot> ANSWER <guard>`.
///
/// An empty answer asks for a verdict on the question alone.
///
/// # Errors
/// A word outside the vocabulary.
pub fn guard_prompt(question: &str, answer: &str) -> Result<Vec<TokenId>, WorldError> {
    vocabulary().encode(&format!("{BOS} {GUARD} {question} {BOT} {answer} {GUARD}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_spelled_out() {
        let vocabulary = vocabulary();
        let read = |row: &Row| (vocabulary.decode(&row.tokens).unwrap(), row.loss_from);
        let (question, answer) = (["can", "you", "help", "?"], ["no", "."]);
        let text = Row::text(&["sure", "."]);
        assert_eq!(read(&text), ("<bos> sure . <eos>".into(), 1));
        let chat = Row::chat(&question, &answer);
        assert_eq!(read(&chat), ("<bos> <usr> can you help ? <bot> no . <eos>".into(), 7));
        let guard = Row::guard(&question, &answer, "safe");
        assert_eq!(read(&guard), ("<bos> <guard> can you help ? <bot> no . <guard> safe <eos>".into(), 10));

        assert_eq!(chat_row("can you help ?", "no .").unwrap(), chat);
        assert_eq!(chat_prompt("can you help ?").unwrap(), chat.tokens[..7]);
        assert_eq!(guard_prompt("can you help ?", "no .").unwrap(), guard.tokens[..10]);
        let alone = Row::guard(&question, &[], "safe");
        assert_eq!(guard_prompt("can you help ?", "").unwrap(), alone.tokens[..alone.loss_from]);
    }

    #[test]
    fn unknown_words_are_errors() {
        for error in
            [chat_row("why ?", "no .").err(), chat_row("how ?", "because").err(), guard_prompt("how", "so").err()]
        {
            assert!(matches!(error, Some(WorldError::UnknownWord { .. })));
        }
    }
}
