//! `bunch verify` and `bunch report` as a user runs them: on results as they were written, and on results that somebody changed.

#[path = "../../bunch-experiment/tests/checkout/mod.rs"]
mod checkout;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use bunch_checkpoint::sha256_bytes;
use checkout::{Checkout, EXPERIMENT};

/// Two claims that one seed leaves undecided: within it the first holds, since no accuracy is 100 points below another, and the
/// second does not.
const CLAIMS: &str = r#"
[[claim]]
id = "as-good"
text = "The expert is not far below the base."
source = "Table 1"
rule.not_below = { column = "accuracy", pairs = [["expert", "base"]], tolerance = 100.0 }
[[claim]]
id = "far-better"
text = "The expert is far above the base."
source = "Table 1"
rule.pairs = { column = "accuracy", pairs = [["expert", "base"]], by = 100.0 }
"#;

const FOLDER: &str = "results/demo/table/small";

/// Whether `bunch` succeeded, and what it printed.
fn bunch(checkout: &Checkout, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bunch"));
    command.current_dir(checkout.path("")).env_remove("BUNCH_CACHE").env_remove("BUNCH_MODELS");
    let output = command.args(arguments).output().expect("the program starts");
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (output.status.success(), text.concat())
}

/// Changes a file of the results for one check, which must fail and say `message`, and restores it.
struct Tampering<'a> {
    checkout: &'a Checkout,
}

impl Tampering<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.checkout.path(name)
    }

    fn edit(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(name)).expect("a file");
        assert!(text.contains(from), "{name} lacks {from}: {text}");
        fs::write(self.path(name), text.replacen(from, to, 1)).expect("written");
    }

    /// Makes the manifest vouch for a file as it is now.
    fn vouch(&self, name: &str, before: &[u8]) {
        let now = fs::read(self.path(&format!("{FOLDER}/{name}"))).expect("a file");
        self.edit(&format!("{FOLDER}/manifest.json"), &sha256_bytes(before), &sha256_bytes(&now));
    }

    fn refused(&self, arguments: &[&str], messages: &[&str]) {
        let (success, text) = bunch(self.checkout, arguments);
        assert!(!success, "{arguments:?} was accepted: {text}");
        for message in messages {
            assert!(text.contains(message), "{message}: {text}");
        }
        assert!(text.contains("error: something is wrong with demo/table (small)"), "{text}");
    }
}

