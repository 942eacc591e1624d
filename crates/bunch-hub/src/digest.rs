//! Digests by which the hub names the content of its files.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha1::{Digest as _, Sha1};

use crate::HubError;

/// What a file's bytes must hash to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Digest {
    /// SHA-256 of the bytes: large files, which the hub keeps outside git.
    Sha256(String),
    /// SHA-1 of "blob LENGTH\0" and the bytes, the name that git gives to a file: small files.
    GitBlob(String),
}

impl Digest {
    /// The hexadecimal digits.
    pub(crate) fn hex(&self) -> &str {
        match self {
            Self::Sha256(hex) | Self::GitBlob(hex) => hex,
        }
    }

    /// What kind of digest this is.
    pub(crate) fn algorithm(&self) -> &'static str {
        match self {
            Self::Sha256(_) => "sha256",
            Self::GitBlob(_) => "git blob sha1",
        }
    }

    /// Whether the digits are as many as the algorithm gives, all lower-case hexadecimal.
    pub(crate) fn is_well_formed(&self) -> bool {
        let length = match self {
            Self::Sha256(_) => 64,
            Self::GitBlob(_) => 40,
        };
        self.hex().len() == length && self.hex().bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    }

    /// The digest of the same kind of the file at `path`.
    pub(crate) fn of_file(&self, path: &Path) -> Result<String, HubError> {
        match self {
            Self::Sha256(_) => Ok(bunch_checkpoint::sha256_file(path)?),
            Self::GitBlob(_) => git_blob(path),
        }
    }
}

fn git_blob(path: &Path) -> Result<String, HubError> {
    let mut file = File::open(path).map_err(HubError::io(path))?;
    let length = file.metadata().map_err(HubError::io(path))?.len();
    let mut hash = Sha1::new_with_prefix(format!("blob {length}\0"));
    let mut chunk = vec![0; 1 << 16];
    loop {
        match file.read(&mut chunk) {
            Ok(0) => return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            Ok(length) => hash.update(chunk.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(HubError::io(path)(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Digest;

    #[test]
    fn known_digests() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "hello\n").unwrap();
        // `printf 'hello\n' | git hash-object --stdin` and `| sha256sum`.
        let git = Digest::GitBlob("ce013625030ba8dba906f756967f9e9ca394464a".to_owned());
        let sha256 = Digest::Sha256("5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03".to_owned());
        for digest in [git, sha256] {
            assert!(digest.is_well_formed());
            assert_eq!(digest.of_file(&path).unwrap(), digest.hex());
        }
    }

    #[test]
    fn digits_are_checked() {
        for hex in ["", "ce01", "CE013625030ba8dba906f756967f9e9ca394464a", "../3625030ba8dba906f756967f9e9ca394464a"] {
            assert!(!Digest::GitBlob(hex.to_owned()).is_well_formed(), "{hex}");
        }
    }
}
