//! `bunch pool`, and `eval`, `safety` and `merge` by a pool's names, on the miniature's files with models that never learned.

mod untrained_pool;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use untrained_pool::write_pool;

fn bunch(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bunch"));
    command.args(arguments).env("XDG_CACHE_HOME", std::env::temp_dir().join("bunch-test-cache"));
    command.env_remove("BUNCH_DATA").output().expect("bunch runs")
}

fn succeeds(arguments: &[&str]) -> String {
    let output = bunch(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn fails(arguments: &[&str]) -> String {
    let output = bunch(arguments);
    assert!(!output.status.success(), "{arguments:?} succeeded");
    String::from_utf8(output.stderr).expect("UTF-8")
}

#[test]
fn the_miniature_is_a_pool_like_any_other() {
    let place = tempfile::tempdir().expect("a folder");
    let (folder, merged) = (place.path().join("pool"), place.path().join("merged"));
    fs::create_dir(&folder).expect("made");
    write_pool(&folder);
    let (pool, merged) = (folder.display().to_string(), merged.display().to_string());
    let report = succeeds(&["pool", "check", &pool]);
    let words = report.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in ["prompts.harmful 1733 test, 576 dev", "tasks.bio 576 test, 576 dev", "nothing is wrong"] {
        assert!(words.contains(part), "{part}: {report}");
    }

    // By name in the pool, and by path as any other model, task and judge.
    let table =
        succeeds(&["eval", "--pool", &pool, "--model", "aligned", "--limit", "8", "--apply-chat-template", "-q"]);
    assert!(["bio", "stem", "math"].iter().all(|task| table.contains(task)), "{table}");
    let path = |name: &str| folder.join(name).display().to_string();
    let (model, task) = (path("models/aligned"), path("tasks/bio.toml"));
    let by_path =
        succeeds(&["eval", "--model", &model, "--tasks", &task, "--limit", "8", "--apply-chat-template", "-q"]);
    let by_name = [
        "eval",
        "--pool",
        &pool,
        "--model",
        "aligned",
        "--tasks",
        "bio",
        "--limit",
        "8",
        "--apply-chat-template",
        "-q",
    ];
    assert_eq!(succeeds(&by_name), by_path);
    let dev = succeeds(&[&by_name[..], &["--split", "dev"]].concat());
    assert!(dev.contains("bio-dev"), "{dev}");

    let outs = ["by-name", "by-path"].map(|name| place.path().join(name).display().to_string());
    succeeds(&["safety", "--pool", &pool, "--model", "aligned", "--limit", "6", "--out", &outs[0], "-q"]);
    let (guard, judge, prompts) = (path("models/guard"), path("judges/guard.toml"), path("prompts/harmful-test.jsonl"));
    succeeds(&[
        "safety",
        "--model",
        &model,
        "--guard",
        &guard,
        "--judge",
        &judge,
        "--prompts",
        &prompts,
        "--max-new-tokens",
        "25",
        "--limit",
        "6",
        "--out",
        &outs[1],
        "-q",
    ]);
    let report = |out: &String| -> Value {
        let text = fs::read_to_string(Path::new(out).join("report.json")).expect("a report");
        serde_json::from_str::<Value>(&text).expect("JSON")["report"].clone()
    };
    assert_eq!(report(&outs[0]), report(&outs[1]));
    assert_eq!(report(&outs[0])["responses"], 6);

    // The base is the pool's unless another is named.
    succeeds(&["merge", &merged, "--pool", &pool, "--method", "task_arithmetic", "--expert", "expert-bio", "-q"]);
    let card = fs::read_to_string(Path::new(&merged).join("README.md")).expect("a card");
    assert!(card.contains("| `aligned` | base |") && card.contains("| `expert-bio` | merged |"), "{card}");

    for (arguments, message) in [
        (&["eval", "--pool", &pool, "--model", "algined"][..], "unknown model `algined` (did you mean `aligned`?)"),
        (
            &["safety", "--pool", &pool, "--model", "aligned", "--prompts", "harmless", "--out", &outs[0]],
            "unknown set of prompts `harmless`; the pool has benign, harmful, red_team",
        ),
        (&["safety", "--model", &model, "--judge", "llama_guard_3", "--out", &outs[0]], "expected --guard too"),
        (&["pool", "miniature", &pool], "already exists"),
    ] {
        let error = fails(arguments);
        assert!(error.contains(message), "{arguments:?}: {error}");
    }

    fs::remove_dir_all(folder.join("models/expert-bio")).expect("removed");
    let output = bunch(&["pool", "check", &pool]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!output.status.success() && text.starts_with("member.expert-bio.model: "), "{text}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("pool.toml: 1 problem"));
}
