//! The recipe of the miniature's pools is the one that was frozen before a seed that is reported was merged.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

/// What the pools follow from besides code: what `sha256sum --check` says of it, and no file of the recipe is missing.
#[test]
fn the_recipe_is_the_frozen_one() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/miniature");
    let frozen = fs::read_to_string(folder.join("frozen.sha256")).expect("hashes");
    let mut named = Vec::new();
    for line in frozen.lines() {
        let (expected, name) = line.split_once("  ").expect("a hash and a name");
        let bytes = fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let hash = Sha256::digest(&bytes).iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        assert_eq!(
            hash, expected,
            "{name} is not what it was when the recipe was frozen; results follow from that one"
        );
        named.push(name.to_owned());
    }
    let files = |folder: &Path, prefix: &str| -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
        let files = entries.filter(|entry| entry.file_type().expect("a type").is_file());
        files.map(|entry| format!("{prefix}{}", entry.file_name().to_string_lossy())).collect()
    };
    let mut all = files(&folder, "");
    all.extend(files(&folder.join("trunks"), "trunks/"));
    all.retain(|name| name != "frozen.sha256");
    all.sort();
    named.sort();
    assert_eq!(named, all);
}
