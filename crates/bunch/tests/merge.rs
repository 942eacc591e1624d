//! `bunch merge`, `inspect`, `compare` and `methods` as a user runs them.

use bunch_checkpoint::{Checkpoint, ModelDirectory, StateDict, Tensor};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

/// Small random checkpoints and recipes, made with mergekit.
fn conformance() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../bunch-streaming/tests/conformance")
}

fn bunch(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bunch"));
    command.current_dir(folder).env("XDG_CACHE_HOME", std::env::temp_dir().join("bunch-test-cache"));
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    bunch(folder).args(arguments).output().expect("bunch runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// Three models of `values` values each that differ a little.
fn write_models(folder: &Path, values: usize) {
    for (name, step) in [("base", 0.0), ("a", 1e-3), ("b", -2e-3)] {
        let value = |index: usize| (index % 1000) as f32 * 1e-3 + step * (index % 7) as f32;
        let tensor =
            |_| Tensor { shape: vec![values / 1000, 250], data: Arc::new((0..values / 4).map(value).collect()) };
        let name_of = |index: usize| format!("model.layers.{index}.mlp.up_proj.weight");
        let weights: StateDict = (0..4).map(|index| (name_of(index), tensor(index))).collect();
        let config = json!({ "architectures": ["LlamaForCausalLM"], "num_hidden_layers": 4 });
        ModelDirectory::new(config, &weights).write(&folder.join(name)).expect("a model");
    }
}

#[test]
fn methods_with_roles_know_their_models_by_them() {
    let folder = tempfile::tempdir().expect("a folder");
    write_models(folder.path(), 4000);
    let merge = |experts: [&str; 2], more: &[&str]| {
        let options = ["merge", "out", "--method", "mergealign", "--base", "base"];
        let experts = experts.iter().flat_map(|expert| ["--expert", expert]);
        run(folder.path(), &options.into_iter().chain(experts).chain(more.iter().copied()).collect::<Vec<_>>())
    };
    let refused = merge(["a", "b"], &[]);
    assert!(!refused.status.success());
    let message = text(&refused.stderr);
    assert!(message.contains("--expert a: models[0].role: expected the role of a for mergealign"), "{message}");
    let planned = text(&merge(["aligned=b", "tuned=a"], &["--dry-run"]).stdout);
    assert!(
        planned.contains("base (base)") && planned.contains("a (tuned)") && planned.contains("b (aligned)"),
        "{planned}"
    );
    let merged = merge(["aligned=b", "tuned=a"], &["--set", "alpha=1.0", "--set", "beta=0.0"]);
    assert!(merged.status.success(), "{}", text(&merged.stderr));
    let weights = |name: &str| Checkpoint::open(&folder.path().join(name)).and_then(|model| model.state_dict());
    let (out, tuned) = (weights("out").expect("weights"), weights("a").expect("weights"));
    let differs = |name: &String| out[name].data.iter().zip(&*tuned[name].data).any(|(a, b)| (a - b).abs() > 1e-6);
    assert!(!out.keys().any(differs));
    let card = std::fs::read_to_string(folder.path().join("out/README.md")).expect("a card");
    assert!(
        card.contains("| `a` | tuned |") && card.contains("| `b` | aligned |") && card.contains("| `base` | base |")
    );
}

#[test]
fn safe_merges_stream_models_of_half_precision_by_role() {
    let folder = tempfile::tempdir().expect("a folder");
    write_models(folder.path(), 4000);
    let merge = |out: &str, method: &str, arguments: &str| {
        let options = ["merge", out, "--method", method].into_iter().chain(arguments.split_whitespace());
        let output = run(folder.path(), &options.collect::<Vec<_>>());
        (output.status.success(), text(&output.stderr))
    };
    for name in ["base", "a", "b"] {
        let (done, message) = merge(&format!("{name}16"), "linear", &format!("--expert {name} --out-dtype bfloat16"));
        assert!(done, "{message}");
    }
    let weights = |name: &str| Checkpoint::open(&folder.path().join(name)).and_then(|model| model.state_dict());
    let weights = |name: &str| weights(name).expect("weights");
    let three = "--expert unaligned=b16 --expert tuned=a16 --expert aligned=base16";
    let (done, message) = merge("resta", "resta", &format!("{three} --set gamma=0.75 --out-dtype float32"));
    assert!(done, "{message}");
    let (tuned, aligned, unaligned, merged) = (weights("a16"), weights("base16"), weights("b16"), weights("resta"));
    for (name, merged) in &merged {
        for (index, got) in merged.data.iter().enumerate() {
            let value = |model: &StateDict| model[name].data[index];
            assert_eq!(*got, value(&tuned) + 0.75 * (value(&aligned) - value(&unaligned)), "{name}[{index}]");
        }
    }
    for (arguments, expected) in [
        (format!("{three} --base base16"), "expected the role of base16 for resta: one of tuned, aligned, unaligned"),
        (format!("{three} --expert tuned=b16"), "models[3].role: expected each role once, got `tuned` again"),
        ("--expert tuned=a16 --expert aligned=base16".into(), "expected a model with `role: unaligned`"),
        (three.replace("unaligned", "safety"), "expected one of tuned, aligned, unaligned for resta"),
    ] {
        let (done, message) = merge("refused", "resta", &arguments);
        assert!(!done && message.contains(expected), "{arguments}: {message}");
    }
    // Each is the identity here: tuning or alignment changed nothing, or nothing is below the threshold.
    for (method, arguments, same) in [
        ("lata", "--base base16 --expert tuned=base16 --expert aligned=b16", "b16"),
        ("lssf", "--base base16 --expert tuned=a16 --expert aligned=base16", "a16"),
        ("safe_lora", "--base base16 --expert tuned=a16 --expert aligned=base16 --set number=2", "a16"),
        ("safe_lora", "--base base16 --expert tuned=a16 --expert aligned=b16 --set threshold=-1.5", "a16"),
        (
            "safe_merge",
            "--base base16 --expert tuned=a16 --expert aligned=b16 --expert safety=b16 --set threshold=-1.5",
            "a16",
        ),
    ] {
        let out = format!("{method}{}", arguments.len());
        let (done, message) = merge(&out, method, arguments);
        assert!(done, "{method} {arguments}: {message}");
        assert_eq!(weights(&out), weights(same), "{method} {arguments}");
    }
}

#[test]
fn a_recipe_and_options_that_say_the_same_give_the_same_weights() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = |name: &str| folder.path().join(name).display().to_string();
    let by_recipe = run(&conformance(), &["merge", "cases/ties_d0.5_w0.5.yaml", &out("by-recipe")]);
    assert!(by_recipe.status.success(), "{}", text(&by_recipe.stderr));
    let (first, second) = ("models/small-f32/e1:0.5", "models/small-f32/e2:0.5");
    let options = ["--method", "ties", "--base", "models/small-f32/base", "--expert", first, "--expert", second];
    let by_options =
        bunch(&conformance()).args(["merge", &out("by-options"), "--set", "density=0.5"]).args(options).output();
    let by_options = by_options.expect("bunch runs");
    assert!(by_options.status.success(), "{}", text(&by_options.stderr));
    let weights = |name: &str| Checkpoint::open(&folder.path().join(name)).and_then(|model| model.state_dict());
    assert_eq!(weights("by-recipe").expect("weights"), weights("by-options").expect("weights"));
    // A second time the output exists.
    let again = run(&conformance(), &["merge", "cases/ties_d0.5_w0.5.yaml", &out("by-recipe")]);
    assert!(!again.status.success());
    assert!(text(&again.stderr).contains("already exists (replace it with --overwrite)"), "{}", text(&again.stderr));
}

#[test]
fn mistakes_are_reported_with_their_place_and_a_dry_run_writes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let recipe = folder.path().join("recipe.yml");
    let model = |name: &str| conformance().join("models/small-f32").join(name).display().to_string();
    let lines = [
        "merge_method: ties".to_owned(),
        format!("base_model: {}", model("base")),
        "models:".to_owned(),
        format!("- {{model: {}, parameters: {{weight: 1, denstiy: 0.5}}}}", model("e1")),
    ];
    std::fs::write(&recipe, lines.join("\n")).expect("a recipe");
    let failed = run(folder.path(), &["merge", "recipe.yml", "out"]);
    assert_eq!(failed.status.code(), Some(1));
    let message = text(&failed.stderr);
    assert!(message.contains("recipe.yml:4:") && message.contains("did you mean `density`?"), "{message}");
    std::fs::write(&recipe, lines.join("\n").replace("denstiy", "density")).expect("a recipe");
    let dry = run(folder.path(), &["merge", "recipe.yml", "out", "--dry-run"]);
    assert!(dry.status.success(), "{}", text(&dry.stderr));
    assert!(text(&dry.stdout).contains("parameters  15048"), "{}", text(&dry.stdout));
    assert!(!folder.path().join("out").exists());
}

