//! What can go wrong when a repository is fetched.

use std::path::PathBuf;

use bunch_checkpoint::CheckpointError;

/// Why a repository was not fetched.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// Not the name of a repository.
    #[error("repository: expected ORG/NAME of letters, digits, '.', '-' and '_', got {got:?}")]
    RepoName {
        /// What was given.
        got: String,
    },
    /// The client cannot be created, for example because the token cannot be sent in a header.
    #[error("client of the hub at {endpoint}: {reason}")]
    Client {
        /// The hub's address.
        endpoint: String,
        /// Why it cannot be created.
        reason: String,
    },
    /// No answer, for example because there is no network.
    #[error(
        "{repo}: the hub at {endpoint} could not be reached ({reason}); a folder that was downloaded elsewhere works too: \
         config.json, the tokenizer's files and the *.safetensors files with their index"
    )]
    Unreachable {
        /// The repository asked for.
        repo: String,
        /// The hub's address (`HF_ENDPOINT`).
        endpoint: String,
        /// What the network said.
        reason: String,
    },
    /// The hub demands a token, or refuses the one it got.
    #[error(
        "{repo}: the hub answered {status}{}; if the repository is gated, accept its licence at {endpoint}/{repo} and set \
         HF_TOKEN to a token of that account; the hub gives the same answer if no repository has this name",
        code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default()
    )]
    Denied {
        /// The repository asked for.
        repo: String,
        /// The hub's address.
        endpoint: String,
        /// 401 or 403.
        status: u16,
        /// The hub's own word for it, such as `GatedRepo`.
        code: Option<String>,
    },
    /// No such repository, revision or file.
    #[error("{repo}: {endpoint} has no {what}")]
    NotFound {
        /// The repository asked for.
        repo: String,
        /// The hub's address.
        endpoint: String,
        /// What was asked for.
        what: String,
    },
    /// An answer with another status.
    #[error("{what}: the hub at {endpoint} answered {status}")]
    Status {
        /// The hub's address.
        endpoint: String,
        /// What was asked for.
        what: String,
        /// The HTTP status.
        status: u16,
    },
    /// The list of the repository's files cannot be read.
    #[error("{repo}: list of files: {reason}")]
    Listing {
        /// The repository asked for.
        repo: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A repository without the weights that were asked for.
    #[error(
        "{repo}: no safetensors weights at the top of the repository{}",
        if others.is_empty() { String::new() } else { format!("; other weights there: {}", others.join(", ")) }
    )]
    NoWeights {
        /// The repository asked for.
        repo: String,
        /// Weights in other formats.
        others: Vec<String>,
    },
    /// A file that was asked for by name is not in the repository.
    #[error("{repo}: no file matches {pattern:?}")]
    NoMatch {
        /// The repository asked for.
        repo: String,
        /// What was asked for.
        pattern: String,
    },
    /// The connection broke several times in a row. What has arrived is kept.
    #[error("{file}: the download stopped at {got} of {expected} bytes ({reason}); fetching again resumes from there")]
    Interrupted {
        /// The file.
        file: String,
        /// Bytes that arrived.
        got: u64,
        /// Bytes of the file.
        expected: u64,
        /// What the network said last.
        reason: String,
    },
    /// What arrived is not what the hub lists. It is not kept.
    #[error("{file}: {algorithm}: expected {expected}, got {got}; the file was not kept")]
    Digest {
        /// The file.
        file: String,
        /// `sha256`, or `git blob sha1` for files that git itself keeps.
        algorithm: &'static str,
        /// The digest that the hub lists.
        expected: String,
        /// The digest of what arrived.
        got: String,
    },
    /// Another process is downloading the same file into the same folder.
    #[error("{}: another process is writing this file", path.display())]
    Busy {
        /// The unfinished file.
        path: PathBuf,
    },
    /// The operating system reports an error.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file that was fetched cannot be read back.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

impl HubError {
    /// Turns the operating system's error at `path` into this one.
    pub(crate) fn io(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}
