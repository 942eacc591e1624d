//! The files next to config.json and the weights that decide what a model does with a text.

/// The files that make up a tokenizer, its chat template included.
pub const TOKENIZER_FILES: [&str; 10] = [
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "merges.txt",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.json",
    "vocab.txt",
];

/// How the model generates: the tokens that end an answer, among others.
pub const GENERATION_CONFIG: &str = "generation_config.json";

/// Names of the tokenizer's files and of generation_config.json.
pub fn companion_files() -> impl Iterator<Item = &'static str> {
    TOKENIZER_FILES.into_iter().chain([GENERATION_CONFIG])
}
