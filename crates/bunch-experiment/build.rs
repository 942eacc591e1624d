//! Hashes the source that a cell depends on beside training, so that a cached cell is never older than the code that would
//! compute it.

#[path = "../bunch-miniature/build/source_hash.rs"]
mod source_hash;

const CRATES: [&str; 6] =
    ["bunch-merging", "bunch-recipe", "bunch-evaluation", "bunch-search", "bunch-synthesis", "bunch-experiment"];

fn main() {
    source_hash::emit("BUNCH_CELL_CODE", &CRATES);
}