#[test]
fn changed_results_are_found() {
    let checkout = Checkout::new();
    checkout.add_model();
    let tampering = Tampering { checkout: &checkout };
    let experiment = "experiments/demo/table.toml";
    fs::write(checkout.path(experiment), format!("{EXPERIMENT}{CLAIMS}")).expect("written");
    let (success, text) = bunch(&checkout, &["reproduce", "demo/table", "--scale", "small"]);
    assert!(success, "{text}");
    let read = |name: &str| fs::read(checkout.path(&format!("{FOLDER}/{name}"))).expect("a file");
    let (cells, claims, manifest) = (read("cells.csv"), read("claims.csv"), read("manifest.json"));
    let restore = || {
        for (name, bytes) in [("cells.csv", &cells), ("claims.csv", &claims), ("manifest.json", &manifest)] {
            fs::write(checkout.path(&format!("{FOLDER}/{name}")), bytes).expect("written");
        }
    };

    // As they were written: claims with their numbers, and the same bits from the cache and from nothing.
    let (success, text) = bunch(&checkout, &["verify", "--claims-only"]);
    assert!(success, "{text}");
    for line in [
        "  undecided: The expert is not far below the base. (as-good)\n",
        "    difference of accuracy ≥ -100: comparisons: 0 for, 0 against, 1 undecided; within seeds 1 of 1 hold (1/1)\n",
        "  undecided: The expert is far above the base. (far-better)\n",
        "    difference of accuracy > 100: comparisons: 0 for, 0 against, 1 undecided; within seeds 0 of 1 hold (0/1)\n",
        "(pool: expert - base)",
        "claims: 2 are undecided\n",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(!text.contains("Running the same experiments again"), "{text}");
    for (arguments, computed) in [(&["verify"][..], 0), (&["verify", "demo/table/small", "--fresh"], 5)] {
        let (success, text) = bunch(&checkout, arguments);
        let line = format!(
            "demo/table (small): the same bit for bit ({computed} cells computed, {} from the cache)",
            5 - computed
        );
        assert!(success && text.contains(&line), "{line}: {text}");
    }
    assert!(!checkout.path(".cache/verification").exists(), "what was compared is removed");
    // The page of the results, made without the model and without the cache.
    let (success, text) = bunch(&checkout, &["report", "--scale", "small", "--out", "page.html"]);
    assert!(success && text.starts_with("page.html: 1 items, "), "{text}");
    let page = fs::read_to_string(checkout.path("page.html")).expect("a page");
    for part in ["The expert is far above the base.", "? undecided", "cargo bunch reproduce demo/table --scale small"] {
        assert!(page.contains(part), "{part}");
    }
    // Without the pretrained model there is nothing to run.
    fs::rename(checkout.path("models"), checkout.path("elsewhere")).expect("moved");
    let (success, text) = bunch(&checkout, &["verify"]);
    assert!(success && text.contains("demo/table (small): not computed again"), "{text}");
    assert!(
        text.contains("Computed again: 0 the same bit for bit, 0 within the tolerance; not computed again: 1\n"),
        "{text}"
    );
    fs::rename(checkout.path("elsewhere"), checkout.path("models")).expect("moved back");

    // A number of a file that the manifest knows better.
    tampering.edit(&format!("{FOLDER}/cells.csv"), "pool,base,accuracy,0,", "pool,base,accuracy,0,1");
    let changed = sha256_bytes(&read("cells.csv"));
    let message = format!("wrong: cells.csv, sha256: expected {}, got {changed}", sha256_bytes(&cells));
    tampering.refused(&["verify", "--claims-only"], &[&message]);
    let (success, text) = bunch(&checkout, &["report", "--scale", "small", "--out", "other.html"]);
    assert!(!success && text.contains("results/demo/table/small: cells.csv, sha256: expected "), "{text}");
    assert!(!checkout.path("other.html").exists());
    // Whose manifest was changed with it: computed again it is another.
    tampering.vouch("cells.csv", &cells);
    tampering
        .refused(&["verify"], &["wrong: cells.csv, pool/base/accuracy/0, value: expected 1", "demo/table (small): "]);
    restore();

    // A verdict, whose manifest was changed too: the cells say otherwise.
    tampering.edit(&format!("{FOLDER}/claims.csv"), "far-better,undecided", "far-better,holds");
    tampering.vouch("claims.csv", &claims);
    let message = "wrong: claims.csv, far-better, verdict: expected undecided, got holds";
    tampering.refused(&["verify", "--claims-only"], &[message]);
    restore();

    // A claim that was weakened after the results.
    tampering.edit(experiment, "by = 100.0", "by = 0.0");
    tampering
        .refused(&["verify"], &["wrong: manifest.json, experiments/demo/table.toml, experiment_sha256: expected "]);
    tampering.edit(experiment, "by = 0.0", "by = 100.0");

    // Files that are missing, or that nobody wrote.
    fs::write(checkout.path(&format!("{FOLDER}/notes.txt")), "").expect("written");
    fs::remove_file(checkout.path(&format!("{FOLDER}/stages.csv"))).expect("removed");
    let messages = ["wrong: notes.txt: expected no file", "wrong: stages.csv, sha256: expected ", ", got no file"];
    tampering.refused(&["verify", "demo"], &messages);
    fs::remove_file(checkout.path(&format!("{FOLDER}/notes.txt"))).expect("removed");
    let (success, text) = bunch(&checkout, &["reproduce", "demo/table", "--scale", "small"]);
    assert!(success, "{text}");

    // Another type of machine: small differences are tolerated, with the reason, and large ones are not.
    let here = format!("\"arch\": \"{}\"", std::env::consts::ARCH);
    tampering.edit(&format!("{FOLDER}/manifest.json"), &here, "\"arch\": \"abacus\"");
    let (success, text) = bunch(&checkout, &["verify"]);
    assert!(success && text.contains("demo/table (small): the same within the tolerance"), "{text}");
    assert!(text.contains("another type of machine") && text.contains("changes the last bits"), "{text}");
    tampering.edit(&format!("{FOLDER}/cells.csv"), "pool,base,over_refusal,0,", "pool,base,over_refusal,0,2");
    tampering.vouch("cells.csv", &cells);
    tampering.refused(&["verify"], &["wrong: cells.csv, pool/base/over_refusal, mean of value over seeds: expected 2"]);
}

#[test]
fn what_is_not_there_is_told() {
    let checkout = Checkout::new();
    fs::create_dir_all(checkout.path("results")).expect("made");
    let (success, text) = bunch(&checkout, &["verify", "--claims-only"]);
    assert!(
        !success && text.contains("demo/table\n  wrong: expected results in results/demo/table, got none"),
        "{text}"
    );
    let (success, text) = bunch(&checkout, &["report", "--scale", "small"]);
    assert!(
        success && text.contains("Without results yet:\n  cargo bunch reproduce demo/table --scale small"),
        "{text}"
    );
    let (success, text) = bunch(&checkout, &["report", "--scale", "tiny"]);
    assert!(!success && text.contains("unknown scale `tiny`"), "{text}");
    let (success, text) = bunch(&checkout, &["verify", "demo/chair"]);
    assert!(!success && text.contains("unknown experiment `demo/chair`: there are demo/table"), "{text}");
    fs::create_dir_all(checkout.path("results/demo/table/small")).expect("made");
    let (success, text) = bunch(&checkout, &["verify"]);
    assert!(!success && text.contains("manifest.json: No such file"), "{text}");
}
