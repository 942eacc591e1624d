//! How a byte-level vocabulary cuts a text before it merges bytes.

use serde_json::{Value, json};

/// Llama 3 (`tokenizer.json` of Meta-Llama-3-8B): up to three digits stay together.
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Qwen 2 (`tokenizer.json` of Qwen2-7B): every digit for itself.
const QWEN2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Mistral Nemo (`tokenizer.json` of Mistral-Nemo-Instruct-2407): words are also cut where capitals begin.
const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// The names that [`SplitPattern::named`] knows, for messages.
pub(crate) const KNOWN: &str =
    "default, gpt-2, llama3, llama-v3, llama-bpe, smaug-bpe, falcon3, tekken, qwen2, smollm, starcoder, refact";

/// How a byte-level vocabulary cuts a text before it merges bytes, and what else llama.cpp derives from the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SplitPattern {
    /// GPT-2's own, which is what a byte-level step uses by default.
    Gpt2,
    /// Digits one by one, then GPT-2's.
    SmolLm,
    Llama3,
    Tekken,
    Qwen2,
}

impl SplitPattern {
    /// The pattern that llama.cpp calls `name` (`tokenizer.ggml.pre`); none where it is not known.
    ///
    /// The groups are llama.cpp's (`llama_vocab::impl::load`). Its `default` is GPT-2's, as transformers reads it.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "default" | "gpt-2" => Self::Gpt2,
            "llama3" | "llama-v3" | "llama-bpe" | "smaug-bpe" | "falcon3" => Self::Llama3,
            "tekken" => Self::Tekken,
            "qwen2" => Self::Qwen2,
            "smollm" | "starcoder" | "refact" => Self::SmolLm,
            _ => return None,
        })
    }

    /// Whether a piece that is a token as a whole is taken as it is, whatever the merges would make of it; llama.cpp and
    /// the models' own files agree on it.
    pub(crate) fn ignores_merges(self) -> bool {
        matches!(self, Self::Llama3 | Self::Tekken)
    }

    /// Whether a text begins with BOS where the file does not say; llama.cpp's defaults.
    pub(crate) fn adds_bos(self) -> bool {
        matches!(self, Self::Llama3 | Self::Tekken)
    }

    /// `normalizer` of `tokenizer.json`. Qwen 2 composes characters; a GGUF file has no word for it.
    pub(crate) fn normalizer(self) -> Value {
        if self == Self::Qwen2 { json!({ "type": "NFC" }) } else { Value::Null }
    }

    /// `pre_tokenizer` of `tokenizer.json`; `add_prefix_space` puts a space before a text that begins without one.
    pub(crate) fn pre_tokenizer(self, add_prefix_space: bool) -> Value {
        let bytes = |use_regex: bool| {
            json!({
                "type": "ByteLevel", "add_prefix_space": add_prefix_space, "trim_offsets": true, "use_regex": use_regex
            })
        };
        let sequence =
            |first: Value, use_regex| json!({ "type": "Sequence", "pretokenizers": [first, bytes(use_regex)] });
        let split = |pattern: &str| json!({ "type": "Split", "pattern": { "Regex": pattern }, "behavior": "Isolated", "invert": false });
        match self {
            Self::Gpt2 => bytes(true),
            Self::SmolLm => sequence(json!({ "type": "Digits", "individual_digits": true }), true),
            Self::Llama3 => sequence(split(LLAMA3), false),
            Self::Tekken => sequence(split(TEKKEN), false),
            Self::Qwen2 => sequence(split(QWEN2), false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{KNOWN, SplitPattern};

    #[test]
    fn every_name_that_messages_list_is_known_and_no_other() {
        for name in KNOWN.split(", ") {
            assert!(SplitPattern::named(name).is_some(), "{name}");
        }
        for name in ["", "Llama3", "bert-bpe", "gpt2"] {
            assert!(SplitPattern::named(name).is_none(), "{name}");
        }
    }
}
