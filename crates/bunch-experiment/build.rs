//! Hashes the source that a cell depends on besides training, so that a cached cell is never older than the code that would
//! compute it.

#[path = "build/cell_files.rs"]
mod cell_files;
#[path = "../bunch-zoo/build/source_hash.rs"]
mod source_hash;

/// What a cell depends on as a whole, besides the merge methods, of which its address names the code of those that it uses. Of
/// this crate these are only the files of [`cell_files::FILES`], and of bunch-statistics those of [`cell_files::STATISTICS`].
const CRATES: [&str; 6] =
    ["bunch-evolution", "bunch-inspection", "bunch-benchmark", "bunch-judging", "bunch-search", "bunch-synthesis"];

fn main() {
    let own = cell_files::FILES.iter().map(|file| format!("bunch-experiment/src/{file}"));
    let statistics = cell_files::STATISTICS.iter().map(|file| format!("bunch-statistics/src/{file}"));
    let files: Vec<String> = own.chain(statistics).collect();
    source_hash::emit("BUNCH_CELL_CODE", &CRATES, &files);
}
