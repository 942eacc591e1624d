//! A check that merging large models needs little memory.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::benchmark::{measure_merge, write_recipe};
use crate::byte_size::MIB;
use crate::merge::Merge;
use crate::model_set::ModelSet;
use crate::model_size::ModelSize;
use crate::table::{digits, markdown_table, mebibytes};
use crate::tool::Tool;

/// Anonymous memory that no merge may exceed, in bytes.
const LIMIT: u64 = 512 * MIB;

/// What to check.
#[derive(Debug, Args)]
pub struct Options {
    /// Folder of the models base and e1; missing ones are generated [default: target/benchmark/SIZE]
    #[arg(long, value_name = "DIR")]
    models: Option<PathBuf>,
    /// Size of the models.
    #[arg(long, value_enum, default_value = "3B")]
    size: ModelSize,
    /// The bunch to check.
    #[arg(long, default_value = "target/release/bunch")]
    bunch: PathBuf,
}

/// Merges base and expert by linear and ties, without and with `--max-memory 64MiB`, and prints what each merge needed.
///
/// # Errors
/// Fails if a merge fails or needs more than 512 MiB of anonymous memory.
pub fn run(options: &Options) -> Result<()> {
    let bunch = Tool::bunch(&options.bunch)?;
    let set = ModelSet::open_or_generate(options.models.as_deref(), options.size, 2)?;
    let (mut rows, mut largest) = (Vec::new(), 0);
    for (merge, experts) in [(Merge::Linear, &["base", "e1"][..]), (Merge::Ties, &["e1"])] {
        let recipe = write_recipe(&set, merge, experts)?;
        for max_memory in [None, Some("64MiB")] {
            let mut command = bunch.merge(&recipe, &set.work_path("output"));
            command.args(max_memory.iter().flat_map(|size| ["--max-memory", size]));
            let used = measure_merge(&set, command).with_context(|| merge.name())?;
            largest = largest.max(used.peak_anonymous);
            let (anonymous, resident) = (mebibytes(used.peak_anonymous), mebibytes(used.peak_resident));
            let verdict = if used.peak_anonymous <= LIMIT { "met" } else { "missed" };
            rows.push(vec![
                merge.name().to_owned(),
                max_memory.unwrap_or("-").to_owned(),
                format!("{anonymous} MiB"),
                format!("{} MiB, {verdict}", mebibytes(LIMIT)),
                format!("{resident} MiB"),
                format!("{} s", digits(used.wall_seconds)),
            ]);
        }
    }
    let header = ["merge", "--max-memory", "peak anonymous", "target", "peak RSS", "wall"];
    print!("{}", markdown_table(&header, &rows));
    ensure!(largest <= LIMIT, "a merge needed {} MiB, expected at most {}", mebibytes(largest), mebibytes(LIMIT));
    Ok(())
}
