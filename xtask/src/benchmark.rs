//! Measures `bunch merge` and mergekit on the same merges.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::comparison::Comparison;
use crate::machine::describe_machine;
use crate::measurement::Measurement;
use crate::merge::Merge;
use crate::model_set::ModelSet;
use crate::model_size::ModelSize;
use crate::page::{EMPTY_PAGE, replace_section};
use crate::section::Section;
use crate::tool::Tool;

/// Models of a benchmark: a base and two experts.
const MODELS: u32 = 3;
/// The experts among them.
const EXPERTS: [&str; 2] = ["e1", "e2"];

/// What to measure.
#[derive(Debug, Args)]
pub struct Options {
    /// The bunch to measure.
    #[arg(long, default_value = "target/release/bunch")]
    bunch: PathBuf,
    /// The Python interpreter of the mergekit to measure; without it only bunch is measured.
    #[arg(long, value_name = "PYTHON")]
    mergekit: Option<PathBuf>,
    /// Folder of the models base, e1 and e2; missing ones are generated [default: target/benchmark/SIZE]
    #[arg(long, value_name = "DIR")]
    models: Option<PathBuf>,
    /// Size of the models.
    #[arg(long, value_enum, default_value = "0.5B")]
    size: ModelSize,
    /// Runs of each merge, after one warm-up if there are several.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Runs of the start-up.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    start_up_runs: u32,
    /// The merges.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "linear,slerp,task_arithmetic,ties,dare_ties")]
    merges: Vec<Merge>,
    /// The page whose section of this size is rewritten.
    #[arg(long, value_name = "FILE", default_value = "docs/benchmarks.md")]
    out: PathBuf,
}

impl Options {
    /// The warm-ups of each merge.
    fn warm_ups(&self) -> u32 {
        u32::from(self.runs > 1)
    }

    /// The command line, less where things are on one machine.
    fn command_line(&self) -> String {
        let merges: Vec<&str> = self.merges.iter().map(|merge| merge.name()).collect();
        let mergekit = if self.mergekit.is_some() { " --mergekit PYTHON" } else { "" };
        let (size, runs, merges) = (self.size.name(), self.runs, merges.join(","));
        format!("cargo xtask benchmark{mergekit} --size {size} --runs {runs} --merges {merges}")
    }
}

/// Measures, prints the section and writes it to the page.
///
/// # Errors
/// Fails if a tool, a model or the page is missing or broken, if a merge fails or is incomplete, or on an I/O error.
pub fn run(options: &Options) -> Result<()> {
    let mut tools = vec![Tool::bunch(&options.bunch)?];
    tools.extend(options.mergekit.clone().map(Tool::Mergekit));
    let mut conditions = vec![describe_machine()?];
    for tool in &tools {
        conditions.push(tool.version()?);
    }
    conditions.push(match options.runs {
        1 => "Merges: one run of each tool".to_owned(),
        runs => format!("Merges: median of {runs} runs, the tools in turns, after one run that does not count"),
    });
    conditions.push(format!("Start-up: median of {} runs, likewise", options.start_up_runs));
    let page = if options.out.exists() {
        fs::read_to_string(&options.out).with_context(|| format!("reading {}", options.out.display()))?
    } else {
        EMPTY_PAGE.to_owned()
    };
    // Slow merges are measured less often than fast ones: each choice has its own section.
    let names: Vec<&str> = options.merges.iter().map(|merge| merge.name()).collect();
    let key = format!("{} ({})", options.size.name(), names.join(", "));
    // Fail on a page that cannot be written before the work, not after it.
    write_page(&options.out, &page)?;
    replace_section(&page, &key, "").with_context(|| options.out.display().to_string())?;

    let set = ModelSet::open_or_generate(options.models.as_deref(), options.size, MODELS)?;
    let stderr = set.work_path("stderr.txt");
    let start_up =
        Comparison::take(&tools, 1, options.start_up_runs, |tool| Measurement::take(&mut tool.help(), &stderr))?;
    let mut merges = Vec::new();
    for &merge in &options.merges {
        let inputs = merge.inputs(&EXPERTS);
        let comparison = Comparison::take(&tools, options.warm_ups(), options.runs, |tool| {
            // Each time: a large process between two runs pushes some of it out of the page cache.
            set.read_through(&inputs)?;
            measure_merge(&set, tool.merge(&write_recipe(&set, merge, &EXPERTS)?, &set.work_path("output")))
                .with_context(|| format!("{} by {}", merge.name(), tool.shown_command()))
        })?;
        merges.push((merge, inputs.len(), comparison));
    }
    let copy = options.merges.contains(&Merge::Linear).then(|| measure_copy(&set, options)).transpose()?;

    let commands = std::iter::once(options.command_line());
    let section = Section {
        size: key.clone(),
        parameters: options.size.parameters(),
        model_bytes: set.model_bytes,
        conditions,
        commands: commands.chain(tools.iter().map(|tool| tool.shown_command().to_owned())).collect(),
        merges,
        start_up,
        copy,
    };
    print!("{}", section.markdown());
    write_page(&options.out, &replace_section(&page, &key, &section.markdown())?)
}

