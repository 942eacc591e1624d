//! Where bytes are read from: a file at any position, by any number of threads.

use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::CheckpointError;

/// Bytes that can be read at any position, by any number of threads at once.
pub(crate) trait Source: std::fmt::Debug + Sync {
    /// What errors name.
    fn path(&self) -> &Path;

    /// Number of bytes.
    fn size(&self) -> u64;

    /// Fills `out` with the bytes from `start` on.
    fn read_at(&self, start: u64, out: &mut [u8]) -> io::Result<()>;
}

/// A file that is open for reading, and what it was like when it was opened.
#[derive(Debug)]
pub(crate) struct WeightFile {
    path: PathBuf,
    file: File,
    identity: FileIdentity,
}

/// What distinguishes a file from the one that it was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileIdentity {
    /// Bytes.
    pub(crate) size: u64,
    /// Time of the last change, in nanoseconds since 1970; 0 where the file system keeps none.
    pub(crate) modified: u64,
    /// The file's number in its file system; 0 on Windows, where the standard library does not say.
    pub(crate) inode: u64,
}

impl FileIdentity {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        let modified = metadata.modified().unwrap_or(UNIX_EPOCH);
        let since_1970 = SystemTime::duration_since(&modified, UNIX_EPOCH).unwrap_or_default();
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(metadata);
        #[cfg(not(unix))]
        let inode = 0;
        Self { size: metadata.len(), modified: u64::try_from(since_1970.as_nanos()).unwrap_or(u64::MAX), inode }
    }
}

impl std::fmt::Display for FileIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes, changed at {} ns, inode {}", self.size, self.modified, self.inode)
    }
}

impl WeightFile {
    pub(crate) fn open(path: &Path) -> Result<Self, CheckpointError> {
        let file = File::open(path).map_err(CheckpointError::io(path))?;
        let identity = FileIdentity::of(&file.metadata().map_err(CheckpointError::io(path))?);
        Ok(Self { path: path.to_path_buf(), file, identity })
    }

    /// Checks that the file at this path is still the one that was opened.
    pub(crate) fn check_unchanged(&self) -> Result<(), CheckpointError> {
        let metadata = std::fs::metadata(&self.path).map_err(CheckpointError::io(&self.path))?;
        let got = FileIdentity::of(&metadata);
        if got != self.identity {
            let (path, expected, got) = (self.path.clone(), self.identity.to_string(), got.to_string());
            return Err(CheckpointError::Changed { path, expected, got });
        }
        Ok(())
    }
}

impl Source for WeightFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn size(&self) -> u64 {
        self.identity.size
    }

    fn read_at(&self, start: u64, out: &mut [u8]) -> io::Result<()> {
        read_exact_at(&self.file, start, out).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => io::Error::new(
                error.kind(),
                format!(
                    "the file was shortened while it was read: no byte {} anymore of its {} bytes",
                    start + out.len() as u64,
                    self.identity.size
                ),
            ),
            _ => error,
        })
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, start: u64, out: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, out, start)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut start: u64, mut out: &mut [u8]) -> io::Result<()> {
    while !out.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, out, start) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(length) => {
                start += length as u64;
                out = &mut out[length..];
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Bytes in memory, for checks of what a file would be.
#[derive(Debug)]
pub(crate) struct MemorySource<'a> {
    pub(crate) path: &'a Path,
    pub(crate) bytes: &'a [u8],
}

impl Source for MemorySource<'_> {
    fn path(&self) -> &Path {
        self.path
    }

    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, start: u64, out: &mut [u8]) -> io::Result<()> {
        let bytes = usize::try_from(start).ok().and_then(|start| self.bytes.get(start..)?.get(..out.len()));
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}