#[test]
fn a_killed_merge_leaves_no_output_and_the_next_one_cleans_up() {
    let folder = tempfile::tempdir().expect("a folder");
    write_models(folder.path(), 16_000_000);
    let arguments = ["merge", "out", "--method", "dare_ties", "--base", "base", "--expert", "a", "--expert", "b"];
    let arguments = [&arguments[..], &["--set", "density=0.5", "--set", "rescale=l1"]].concat();
    let mut child = bunch(folder.path()).args(&arguments).stdout(Stdio::null()).spawn().expect("bunch runs");
    let partial = folder.path().join(".out.partial");
    while !partial.exists() && child.try_wait().expect("a status").is_none() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    child.kill().expect("killed");
    let status = child.wait().expect("a status");
    assert!(!status.success(), "it was killed while it merged");
    assert!(!folder.path().join("out").exists() && partial.exists());

    let again = run(folder.path(), &arguments);
    assert!(again.status.success(), "{}", text(&again.stderr));
    assert!(!partial.exists());
    assert_eq!(Checkpoint::open(&folder.path().join("out")).expect("the merged model").names().count(), 4);
}

/// The limit holds for models many times as large.
#[test]
#[cfg(target_os = "linux")]
fn memory_stays_below_the_limit() {
    let folder = tempfile::tempdir().expect("a folder");
    write_models(folder.path(), 64_000_000);
    let arguments = ["merge", "out", "--method", "ties", "--base", "base", "--expert", "a", "--expert", "b"];
    let mut child = bunch(folder.path())
        .args(arguments)
        .args(["--set", "density=0.5", "--max-memory", "64MiB"])
        .stdout(Stdio::null())
        .spawn()
        .expect("bunch runs");
    let mut peak = 0;
    while child.try_wait().expect("a status").is_none() {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let resident =
            status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        peak = peak.max(resident.unwrap_or(0_u64));
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    assert!(child.wait().expect("a status").success());
    assert!(peak > 0 && peak < 64 << 10, "{peak} KiB for 768 MB of models");
}

#[test]
fn inspect_and_compare_tell_what_there_is() {
    let models = conformance().join("models/small-f32");
    let inspected = run(&models, &["inspect", "base", "--json", "--check-values"]);
    assert!(inspected.status.success(), "{}", text(&inspected.stderr));
    let description: Value = serde_json::from_slice(&inspected.stdout).expect("JSON");
    assert_eq!(description["parameters"]["total"], 15048);

    let folder = tempfile::tempdir().expect("a folder");
    let map = folder.path().join("map.svg").display().to_string();
    let compared = run(&models, &["compare", "e1", "e2", "--base", "base", "--heat-map", &map]);
    assert!(compared.status.success(), "{}", text(&compared.stderr));
    assert!(text(&compared.stdout).contains("mlp.down_proj"));
    assert!(std::fs::read_to_string(map).expect("a map").contains("<svg"));

    let nothing = run(&models, &["inspect", "nowhere"]);
    assert_eq!(nothing.status.code(), Some(1));
}

#[test]
fn methods_are_listed_as_json() {
    let listed = run(&conformance(), &["methods", "--json"]);
    let methods: Vec<Value> = serde_json::from_slice(&listed.stdout).expect("JSON");
    let names: Vec<&str> = methods.iter().filter_map(|method| method["name"].as_str()).collect();
    assert_eq!(names.len(), bunch_merging::CATALOGUE.len());
    assert!(names.contains(&"mergealign") && names.contains(&"arcee_fusion"));
}

#[test]
fn a_command_ends_quietly_when_nobody_reads_any_more() {
    let folder = tempfile::tempdir().expect("a folder");
    write_models(folder.path(), 4000);
    for arguments in [&["inspect", "base"][..], &["inspect", "base", "--json"], &["compare", "base", "a"], &["methods"]]
    {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output =
            bunch(folder.path()).args(arguments).stdout(writer).stderr(Stdio::piped()).output().expect("bunch");
        assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(141), ""), "{arguments:?}");
    }
}
