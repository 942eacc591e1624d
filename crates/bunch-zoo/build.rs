//! Hashes the source that training depends on, so that a cached model is never older than the code that would train it.

#[path = "build/source_hash.rs"]
mod source_hash;

/// Data that is part of the program, the recipes, is covered by each model's address.
const CRATES: [&str; 8] = [
    "bunch-random",
    "bunch-lm",
    "bunch-checkpoint",
    "bunch-judging",
    "bunch-transformer",
    "bunch-tuning",
    "bunch-miniature",
    "bunch-zoo",
];

fn main() {
    source_hash::emit("BUNCH_TRAINING_CODE", &CRATES, &[]);
}
