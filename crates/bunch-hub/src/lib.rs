//! Fetching model repositories from the Hugging Face hub.
//!
//! [`fetch`] puts a repository's model into a folder: configuration, tokenizer, chat template and safetensors weights. Every
//! file is checked against the digest that the hub lists for it, an interrupted download resumes where it stopped, and a
//! file is in the folder completely or not at all.

#![forbid(unsafe_code)]

mod digest;
mod download;
mod error;
mod fetch;
mod hub;
mod listing;
mod selection;

pub use error::HubError;
pub use fetch::{Fetched, FetchedFile, fetch};
pub use hub::Hub;
pub use selection::Selection;
