//! Hashes the source that a cell depends on beside training, so that a cached cell is never older than the code that would
//! compute it.

#[path = "../bunch-miniature/build/source_hash.rs"]
mod source_hash;

const CRATES: [&str; 9] = [
    "bunch-merging",
    "bunch-recipe",
    "bunch-inspection",
    "bunch-benchmark",
    "bunch-judging",
    "bunch-search",
    "bunch-statistics",
    "bunch-synthesis",
    "bunch-experiment",
];

/// What orders and records cells, and what only names things.
const ELSEWHERE: [&str; 21] = [
    "bunch-experiment/src/costs.rs",
    "bunch-experiment/src/declared.rs",
    "bunch-experiment/src/declared/figure_spec.rs",
    "bunch-experiment/src/planning",
    "bunch-experiment/src/planning.rs",
    "bunch-experiment/src/recording.rs",
    "bunch-experiment/src/recording/figures",
    "bunch-experiment/src/recording/figures.rs",
    "bunch-experiment/src/recording/supplement.rs",
    "bunch-experiment/src/running.rs",
    "bunch-experiment/src/running/cell_store.rs",
    "bunch-experiment/src/running/dry_run.rs",
    "bunch-experiment/src/running/model_store.rs",
    "bunch-experiment/src/running/progress.rs",
    "bunch-experiment/src/running/run.rs",
    "bunch-experiment/src/running/schedule.rs",
    "bunch-experiment/src/running/suite.rs",
    "bunch-experiment/src/verifying",
    "bunch-experiment/src/verifying.rs",
    "bunch-experiment/src/error.rs",
    "bunch-experiment/src/lib.rs",
];

fn main() {
    source_hash::emit("BUNCH_CELL_CODE", &CRATES, &ELSEWHERE);
}
