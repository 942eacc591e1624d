//! Writes an untrained model of the zoo's shape as a Hugging Face directory, for other tools to read.
//!
//! `cargo run --release -p bunch-zoo --example initial_model -- DIR`; tests/golden/make_golden.py reads it.

use std::path::Path;

use bunch_checkpoint::ModelDirectory;
use bunch_miniature::world::{BOS, EOS, PAD, tokenizer_files, vocabulary};
use bunch_zoo::miniature::config;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = std::env::args().nth(1).ok_or("a directory is needed")?;
    let id = |word| vocabulary().id(word).ok_or("a word of the vocabulary");
    let weights = config().initial_weights(0);
    let mut directory = ModelDirectory::new(config().to_json(id(BOS)?, id(EOS)?, id(PAD)?), &weights);
    directory.files = tokenizer_files();
    Ok(directory.write(Path::new(&dir))?)
}
