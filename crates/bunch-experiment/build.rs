//! Hashes the source that a cell depends on beside training, so that a cached cell is never older than the code that would
//! compute it.

#[path = "../bunch-miniature/build/source_hash.rs"]
mod source_hash;

const CRATES: [&str; 7] = [
    "bunch-merging",
    "bunch-comparison",
    "bunch-evaluation",
    "bunch-evolution",
    "bunch-search",
    "bunch-synthesis",
    "bunch-experiment",
];

/// What orders and records cells, and what only names things.
const ELSEWHERE: [&str; 4] = [
    "bunch-experiment/src/runner",
    "bunch-experiment/src/runner.rs",
    "bunch-experiment/src/error.rs",
    "bunch-experiment/src/lib.rs",
];

fn main() {
    source_hash::emit("BUNCH_CELL_CODE", &CRATES, &ELSEWHERE);
}
