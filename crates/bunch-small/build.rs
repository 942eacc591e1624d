//! Hashes the source that training depends on, so that a cached model is never older than the code that would train it.

#[path = "../bunch-miniature/build/source_hash.rs"]
mod source_hash;

const CRATES: [&str; 7] =
    ["bunch-random", "bunch-lm", "bunch-checkpoint", "bunch-judging", "bunch-llama", "bunch-tuning", "bunch-small"];

fn main() {
    source_hash::emit("BUNCH_SMALL_CODE", &CRATES, &[]);
}
