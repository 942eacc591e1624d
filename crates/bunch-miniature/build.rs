//! Hashes the source that training depends on, so that a cached model is never older than the code that would train it.

#[path = "build/source_hash.rs"]
mod source_hash;

const CRATES: [&str; 6] =
    ["bunch-random", "bunch-lm", "bunch-checkpoint", "bunch-transformer", "bunch-tuning", "bunch-miniature"];

fn main() {
    source_hash::emit("BUNCH_TRAINING_CODE", &CRATES, &[]);
}
