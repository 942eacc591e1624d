//! Finding a model that the Hugging Face hub's client has downloaded.

use std::path::{Path, PathBuf};

/// The folder of the hub's cache, by the environment variables its client reads.
fn root() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable("HF_HUB_CACHE")
        .or_else(|| variable("HF_HOME").map(|home| home.join("hub")))
        .or_else(|| variable("HOME").map(|home| home.join(".cache/huggingface/hub")))
}

/// The downloaded files of `repository` (`organisation/name`) at a revision (`main` unless given), if they are there.
pub fn downloaded(repository: &str, revision: Option<&str>) -> Option<PathBuf> {
    find_in(&root()?, repository, revision)
}

fn find_in(root: &Path, repository: &str, revision: Option<&str>) -> Option<PathBuf> {
    let (organisation, name) = repository.split_once('/')?;
    let is_plain = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains(['/', '\\']);
    let revision = revision.unwrap_or("main");
    if !is_plain(organisation) || !is_plain(name) || revision.split('/').any(|part| !is_plain(part)) {
        return None;
    }
    let folder = root.join(format!("models--{organisation}--{name}"));
    // A branch or tag is a file that holds the commit; a commit stands for itself.
    let commit = std::fs::read_to_string(folder.join("refs").join(revision));
    let commit = commit.map_or(revision.to_owned(), |commit| commit.trim().to_owned());
    let snapshot = folder.join("snapshots").join(commit);
    snapshot.is_dir().then_some(snapshot)
}

#[cfg(test)]
mod tests {
    use super::find_in;
    use std::fs;

    #[test]
    fn a_branch_leads_to_its_commit_and_a_commit_to_itself() {
        let root = tempfile::tempdir().expect("a folder");
        let model = root.path().join("models--org--name");
        let snapshot = model.join("snapshots/abc123");
        fs::create_dir_all(&snapshot).expect("a folder");
        fs::create_dir_all(model.join("refs")).expect("a folder");
        fs::write(model.join("refs/main"), "abc123\n").expect("a file");
        assert_eq!(find_in(root.path(), "org/name", None), Some(snapshot.clone()));
        assert_eq!(find_in(root.path(), "org/name", Some("abc123")), Some(snapshot));
        assert_eq!(find_in(root.path(), "org/name", Some("v2")), None);
        assert_eq!(find_in(root.path(), "org/other", None), None);
        assert_eq!(find_in(root.path(), "org/name", Some("../../..")), None);
        assert_eq!(find_in(root.path(), "/name", None), None);
    }
}
