//! Where digests of files are remembered from one command to the next.

use std::path::PathBuf;

/// The file of digests in the user's cache folder; none where there is no place for it.
pub fn path() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = variable("XDG_CACHE_HOME").or_else(|| variable("HOME").map(|home| home.join(".cache")))?;
    let folder = cache.join("bunch");
    std::fs::create_dir_all(&folder).ok()?;
    Some(folder.join("digests.json"))
}
