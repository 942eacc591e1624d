//! SHA-256 digests in hexadecimal.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::CheckpointError;

/// Bytes read at a time.
const CHUNK: usize = 1 << 20;

/// The SHA-256 of `bytes`, 64 lower-case hexadecimal digits.
pub fn sha256_bytes(bytes: &[u8]) -> String {
    hex(Sha256::new_with_prefix(bytes))
}

/// The SHA-256 of the file at `path`, 64 lower-case hexadecimal digits. Reads the file in pieces.
///
/// # Errors
/// The file cannot be read.
pub fn sha256_file(path: &Path) -> Result<String, CheckpointError> {
    let mut file = File::open(path).map_err(CheckpointError::io(path))?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        match file.read(&mut chunk) {
            Ok(0) => return Ok(hex(hash)),
            Ok(length) => hash.update(&chunk[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(CheckpointError::io(path)(error)),
        }
    }
}

/// The digest of what `hash` has seen.
pub(crate) fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::{CHUNK, sha256_bytes, sha256_file};

    #[test]
    fn known_digests() {
        // FIPS 180-4 examples.
        assert_eq!(sha256_bytes(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(sha256_bytes(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[test]
    fn a_file_longer_than_a_chunk_has_the_digest_of_its_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bytes");
        let bytes: Vec<u8> = (0..CHUNK + 17).map(|i| (i * 31 % 251) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(sha256_file(&path).unwrap(), sha256_bytes(&bytes));
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = sha256_file(std::path::Path::new("/nowhere/file.bin")).unwrap_err().to_string();
        assert!(error.contains("/nowhere/file.bin"), "{error}");
    }
}
