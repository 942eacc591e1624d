//! Tests of benchmarks, with a script in place of bunch.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::{Options, run};
use crate::memory;
use clap::Parser;

/// Options as on the command line.
#[derive(Parser)]
struct Benchmark {
    #[command(flatten)]
    options: Options,
}

/// The same of the check of memory.
#[derive(Parser)]
struct Memory {
    #[command(flatten)]
    options: memory::Options,
}

/// Runs a benchmark of tiny models where bunch is a shell script, which is given the command line of bunch.
fn benchmark(dir: &Path, script: &str) -> anyhow::Result<String> {
    let (bunch, out) = (write_script(dir, script), dir.join("page.md"));
    let models = dir.join("models");
    let [bunch, models, page] = [&bunch, &models, &out].map(|path| path.to_str().unwrap());
    let paths = ["--bunch", bunch, "--models", models, "--out", page];
    let numbers = ["--size", "tiny", "--runs", "2", "--start-up-runs", "1", "--merges", "linear,ties"];
    let arguments = ["benchmark"].into_iter().chain(paths).chain(numbers);
    run(&Benchmark::try_parse_from(arguments)?.options)?;
    Ok(fs::read_to_string(out)?)
}

fn write_script(dir: &Path, script: &str) -> std::path::PathBuf {
    let path = dir.join("bunch.sh");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// Takes e1 for the merge, and writes down what it was asked for.
const COPIES: &str = r#"echo "$@" >> "$(dirname "$0")/calls"
case $1 in
    --version) echo "bunch 9.8.7" ;;
    merge) cp -r "$(dirname "$2")/../e1" "$3" ;;
esac"#;

#[test]
fn a_benchmark_measures_and_writes_its_section() {
    let dir = tempfile::tempdir().unwrap();
    let page = benchmark(dir.path(), COPIES).unwrap();
    for part in ["# Benchmarks\n", "bunch 9.8.7", "median of 2 runs", "| linear | 1 | 0.", "| ties | 1 | 0.", "1/20 |"]
    {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains(dir.path().to_str().unwrap()), "{page}");
    let calls = fs::read_to_string(dir.path().join("calls")).unwrap();
    let count = |what: &str| calls.lines().filter(|line| line.contains(what)).count();
    // Each time one for nothing.
    assert_eq!((count("linear.yml"), count("ties.yml"), count("--help")), (3, 3, 2), "{calls}");
    assert!(!dir.path().join("models/benchmark/output").exists());

    let again = benchmark(dir.path(), COPIES).unwrap();
    assert_eq!(again.matches("## tiny").count(), 1, "{again}");
}

#[test]
fn a_merge_that_fails_or_is_not_whole_is_not_measured() {
    let dir = tempfile::tempdir().unwrap();
    let error = format!("{:#}", benchmark(dir.path(), "[ $1 != merge ] || { echo why >&2; exit 1; }").unwrap_err());
    assert!(error.contains("linear") && error.contains("why"), "{error}");
    let error = format!("{:#}", benchmark(dir.path(), r#"[ "$1" != merge ] || mkdir "$3""#).unwrap_err());
    assert!(error.contains("linear") && error.contains("output"), "{error}");
    // The page is there, without a section.
    assert!(!fs::read_to_string(dir.path().join("page.md")).unwrap().contains("## tiny"));
}

#[test]
fn the_check_of_memory_runs_four_merges() {
    let dir = tempfile::tempdir().unwrap();
    let (bunch, models) = (write_script(dir.path(), COPIES), dir.path().join("models"));
    let [bunch, models] = [&bunch, &models].map(|path| path.to_str().unwrap());
    let arguments = ["memory", "--size", "tiny", "--bunch", bunch, "--models", models];
    memory::run(&Memory::try_parse_from(arguments).unwrap().options).unwrap();
    let calls = fs::read_to_string(dir.path().join("calls")).unwrap();
    let limited: Vec<bool> = calls.lines().map(|line| line.ends_with("--max-memory 64MiB")).collect();
    assert_eq!(limited, [false, true, false, true], "{calls}");
}
