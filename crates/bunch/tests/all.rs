//! All experiments as one, as a user runs them: what they share is made once, and those that fail do not stop the others.

#[path = "../../bunch-experiment/tests/checkout/mod.rs"]
mod checkout;

use std::fs;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use checkout::{Checkout, EXPERIMENT};

fn bunch(checkout: &Checkout, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bunch"));
    command.current_dir(checkout.path("")).env_remove("BUNCH_CACHE").env_remove("BUNCH_MODELS");
    command.args(["reproduce", "--all"]).args(arguments);
    command
}

fn run(checkout: &Checkout, arguments: &[&str]) -> (Output, String, String) {
    let output = bunch(checkout, arguments).output().expect("the program starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    (output, stdout, stderr)
}

/// Replaces `from`, which must be there.
fn edited(from: &str, to: &str) -> String {
    assert!(EXPERIMENT.contains(from), "{from}");
    EXPERIMENT.replacen(from, to, 1)
}

#[test]
fn those_that_fail_do_not_stop_the_others() {
    let checkout = Checkout::new();
    checkout.add_model();
    for (name, text) in [
        ("a-broken", edited("question =", "qestion =")),
        ("b-elsewhere", edited("[scale.small]", "[scale.large]")),
        ("c-homeless", edited("values = \"table.csv\"", "values = \"lost.csv\"")),
        // It fails while it runs: so many different questions there are not.
        ("z-short", edited("pairs = 2", "pairs = 500")),
        ("d-vast", edited("harmful_prompts = 4", "harmful_prompts = 5")),
        ("twin", EXPERIMENT.to_owned()),
    ] {
        fs::write(checkout.path(&format!("experiments/demo/{name}.toml")), text).expect("written");
    }

    let (output, stdout, stderr) = run(&checkout, &["--scale", "small"]);
    assert!(!output.status.success(), "{stdout}{stderr}");
    for (name, cause) in [
        ("a-broken", "unknown key `qestion` (did you mean `question`?)"),
        ("c-homeless", "lost.csv: No such file"),
        ("z-short", "of 500 pairs after asking"),
        ("d-vast", "expected 5 prompts in harmful.test: it has 4"),
    ] {
        let start = format!("error: demo/{name}: ");
        let printed = stderr.split_once(&start).unwrap_or_else(|| panic!("{name}: {stderr}")).1;
        let printed = printed.split("\nerror: ").next().unwrap_or_default();
        assert!(printed.contains(cause), "{printed}");
        assert!(!checkout.path(&format!("results/demo/{name}")).exists(), "{name} has results");
    }
    let failed = "error: experiments that failed: demo/a-broken, demo/c-homeless, demo/d-vast, demo/z-short";
    assert!(stderr.ends_with(&format!("{failed}\n")), "{stderr}");
    assert!(stdout.contains("Without this scale: demo/b-elsewhere\n"), "{stdout}");
    // Before anything ran it was known that the twins' cells are the same.
    for line in [
        "demo/table                        5 cells: 0 cached, 0 shared, 5 to be computed\n",
        "demo/twin                         5 cells: 0 cached, 5 shared, 0 to be computed\n",
        "Models to train: 4; ",
        "demo/twin: 0 cells computed, 5 from the cache, ",
        "demo/z-short: failed\n",
    ] {
        assert!(stdout.contains(line), "{line}: {stdout}");
    }
    for name in ["table", "twin"] {
        assert!(checkout.path(&format!("results/demo/{name}/small/manifest.json")).exists(), "{name} has no results");
    }

    // Once more: nothing is computed, and what failed fails again.
    let (output, stdout, stderr) = run(&checkout, &["--scale", "small", "--dry-run"]);
    assert!(!output.status.success() && stderr.contains("demo/a-broken, demo/c-homeless, demo/d-vast\n"), "{stderr}");
    assert!(stdout.contains("demo/table                        5 cells: 5 cached, 0 shared"), "{stdout}");
    for name in ["a-broken", "c-homeless", "z-short", "d-vast"] {
        fs::remove_file(checkout.path(&format!("experiments/demo/{name}.toml"))).expect("removed");
    }
    let (output, stdout, _) = run(&checkout, &["--scale", "small"]);
    assert!(output.status.success() && stdout.contains("demo/table: 0 cells computed, 5 from the cache"), "{stdout}");

    // Made again, the twins still share what they have in common.
    let (output, stdout, stderr) = run(&checkout, &["--scale", "small", "--fresh"]);
    assert!(output.status.success(), "{stderr}");
    assert!(
        stdout.contains("demo/table: 5 cells computed") && stdout.contains("demo/twin: 0 cells computed"),
        "{stdout}"
    );
}

#[test]
fn options_that_no_experiment_has_are_refused_at_once() {
    let checkout = Checkout::new();
    for (arguments, message) in [
        (&["--scale", "tiny"][..], "unknown scale `tiny`: this experiment has small"),
        (&["--scale", "small", "--limit", "0"], "--limit: got 0, expected at least 1"),
        (&["--scale", "small", "--device", "abacus"], "unknown device `abacus`"),
        (&["demo/table"], "cannot be used with"),
        // The pretrained model is not there.
        (&["--scale", "small"], "demo/table: "),
    ] {
        let (output, _, stderr) = run(&checkout, arguments);
        assert!(!output.status.success() && stderr.contains(message), "{arguments:?}: {stderr}");
    }
    assert!(!checkout.path("results").exists());
}

#[cfg(unix)]
#[test]
fn control_c_ends_it_and_the_same_command_continues() {
    let checkout = Checkout::new();
    checkout.add_model();
    let mut command = bunch(&checkout, &["--scale", "small"]);
    let mut running = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("starts");
    let start = Instant::now();
    while !checkout.path(".cache/lock").exists() {
        assert!(start.elapsed() < Duration::from_secs(60), "nothing began");
        std::thread::sleep(Duration::from_millis(20));
    }
    let killed = Command::new("kill").args(["-INT", &running.id().to_string()]).status().expect("kill is there");
    assert!(killed.success());
    assert_eq!(running.wait().expect("ended").code(), Some(130));
    assert!(!checkout.path("results").exists(), "an interrupted run leaves no results");
    let (output, stdout, stderr) = run(&checkout, &["--scale", "small"]);
    assert!(output.status.success() && stdout.contains("demo/table: 5 cells computed"), "{stdout}{stderr}");
}
