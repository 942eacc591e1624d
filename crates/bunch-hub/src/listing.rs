//! The list of a repository's files, as the hub gives it.

use serde::Deserialize;

use crate::HubError;
use crate::digest::Digest;

/// A file in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RemoteFile {
    /// Its path in the repository, with `/` between folders; never absolute, never with `..`.
    pub(crate) name: String,
    /// Its length, in bytes.
    pub(crate) size: u64,
    /// What its bytes hash to.
    pub(crate) digest: Digest,
}

/// A repository at one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listing {
    /// The commit.
    pub(crate) commit: String,
    /// The files, in the order of the hub.
    pub(crate) files: Vec<RemoteFile>,
}

/// The answer to `/api/models/ORG/NAME/revision/REVISION?blobs=true`; the hub adds keys now and then.
#[derive(Deserialize)]
struct Info {
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    blob_id: Option<String>,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    sha256: String,
    size: u64,
}

impl Listing {
    /// Reads the hub's answer about `repo`.
    ///
    /// # Errors
    /// Fails if the answer is not JSON, or lists files without a length or digest.
    pub(crate) fn parse(repo: &str, json: &str) -> Result<Self, HubError> {
        let bad = |reason: String| HubError::Listing { repo: repo.to_owned(), reason };
        let info: Info = serde_json::from_str(json).map_err(|error| bad(error.to_string()))?;
        let files = info
            .siblings
            .into_iter()
            .map(|sibling| {
                let (size, digest) = match (sibling.lfs, sibling.size, sibling.blob_id) {
                    (Some(lfs), ..) => (lfs.size, Digest::Sha256(lfs.sha256)),
                    (None, Some(size), Some(id)) => (size, Digest::GitBlob(id)),
                    _ => return Err(bad(format!("{}: expected a size and a digest, got none", sibling.rfilename))),
                };
                if !digest.is_well_formed() {
                    let (name, algorithm) = (&sibling.rfilename, digest.algorithm());
                    return Err(bad(format!("{name}: expected a {algorithm}, got {:?}", digest.hex())));
                }
                if !is_plain_path(&sibling.rfilename) {
                    return Err(bad(format!("expected a path inside the repository, got {:?}", sibling.rfilename)));
                }
                Ok(RemoteFile { name: sibling.rfilename, size, digest })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { commit: info.sha, files })
    }
}

/// Whether `name` stays inside the folder it is joined to, on every system.
fn is_plain_path(name: &str) -> bool {
    !name.contains(['\\', ':', '\0']) && name.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::{Listing, RemoteFile};
    use crate::digest::Digest;

    const GIT: &str = "ce013625030ba8dba906f756967f9e9ca394464a";

    #[test]
    fn large_files_have_a_sha256_and_small_ones_gits_digest() {
        let sha = "ab".repeat(32);
        let json = format!(
            r#"{{"id": "org/name", "sha": "c0", "gated": false, "siblings": [
                {{"rfilename": "config.json", "size": 6, "blobId": "{GIT}"}},
                {{"rfilename": "m.safetensors", "size": 9, "blobId": "{GIT}",
                  "lfs": {{"sha256": "{sha}", "size": 9, "pointerSize": 134}}}}]}}"#
        );
        let listing = Listing::parse("org/name", &json).unwrap();
        assert_eq!(listing.commit, "c0");
        let small = RemoteFile { name: "config.json".into(), size: 6, digest: Digest::GitBlob(GIT.into()) };
        let large = RemoteFile { name: "m.safetensors".into(), size: 9, digest: Digest::Sha256(sha) };
        assert_eq!(listing.files, [small, large]);
    }

    #[test]
    fn a_list_that_cannot_be_trusted_is_refused() {
        let refuse = |sibling: &str| {
            let json = format!(r#"{{"sha": "c0", "siblings": [{sibling}]}}"#);
            Listing::parse("org/name", &json).unwrap_err().to_string()
        };
        let named = |name: &str| refuse(&format!(r#"{{"rfilename": "{name}", "size": 6, "blobId": "{GIT}"}}"#));
        for name in ["../up", "/etc/x", "a/../../b", "a//b", "C:x", "a\\\\b", ""] {
            assert!(named(name).contains("expected a path inside"), "{name}: {}", named(name));
        }
        let message = refuse(r#"{"rfilename": "a", "size": 6}"#);
        assert_eq!(message, "org/name: list of files: a: expected a size and a digest, got none");
        let message = refuse(r#"{"rfilename": "a", "size": 6, "blobId": "x"}"#);
        assert_eq!(message, "org/name: list of files: a: expected a git blob sha1, got \"x\"");
        assert!(Listing::parse("org/name", "<html>").unwrap_err().to_string().contains("list of files"));
    }
}
