//! Fetching a repository's model into a folder.

use std::cell::Cell;
use std::path::Path;

use serde::Serialize;

use bunch_progress::Progress;

use crate::download::{Download, Origin};
use crate::hub::Hub;
use crate::{HubError, Selection};

/// What was fetched, for a record of where a model is from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fetched {
    /// The repository, ORG/NAME.
    pub repo: String,
    /// The commit whose files these are.
    pub commit: String,
    /// The files, in the order they were fetched.
    pub files: Vec<FetchedFile>,
}

/// A file that was fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FetchedFile {
    /// Its path in the repository and in the folder.
    pub name: String,
    /// Its length, in bytes.
    pub size: u64,
    /// What its bytes were checked against: `sha256:` or `git blob sha1:` and hexadecimal digits.
    pub digest: String,
    /// Bytes that came over the network in this call; 0 if the file was there already.
    pub downloaded: u64,
}

impl Fetched {
    /// Bytes that came over the network in this call.
    pub fn downloaded(&self) -> u64 {
        self.files.iter().map(|file| file.downloaded).sum()
    }
}

/// Fetches the model `repo` (ORG/NAME) at `revision` (a branch, tag or commit; `main` without one) from the hub of the
/// environment ([`Hub::from_env`]) into the folder `out`, which is created if it does not exist.
///
/// Files that exist and have the right digest are left alone. Other files in `out` are not touched.
///
/// # Errors
/// Fails if the name is not one of a repository, the hub cannot be reached or refuses, the repository has no safetensors
/// weights, the download breaks off (another call resumes it) or has the wrong digest, or the folder cannot be written.
pub fn fetch(repo: &str, revision: Option<&str>, out: &Path, progress: &dyn Progress) -> Result<Fetched, HubError> {
    Hub::from_env()?.fetch(repo, revision, out, &Selection::default(), progress)
}

impl Hub {
    /// As [`fetch`], from this hub, with the further files of `selection`.
    ///
    /// # Errors
    /// The same as those of [`fetch`]; also fails if a pattern of `selection` matches no file.
    pub fn fetch(
        &self,
        repo: &str,
        revision: Option<&str>,
        out: &Path,
        selection: &Selection,
        progress: &dyn Progress,
    ) -> Result<Fetched, HubError> {
        check_name(repo)?;
        let listing = self.list(repo, revision.unwrap_or("main"))?;
        let files = selection.choose(repo, &listing)?;
        let bytes = files.iter().map(|file| file.size).sum();
        progress.begin(&format!("fetching {} files", files.len()), bytes, 0);
        std::fs::create_dir_all(out).map_err(HubError::io(out))?;
        // The listed commit, so that a branch that moves in the meantime does not mix two models.
        let origin = Origin { hub: self, repo, commit: &listing.commit };
        let fetched = files.iter().map(|file| {
            let downloaded = Download { origin, file, out, progress, reported: Cell::new(0) }.run()?;
            let digest = format!("{}:{}", file.digest.algorithm(), file.digest.hex());
            Ok(FetchedFile { name: file.name.clone(), size: file.size, digest, downloaded })
        });
        let files = fetched.collect::<Result<_, HubError>>()?;
        Ok(Fetched { repo: repo.to_owned(), commit: listing.commit, files })
    }
}

/// Rejects what cannot be the name of a repository, before it becomes part of an address.
fn check_name(repo: &str) -> Result<(), HubError> {
    let is_part = |part: &str| {
        let is_plain = part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        is_plain && !part.is_empty() && part != "." && part != ".."
    };
    match repo.split_once('/') {
        Some((org, name)) if is_part(org) && is_part(name) => Ok(()),
        _ => Err(HubError::RepoName { got: repo.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::check_name;

    #[test]
    fn names_are_org_and_name() {
        for good in ["meta-llama/Llama-3.2-1B", "a/b", "HuggingFaceTB/SmolLM2-135M_x"] {
            check_name(good).unwrap();
        }
        for bad in ["", "gpt2", "a/b/c", "a/", "/b", "a b/c", "../x", "a/..", "https://huggingface.co/a/b", "a/b?x=1"] {
            let error = check_name(bad).unwrap_err().to_string();
            assert!(
                error.starts_with("repository: expected ORG/NAME") && error.contains(&format!("{bad:?}")),
                "{error}"
            );
        }
    }
}
