//! Definitions: judges, refusal lists and prompt sets, by name or by file.

use std::path::Path;

/// Whether a name that the user gave means a file of theirs.
pub(crate) fn is_file(name: &str) -> bool {
    name.ends_with(".toml")
}

/// A file's name without the ending, by which its definition is called.
pub(crate) fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
