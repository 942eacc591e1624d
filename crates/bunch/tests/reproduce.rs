//! The main job as a user runs it: bad input, kill and resume, cache, any number of jobs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn bunch(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bunch"));
    command.current_dir(folder).env_remove("BUNCH_CACHE").args(arguments);
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    bunch(folder, arguments).output().expect("the program starts")
}

fn refused(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert!(!output.status.success(), "{arguments:?} was accepted");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn bad_options_say_what_would_work() {
    let table = "hammoud2024/table-1";
    for (arguments, message) in [
        (
            &["reproduce", "hammoud2024/table-9"][..],
            "unknown experiment `hammoud2024/table-9`: there are extensions/bad-apples,",
        ),
        (&["reproduce", table, "--scale", "tiny"], "unknown scale `tiny`: this experiment has miniature"),
        (&["reproduce", table, "--device", "abacus"], "unknown device `abacus`: this build has flex"),
        (&["reproduce", table, "--jobs", "0"], "--jobs: got 0, expected at least 1"),
        (&["reproduce", table, "--limit", "0"], "--limit: got 0, expected at least 1"),
        (&["reproduce", table, "--seeds", "1,1"], "--seeds: got [1, 1], expected one or more different seeds"),
        (&["methods", "average"], "unknown merge method `average`: there are linear,"),
    ] {
        let error = refused(&root(), arguments);
        assert!(error.contains(message), "{arguments:?}: {error}");
    }
    let elsewhere = tempfile::tempdir().expect("a folder");
    assert!(refused(elsewhere.path(), &["reproduce"]).contains("is not inside a checkout"));
}

#[test]
fn the_scale_of_the_paper_is_told_and_not_begun() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let (models, data, results, cache) = (place("models"), place("data"), place("results"), place("cache"));
    let mut arguments =
        vec!["reproduce", "hammoud2024/table-1", "--scale", "paper", "--models", &models, "--data", &data];
    arguments.extend(["--results", &results, "--cache", &cache]);
    let error = refused(&root(), &arguments);
    let fetch = format!("bunch fetch TIGER-Lab/MAmmoTH2-7B --out {models}/TIGER-Lab/MAmmoTH2-7B");
    assert!(error.contains("nothing was done") && error.contains(&fetch), "{error}");
    arguments.push("--dry-run");
    let output = run(&root(), &arguments);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains(&fetch), "{text}");
    assert!(text.contains("cells: 26; merges: 1278\n"), "{text}");
    assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 0);
}

#[test]
fn mistakes_in_an_experiment_have_a_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = fs::read_to_string(root().join("experiments/hammoud2024/table-1.toml")).expect("the experiment");
    fs::create_dir_all(folder.path().join("data/papers")).expect("made");
    fs::create_dir_all(folder.path().join("experiments/mine")).expect("made");
    for (from, to, message) in [
        ("question =", "qestion =", "table.toml:3:1: unknown key `qestion` (did you mean `question`?)"),
        ("merge = \"ties\"", "merge = \"tiez\"", "unknown merge method `tiez` (did you mean `ties`?)"),
        ("baseline = \"ties-grid\"", "baseline = \"ties-gird\"", "ties-gird"),
        ("x = \"alignment\"", "x = \"alinment\"", "figure: unknown column `alinment`"),
        ("\"mammoth2-7b\" = ", "\"mammut\" = ", "scale `miniature` says nothing of model `mammoth2-7b`"),
    ] {
        assert!(text.contains(from), "{from}");
        fs::write(folder.path().join("experiments/mine/table.toml"), text.replace(from, to)).expect("written");
        let error = refused(folder.path(), &["reproduce", "mine/table"]);
        assert!(error.contains(message) && error.contains("table"), "{to}: {error}");
    }
}

/// The files of a results folder but for the manifest, which holds times.
fn outputs(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).expect("the results").flatten();
    let mut files: Vec<_> = entries
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).expect("a file")))
        .filter(|(name, _)| name != "manifest.json")
        .collect();
    files.sort();
    files
}

/// Waits until a training has saved its state somewhere below `cache`.
fn wait_for_a_saved_state(cache: &Path) {
    let start = Instant::now();
    loop {
        let runs = fs::read_dir(cache.join("training")).into_iter().flatten().flatten();
        if runs.into_iter().any(|run| run.path().join("stage-0/training_position.json").exists()) {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(300), "no training state was saved");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_killed_run_resumes_and_a_finished_one_is_served_from_the_cache() {
    let folder = tempfile::tempdir().expect("a folder");
    let (cache, results) = (folder.path().join("cache"), folder.path().join("results"));
    let (cache_text, results_text) = (cache.to_string_lossy(), results.to_string_lossy());
    let mut arguments = vec!["reproduce", "hammoud2024/table-1", "--seeds", "7", "--limit", "24"];
    arguments.extend(["--cache", &cache_text, "--results", &results_text]);

    let mut killed = bunch(&root(), &arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
    wait_for_a_saved_state(&cache);
    killed.kill().expect("killed"); // SIGKILL
    killed.wait().expect("ended");
    assert!(!results.exists(), "a killed run leaves no results");

    let output = run(&root(), &arguments);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("26 cells computed, 0 from the cache"), "{text}");
    let results = results.join("hammoud2024/table-1/miniature-seeds-7-limit-24");
    let first = outputs(&results);
    let names: Vec<&str> = first.iter().map(|(name, _)| name.as_str()).collect();
    let expected =
        ["cells.csv", "claims.csv", "differences.csv", "figure.png", "figure.svg", "samples.csv", "stages.csv"];
    assert_eq!(names, [&expected[..], &["table.csv", "table.md", "table.tex"]].concat());

    let output = run(&root(), &arguments);
    assert!(String::from_utf8_lossy(&output.stdout).contains("0 cells computed, 26 from the cache"));
    assert_eq!(outputs(&results), first, "the cache gives the same bytes");
    let outlook = |more: &[&str]| {
        let output = run(&root(), &[&arguments[..], &["--dry-run"], more].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert!(outlook(&[]).contains("Cells: 26, of which 26 are cached\n"));
    assert!(outlook(&["--fresh"]).contains("Cells: 26, of which 0 are cached\n"));

    // Without the cells, but with the models: the same numbers on one thread as on all.
    fs::remove_dir_all(cache.join("cells")).expect("removed");
    let text = outlook(&[]);
    for line in ["Cells: 26, of which 0 are cached\n", "Models to train: 0, ", "Data to generate: 0\n"] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let output = run(&root(), &[&arguments[..], &["--jobs", "1"]].concat());
    assert!(String::from_utf8_lossy(&output.stdout).contains("26 cells computed"));
    assert_eq!(outputs(&results), first, "threads do not change a byte");

    let manifest = results.join("manifest.json");
    let text = fs::read_to_string(&manifest).expect("a manifest");
    let start = text.find("\"experiment_sha256\": \"").expect("the hash") + 22;
    fs::write(&manifest, format!("{}{}{}", &text[..start], "0".repeat(64), &text[start + 64..])).expect("written");
    let error = refused(&root(), &arguments);
    assert!(error.contains("holds results of another specification") && error.contains("--overwrite"), "{error}");
    assert!(run(&root(), &[&arguments[..], &["--overwrite"]].concat()).status.success());
}
