//! Hashes the source that a cell depends on beside training, so that a cached cell is never older than the code that would
//! compute it.

#[path = "../bunch-miniature/build/source_hash.rs"]
mod source_hash;

const CRATES: [&str; 9] = [
    "bunch-merging",
    "bunch-recipe",
    "bunch-comparison",
    "bunch-benchmark",
    "bunch-judging",
    "bunch-search",
    "bunch-statistics",
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
