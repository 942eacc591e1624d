//! The strategies' files are declared in a macro, where `cargo fmt` does not look for them.

use std::path::Path;
use std::process::Command;

#[test]
fn strategies_are_formatted() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/strategies");
    let files = std::fs::read_dir(folder).expect("the folder of strategies").flatten().map(|entry| entry.path());
    let files: Vec<_> = files.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect();
    let mut command = Command::new("rustfmt");
    let Ok(output) = command.args(["--check", "--edition", "2024"]).args(&files).output() else {
        return; // No rustfmt here: the lint job has it.
    };
    let found = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "format them with `rustfmt --edition 2024`:\n{found}");
}
