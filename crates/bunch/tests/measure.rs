//! `bunch measure` as a user runs it, on the miniature's pool with models that never learned.

mod untrained_pool;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use untrained_pool::write_pool;

/// A pool and a merge of its base and one expert.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().expect("a folder") };
        fs::create_dir(place.path("pool")).expect("made");
        write_pool(&place.path("pool"));
        let (pool, merged) = (place.text("pool"), place.text("merged"));
        let merge = [
            "merge",
            &merged,
            "--pool",
            &pool,
            "--method",
            "linear",
            "--expert",
            "aligned:0.5",
            "--expert",
            "expert-bio:0.5",
            "-q",
        ];
        assert!(bunch(&merge).output().expect("bunch runs").status.success());
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Puts the base in the merge's place, whose card stays.
    fn replace_merged_by_aligned(&self) {
        let entries =
            |name: &str| fs::read_dir(self.path(name)).expect("a folder").map(|entry| entry.expect("an entry").path());
        let own = entries("merged").filter(|path| !path.ends_with("README.md"));
        own.for_each(|path| fs::remove_file(path).expect("removed"));
        for path in entries("pool/models/aligned") {
            fs::copy(&path, self.path("merged").join(path.file_name().expect("a name"))).expect("copied");
        }
    }

    /// The command that measures the merge next to the base and the expert, with results in `out`.
    fn measure(&self, out: &str, more: &[&str]) -> Command {
        let (pool, merged, out) = (self.text("pool"), self.text("merged"), self.text(out));
        let fixed = ["measure", &pool, &merged, "--out", &out, "--members", "expert-bio", "--tasks", "bio", "-q"];
        bunch(&[&fixed, more].concat())
    }

    fn measured(&self, out: &str, more: &[&str]) -> String {
        let output = self.measure(out, more).output().expect("bunch runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }
}

fn bunch(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bunch"));
    command.args(arguments).env("XDG_CACHE_HOME", std::env::temp_dir().join("bunch-test-cache"));
    command.env_remove("BUNCH_DATA");
    command
}

/// All files below a folder.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(
                files(&path).into_iter().map(|(name, bytes)| {
                    (path.file_name().map_or(name.clone(), |own| Path::new(own).join(&name)), bytes)
                }),
            );
        } else {
            found.insert(path.file_name().expect("a name").into(), fs::read(&path).expect("a file"));
        }
    }
    found
}

fn lines(path: &Path) -> usize {
    fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

#[test]
fn a_merge_is_measured_next_to_the_members_of_its_pool() {
    let place = Place::new();
    let card = || fs::read_to_string(place.path("merged/README.md")).expect("a card");
    assert!(card().contains("The safety of this merge was not measured"));
    let printed = place.measured("out", &["--limit", "24"]);
    for part in
        ["merged (this merge)", "aligned (base)", "expert-bio", "safe answers", "bio, acc", "results.json", "page.html"]
    {
        assert!(printed.contains(part), "{part}: {printed}");
    }

    // The same numbers as the commands that measure one model.
    let results: Value =
        serde_json::from_slice(&fs::read(place.path("out/results.json")).expect("results")).expect("JSON");
    let quantity = |name: &str, model: usize| {
        let quantities = results["quantities"].as_array().expect("quantities");
        let found = quantities.iter().find(|quantity| quantity["name"] == name).expect("the quantity");
        found["values"][model]["share"]["successes"].as_u64().expect("a count")
    };
    let (pool, safety) = (place.text("pool"), place.text("safety"));
    let arguments = ["safety", "--pool", &pool, "--model", "aligned", "--limit", "24", "--out", &safety, "-q"];
    assert!(bunch(&arguments).output().expect("bunch runs").status.success());
    let report: Value =
        serde_json::from_slice(&fs::read(place.path("safety/report.json")).expect("a report")).expect("JSON");
    assert_eq!(results["models"][1]["safety"]["judges"][0]["all"], report["report"]["judges"][0]["all"]);
    assert_eq!(quantity("alignment", 1), report["report"]["judges"][0]["all"]["safe"].as_u64().expect("a count"));
    let scores = place.text("scores.json");
    let eval = [
        "eval",
        "--pool",
        &pool,
        "--model",
        "expert-bio",
        "--tasks",
        "bio",
        "--limit",
        "24",
        "--apply-chat-template",
        "--add-bos",
        "never",
        "--out",
        &scores,
        "-q",
    ];
    assert!(bunch(&eval).output().expect("bunch runs").status.success());
    let scores: Value = serde_json::from_slice(&fs::read(&scores).expect("scores")).expect("JSON");
    assert_eq!(quantity("task.bio", 2) as f64 / 24.0, scores["results"]["bio"]["acc,none"].as_f64().expect("a score"));

    // What was measured stands in the card of the merge, and in that of the output.
    assert!(
        !card().contains("not measured") && card().contains("## Measurements") && card().contains("model-index:"),
        "{}",
        card()
    );
    assert!(card().contains("| `expert-bio` | merged |"), "what was merged stays: {}", card());
    assert_eq!(card(), fs::read_to_string(place.path("out/README.md")).expect("a card"));
    let page = fs::read_to_string(place.path("out/page.html")).expect("a page");
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("by guard, ") && !page.contains("<script"), "{page}");
}

