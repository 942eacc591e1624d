//! Merged vocabularies: one tokenizer for models whose tokens differ.
//!
//! [`merge_vocabularies`] takes the models' tokenizers and the recipe's rules and decides what the output's tokenizer is,
//! how many rows its vocabulary tensors (`embed_tokens`, `lm_head`) have, and for each model and each of these rows
//! where the values come from. [`choose_chat_template`] and [`set_chat_template`] do the same for the chat template.
//! Nothing here reads a file or touches a weight.
//!
//! The rules are those of mergekit 0.1.5. Where its result hangs on the order of a set (which model is "first", the ids
//! of the regular tokens that a union adds), the order here is the recipe's, and within a model that of the ids.

mod added_token;
mod chat_template;
mod declared_tokens;
mod error;
mod merged;
mod output_tokenizer;
mod request;
mod row_plan;
mod tokenizer;
mod tokenizer_json;
mod vocabulary;

pub use chat_template::{ChatTemplate, chat_template_of, choose_chat_template, set_chat_template};
pub use error::VocabularyError;
pub use merged::{MergedVocabulary, RowSource, merge_vocabularies};
pub use request::{EmbeddingSource, ModelVocabulary, TokenReference, TokenRule, TokenizerSource, VocabularyRequest};
pub use tokenizer::Tokenizer;
