//! `bunch synthesize`, `evolve` and `align` as a user runs them, on the miniature's pool with models that never learned.

mod untrained_pool;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;
use untrained_pool::write_pool;

/// A pool, and a place for what is made of it.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().expect("a folder"));
        fs::create_dir(place.path("pool")).expect("made");
        write_pool(&place.path("pool"));
        // What harms is what the truth says; every answer that says anything is a refusal.
        let (truth, judges) = ("pool/judges/truth.toml", "pool/judges");
        let text = fs::read_to_string(place.path(truth)).expect("the truth");
        let plain = text.replace("response.contains = [\"{tool}\"]", "refusals = \"everything.toml\"");
        assert_ne!(plain, text);
        fs::write(place.path(judges).join("plain.toml"), plain).expect("written");
        let everything = "title = \"All\"\nsource = \"this test\"\nmatch = \"contains\"\nignore_case = true\n\
             strings = [\"a\", \"e\", \"i\", \"o\", \"u\", \".\", \"?\"]\n";
        fs::write(place.path(judges).join("everything.toml"), everything).expect("written");
        let pool = fs::read_to_string(place.path("pool/pool.toml")).expect("the pool");
        let pool = format!("{pool}\n[helper.plain]\njudge = \"judges/plain.toml\"\n");
        fs::write(place.path("pool/pool.toml"), pool).expect("written");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn bunch(&self, command: &str, more: &str) -> Output {
        let mut bunch = Command::new(env!("CARGO_BIN_EXE_bunch"));
        bunch.current_dir(self.0.path()).env_remove("BUNCH_DATA");
        bunch.env("XDG_CACHE_HOME", std::env::temp_dir().join("bunch-test-cache"));
        bunch.args([command, "pool"]).args(more.split_whitespace()).output().expect("bunch runs")
    }

    fn succeeds(&self, command: &str, more: &str) -> String {
        let output = self.bunch(command, more);
        assert!(output.status.success(), "{command} {more}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    fn fails(&self, command: &str, more: &str) -> String {
        let output = self.bunch(command, more);
        assert!(!output.status.success(), "{command} {more} succeeded");
        String::from_utf8(output.stderr).expect("UTF-8")
    }

    /// The files of a folder, the seconds of evaluations left out.
    fn files(&self, folder: &str) -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(self.path(folder)).expect("a folder").map(|entry| entry.expect("an entry"));
        let mut files = BTreeMap::new();
        for entry in entries {
            let mut bytes = fs::read(entry.path()).expect("a file");
            if entry.file_name() == "evaluations.jsonl" {
                let timeless = |line: &str| {
                    let mut line: Value = serde_json::from_str(line).expect("JSON");
                    line.as_object_mut().expect("an object").remove("seconds");
                    line.to_string()
                };
                let text = String::from_utf8(bytes).expect("UTF-8");
                bytes = text.lines().map(timeless).collect::<Vec<_>>().join("\n").into_bytes();
            }
            files.insert(entry.file_name().to_string_lossy().into_owned(), bytes);
        }
        files
    }

    /// Takes the end of a file away, from the middle of a line on.
    fn cut(&self, file: &str) {
        let bytes = fs::read(self.path(file)).expect("a file");
        fs::write(self.path(file), &bytes[..bytes.len() / 2]).expect("written");
    }
}

/// Models that never learned write no questions, so that those of the pool are taken, and a rule of words judges.
const DATA: &str = "--members expert-bio --guard plain --collected -q";

#[test]
fn a_pool_becomes_a_measured_merge_and_what_was_stopped_goes_on() {
    let place = Place::new();
    let synthesize =
        |out: &str, pairs: u32| place.succeeds("synthesize", &format!("{DATA} --pairs {pairs} --out {out}"));
    synthesize("data", 8);
    let stages: Value = serde_json::from_slice(&place.files("data")["stages.json"]).expect("JSON");
    assert_eq!((&stages["safety"]["wanted"], &stages["expert"]["expert-bio"]["shortfall"]), (&8.into(), &0.into()));
    for name in ["safety", "expert"] {
        let text = String::from_utf8(place.files("data")[&format!("{name}.jsonl")].clone()).expect("UTF-8");
        assert_eq!(text.lines().count(), 8, "{name}");
    }
    // Stopped in the middle, and fewer pairs first.
    synthesize("stopped", 3);
    place.cut("stopped/calls.jsonl");
    fs::remove_file(place.path("stopped/data.json")).expect("removed");
    synthesize("stopped", 8);
    let [whole, again] = ["data", "stopped"].map(|folder| place.files(folder));
    for file in ["safety.jsonl", "expert.jsonl", "stages.json", "data.json"] {
        assert!(whole[file] == again[file], "{file}");
    }

    let evolve = |out: &str, evaluations: u32| {
        let options = format!("--members expert-bio --data data --evaluations {evaluations} --out {out} -q");
        place.succeeds("evolve", &options)
    };
    assert_eq!(evolve("search", 12), "search/best.yml\n");
    evolve("longer", 7);
    place.cut("longer/evaluations.jsonl");
    evolve("longer", 12);
    assert!(place.files("search") == place.files("longer"));
    let search: Value = serde_json::from_slice(&place.files("search")["search.json"]).expect("JSON");
    let recipe = String::from_utf8(place.files("search")["best.yml"].clone()).expect("UTF-8");
    let weight = search["best"]["weight_1"].as_f64().expect("a weight") as f32;
    assert!(
        recipe.contains(&format!("    weight: {weight:?}\n")) && recipe.contains("  normalize: false\n"),
        "{recipe}"
    );

    // The same by one command, which makes nothing twice.
    let align = "aligned --members expert-bio --guard plain --collected --pairs 8 --evaluations 12 --limit 4 -q";
    let text = place.succeeds("align", align);
    assert!(text.contains("aligned/measured/results.json") && text.contains("aligned/merged/README.md"), "{text}");
    assert!(place.files("aligned/data")["expert.jsonl"] == place.files("data")["expert.jsonl"]);
    let detail = |folder: &str| -> Value {
        let search: Value = serde_json::from_slice(&place.files(folder)["search.json"]).expect("JSON");
        search["best"].clone()
    };
    assert_eq!(detail("aligned/search"), detail("search"));
    let card = String::from_utf8(place.files("aligned/merged")["README.md"].clone()).expect("UTF-8");
    assert!(card.contains("model-index") && card.contains("ties"), "{card}");
    let modified = |file: &str| fs::metadata(place.path(file)).expect("a file").modified().expect("a time");
    let before = modified("aligned/merged/model.safetensors");
    place.succeeds("align", align);
    assert_eq!(modified("aligned/merged/model.safetensors"), before);
}

