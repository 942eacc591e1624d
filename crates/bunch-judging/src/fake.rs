//! A scripted language model over bytes, with its tokenizer and formats, for this crate's tests.

use std::fs;

use serde_json::{Value, json};

use bunch_lm::{
    AddBos, ChatFormat, GenerateConfig, LanguageModel, LmError, Loglikelihood, LoglikelihoodRequest, TokenId, Tokenizer,
};

/// Begins a text.
pub(crate) const BOS: TokenId = 256;
/// Ends a reply.
pub(crate) const EOS: TokenId = 257;

/// A tokenizer with one token per byte, and whole ones for `<s>`, which it puts before a text, `</s>`, `<|eot_id|>` and the
/// words of HarmBench's classifier.
pub(crate) fn tokenizer(chat_template: Option<&str>) -> Tokenizer {
    let bytes: serde_json::Map<String, Value> =
        (0..=255u8).map(|byte| (byte_character(byte).to_string(), json!(byte))).collect();
    let words = ["<s>", "</s>", "<|eot_id|>", "Yes", "No", "\n\n", "safe", "unsafe"];
    let added = |(index, word): (usize, &&str)| {
        json!({
            "id": 256 + index, "content": word, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
            "special": index < 3,
        })
    };
    let file = json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null,
        "added_tokens": words.iter().enumerate().map(added).collect::<Vec<_>>(),
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [BOS], "tokens": ["<s>"]}},
        },
        "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false},
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "vocab": bytes, "merges": [],
        },
    });
    let mut config = json!({"bos_token": "<s>", "eos_token": "</s>"});
    if let Some(template) = chat_template {
        config["chat_template"] = json!(template);
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tokenizer.json"), file.to_string()).unwrap();
    fs::write(folder.path().join("tokenizer_config.json"), config.to_string()).unwrap();
    Tokenizer::from_directory(folder.path()).unwrap()
}

/// The character by which byte-level vocabularies write a byte (GPT-2's table).
fn byte_character(byte: u8) -> char {
    let is_printable = |byte: u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    if is_printable(byte) {
        return char::from(byte);
    }
    let rank = (0..byte).filter(|&other| !is_printable(other)).count() as u32;
    char::from_u32(256 + rank).unwrap()
}

/// Scores a continuation after a context.
type Score = Box<dyn Fn(&str, &str) -> f64>;

/// A model whose replies and scores are functions of the text, special tokens included.
pub(crate) struct Fake {
    pub(crate) tokenizer: Tokenizer,
    pub(crate) reply: Box<dyn Fn(&str) -> String>,
    pub(crate) score: Score,
    pub(crate) window: usize,
    /// How many answers are missing at the end of each call.
    pub(crate) lost: usize,
}

impl Fake {
    pub(crate) fn replying(reply: impl Fn(&str) -> String + 'static) -> Self {
        Self {
            tokenizer: tokenizer(None),
            reply: Box::new(reply),
            score: Box::new(|_, _| 0.0),
            window: usize::MAX,
            lost: 0,
        }
    }

    fn text(&self, ids: &[TokenId]) -> String {
        self.tokenizer.decode(ids, false).unwrap()
    }
}

impl LanguageModel for Fake {
    fn context_window(&self) -> usize {
        self.window
    }

    fn loglikelihood(&self, requests: &[LoglikelihoodRequest]) -> Result<Vec<Loglikelihood>, LmError> {
        let score = |request: &LoglikelihoodRequest| {
            assert!(request.context.len() + request.continuation.len() <= self.window);
            let sum = (self.score)(&self.text(&request.context), &self.text(&request.continuation));
            Loglikelihood { sum, is_greedy: false }
        };
        Ok(requests[..requests.len() - self.lost].iter().map(score).collect())
    }

    fn generate(&self, prompts: &[Vec<TokenId>], config: &GenerateConfig) -> Result<Vec<Vec<TokenId>>, LmError> {
        assert!(!prompts.is_empty());
        let mut replies = Vec::new();
        for (index, prompt) in prompts[..prompts.len() - self.lost].iter().enumerate() {
            assert!(prompt.len().saturating_add(config.max_new_tokens) <= self.window);
            let text = self.text(prompt);
            if text.contains("NaN") {
                return Err(LmError::Request { index, what: "logits: got NaN".into() });
            }
            let ids = self.tokenizer.encode(&(self.reply)(&text), AddBos::Never)?;
            let ends = ids.iter().position(|id| config.stop.contains(id)).unwrap_or(ids.len());
            replies.push(ids[..ends.min(config.max_new_tokens)].to_vec());
        }
        Ok(replies)
    }
}

/// A message is its text alone.
impl ChatFormat for Fake {
    fn prompt(&self, user: &str) -> Result<Vec<TokenId>, LmError> {
        self.tokenizer.encode(user, AddBos::Never)
    }

    fn answer(&self, text: &str) -> Result<Vec<TokenId>, LmError> {
        self.tokenizer.encode(&format!("{text}</s>"), AddBos::Never)
    }

    fn decode(&self, ids: &[TokenId]) -> String {
        self.tokenizer.decode(ids, true).unwrap()
    }

    fn stop(&self) -> &[TokenId] {
        &[EOS]
    }
}

#[test]
fn the_tokenizer_takes_and_gives_back_any_text() {
    let tokenizer = tokenizer(None);
    let text = "<s>É\u{0}\n\n unsafe ab</s>";
    let ids = tokenizer.encode(text, AddBos::Never).unwrap();
    assert_eq!(tokenizer.decode(&ids, false).unwrap(), text);
    assert_eq!((ids[0], *ids.last().unwrap(), ids.len()), (BOS, EOS, 11));
    assert_eq!(tokenizer.encode("a", AddBos::Auto).unwrap(), [BOS, 97]);
}