#[test]
fn a_measurement_that_was_killed_goes_on_and_ends_with_the_same_bytes() {
    let place = Place::new();
    let options = ["--limit", "96", "--keep-card"];
    place.measured("whole", &options);
    let expected = files(&place.path("whole"));
    let journals: Vec<&PathBuf> =
        expected.keys().filter(|name| name.extension().is_some_and(|end| end == "jsonl")).collect();
    assert_eq!(journals.len(), 3 * 5, "{journals:?}");

    // Killed in the middle of the first answers, of the second model's task, and of the judge's work.
    for journal in ["merge/harmful.jsonl", "members/aligned/benign.jsonl", "merge/harmful.guard.jsonl"] {
        let path = place.path("killed/answers").join(journal);
        let mut command = place.measure("killed", &options);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("bunch runs");
        let begun = Instant::now();
        while lines(&path) == 0
            && begun.elapsed() < Duration::from_secs(60)
            && child.try_wait().expect("a child").is_none()
        {
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().expect("killed");
        child.wait().expect("ended");
        assert!(lines(&path) > 0 && !place.path("killed/results.json").exists(), "{journal}");
    }
    // A line that was being written when the machine stopped.
    let torn = place.path("killed/answers/merge/harmful.guard.jsonl");
    let mut text = fs::read(&torn).expect("a journal");
    text.extend_from_slice(b"{\"prompt\":\"half");
    fs::write(&torn, text).expect("written");
    place.measured("killed", &options);
    assert_eq!(files(&place.path("killed")), expected);
    // Everything is known: nothing is asked again.
    place.measured("killed", &options);
    assert_eq!(files(&place.path("killed")), expected);
}

#[test]
fn what_cannot_be_measured_is_said_before_any_model_is_asked() {
    let place = Place::new();
    let fails = |more: &[&str]| {
        let Output { status, stderr, .. } = place.measure("out", more).output().expect("bunch runs");
        assert!(!status.success(), "{more:?} succeeded");
        String::from_utf8(stderr).expect("UTF-8")
    };
    for (more, message) in [
        (&["--guard", "gard"][..], "--guard: expected a helper with `judge`, of guard, judge, truth, got `gard`"),
        (
            &["--second-judge", "gard"],
            "--second-judge: expected none, or another helper that judges than guard, of judge, truth, got `gard`",
        ),
    ] {
        let error = fails(more);
        assert!(error.contains(message), "{more:?}: {error}");
        assert!(!place.path("out").exists(), "{more:?}");
    }

    // The answers of another model are not continued unless that is wanted.
    place.measured("out", &["--limit", "8", "--keep-card", "--second-judge", "none"]);
    place.replace_merged_by_aligned();
    let error = fails(&["--limit", "8", "--keep-card"]);
    assert!(error.contains("harmful.jsonl") && error.contains("sha256:"), "{error}");
    let printed = place.measured("out", &["--limit", "8", "--keep-card", "--overwrite"]);
    assert!(printed.contains("note: merged has the weights of aligned"), "{printed}");
    let card = fs::read_to_string(place.path("merged/README.md")).expect("a card");
    assert!(card.contains("was not measured"), "{card}");
}