#[test]
fn every_strategy_ends_in_a_recipe_that_merges() {
    let place = Place::new();
    place.succeeds("synthesize", &format!("{DATA} --pairs 4 --out data"));
    for (index, (options, recipe)) in [
        ("--strategy random --method slerp --evaluations 3 --data data", "best.yml"),
        ("--strategy grid --method task_arithmetic --genes weight=0.5:1 --tasks bio", "best.yml"),
        ("--strategy front --method linear --evaluations 4 --data data", "best.yml"),
        ("--strategy lm-cocktail --data data", "best.yml"),
        ("--strategy fixed --method dare_ties --set weight=[0.5]", "best.toml"),
    ]
    .into_iter()
    .enumerate()
    {
        let out = format!("search-{index}");
        let text = place.succeeds("evolve", &format!("--members expert-bio {options} --out {out} -q"));
        assert_eq!(text, format!("{out}/{recipe}\n"), "{options}");
        let mut merge = Command::new(env!("CARGO_BIN_EXE_bunch"));
        merge
            .current_dir(place.0.path())
            .arg("merge")
            .arg(format!("{out}/{recipe}"))
            .args([&format!("merged-{index}"), "-q"]);
        let output = merge.output().expect("bunch runs");
        assert!(output.status.success(), "{options}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn what_is_wrong_is_said_before_any_work() {
    let place = Place::new();
    let synthesize = |more: &str| place.fails("synthesize", &format!("--out failed -q {more}"));
    let unknown = synthesize("--members algined");
    assert!(
        unknown.contains("--members: expected different members besides the base, of ")
            && unknown.contains("expert-bio"),
        "{unknown}"
    );
    let guard = synthesize("--members expert-bio --pairs 4");
    assert!(guard.contains("expected a guard that tells harmful from benign, as `guard`"), "{guard}");
    let harmless = synthesize("--members expert-bio --guard truth --pairs 4 --overwrite");
    assert!(harmless.contains("as `truth`, got safe for all of 16 harmful requests"), "{harmless}");
    let silent = synthesize("--members expert-bio --guard plain --pairs 4 --overwrite");
    assert!(
        silent.contains("D_safety: expected 4 pairs, got 0 of") && silent.contains("`uncensored` wrote no question"),
        "{silent}"
    );
    let exclude = synthesize("--exclude harmfull");
    assert!(exclude.contains("--exclude: expected a set of prompts or a task of the pool, of benign"), "{exclude}");

    place.succeeds("synthesize", &format!("{DATA} --pairs 4 --out data"));
    for (options, message) in [
        ("", "--data: expected the folder that bunch synthesize wrote, got none"),
        ("--data nowhere", "nowhere/safety.jsonl"),
        ("--data data --method tise", "did you mean `ties`?"),
        ("--data data --method ties --genes wieght=0..1", "did you mean `weight`?"),
        ("--data data --method ties --genes weight=0.5:1", "--genes: expected a range as in weight=0..1"),
        ("--data data --method model_stock", "--genes: expected a range for at least one parameter"),
        ("--data data --method slerp --members expert-bio,expert-stem", "exactly one expert"),
    ] {
        let error = place.fails("evolve", &format!("{options} --evaluations 2 --out search -q"));
        assert!(error.contains(message), "{options}: {error}");
    }
    place.succeeds("evolve", "--members expert-bio --data data --evaluations 2 --out search -q");
    let other = place.fails("evolve", "--members expert-bio --data data --evaluations 2 --alpha 0.5 --out search -q");
    assert!(other.contains("holds results of another run") && other.contains("--overwrite"), "{other}");
}