/// Writes the recipe of a merge of `experts` next to the models.
///
/// # Errors
/// Fails on an I/O error.
pub fn write_recipe(set: &ModelSet, merge: Merge, experts: &[&str]) -> Result<PathBuf> {
    let path = set.work_path(&format!("{}.yml", merge.name()));
    fs::write(&path, merge.recipe(set.dir(), experts)).with_context(|| format!("writing {}", path.display()))?;
    Ok(path)
}

/// Runs `command`, which merges models of `set` into `set.work_path("output")`, checks the output and removes it.
///
/// # Errors
/// Fails if the command fails or its output is incomplete, or on an I/O error.
pub fn measure_merge(set: &ModelSet, mut command: Command) -> Result<Measurement> {
    let out = set.work_path("output");
    make_room(&out)?;
    eprintln!("{command:?}");
    let measurement = Measurement::take(&mut command, &set.work_path("stderr.txt"))?;
    let Measurement { wall_seconds, cpu_seconds, .. } = measurement;
    eprintln!("  {wall_seconds:.2} s wall, {cpu_seconds:.2} s CPU");
    set.check_merge(&out)?;
    make_room(&out)?;
    Ok(measurement)
}

/// Copies the base as often as merges are measured.
fn measure_copy(set: &ModelSet, options: &Options) -> Result<Measurement> {
    let files = set.weight_files("base")?;
    set.read_through(&["base"])?;
    let out = set.work_path("output");
    let mut runs = Vec::new();
    for run in 0..options.warm_ups() + options.runs {
        make_room(&out)?;
        fs::create_dir(&out).with_context(|| format!("making {}", out.display()))?;
        // `sync` with names flushes those files and no others. Shared blocks would not be a copy.
        let script = r#"cd "$0" && cp --reflink=never "$@" . && sync -- *"#;
        let mut command = Command::new("sh");
        command.args(["-c", script]).arg(&out).args(&files);
        let measurement = Measurement::take(&mut command, &set.work_path("stderr.txt"))?;
        make_room(&out)?;
        if run >= options.warm_ups() {
            runs.push(measurement);
        }
    }
    Measurement::median(&runs).context("nothing was copied")
}

/// Removes what is in the way of an output, and waits until the disk has nothing left to write.
fn make_room(out: &Path) -> Result<()> {
    if out.exists() {
        fs::remove_dir_all(out).with_context(|| format!("removing {}", out.display()))?;
    }
    let status = Command::new("sync").status().context("starting sync")?;
    ensure!(status.success(), "sync failed ({status})");
    Ok(())
}

fn write_page(path: &Path, page: &str) -> Result<()> {
    fs::write(path, page).with_context(|| format!("writing {}", path.display()))
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
