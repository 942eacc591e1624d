//! The folder in which a directory is built before it is renamed into place.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::atomic::{folder_of, sync_folder};
use crate::{CheckpointError, FileLock};

/// The folder's content: the new directory, the old one that is being replaced, and the locked file.
const NEW: &str = "new";
const OLD: &str = "old";
const LOCK: &str = "lock";

/// What to do while somebody else builds the same directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contention {
    /// Report it.
    Refuse,
    /// Wait until the other has finished.
    Wait,
}

/// The folder in which a directory is built before it is renamed into place: a hidden one next to it, whose name follows
/// from the directory's. A lock distinguishes a folder in use from one that a killed process has left, which is cleared.
///
/// Dropping removes the folder.
#[derive(Debug)]
pub struct Staging {
    /// The directory to be.
    dir: PathBuf,
    folder: PathBuf,
    _lock: FileLock,
    /// The folder now holds the only copy of the old directory.
    is_kept: bool,
}

impl Staging {
    /// Makes the folder for `dir`, whose parent must exist, and an empty [`Staging::new_dir`] in it.
    ///
    /// # Errors
    /// A folder that cannot be made, or that somebody else is building in, as far as that is refused.
    pub fn create(dir: &Path, contention: Contention) -> Result<Self, CheckpointError> {
        let Some(name) = dir.file_name() else {
            return Err(CheckpointError::FileName { name: dir.display().to_string() });
        };
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(".partial");
        let folder = folder_of(dir).join(hidden);
        let lock = lock_folder(dir, &folder, contention)?;
        let staging = Self { dir: dir.to_path_buf(), folder, _lock: lock, is_kept: false };
        staging.recover()?;
        fs::create_dir(staging.new_dir()).map_err(CheckpointError::io(dir))?;
        Ok(staging)
    }

    /// The directory to be filled.
    pub fn new_dir(&self) -> PathBuf {
        self.folder.join(NEW)
    }

    /// Clears what a killed process has left. If it was killed between moving the old directory away and the new one
    /// to its place, the old one is moved back.
    fn recover(&self) -> Result<(), CheckpointError> {
        let (new, old) = (self.new_dir(), self.folder.join(OLD));
        if exists(&old) && !exists(&self.dir) {
            fs::rename(&old, &self.dir).map_err(CheckpointError::io(&self.dir))?;
        }
        for left in [new, old] {
            remove_dir(&left).map_err(CheckpointError::io(&left))?;
        }
        Ok(())
    }

    /// Moves the new directory to its place; an old one there is removed if `replace`, and else an error.
    ///
    /// # Errors
    /// A directory that is there already, or that cannot be moved.
    pub fn install(mut self, replace: bool) -> Result<(), CheckpointError> {
        let (new, old) = (self.new_dir(), self.folder.join(OLD));
        sync_folder(&new)?;
        let is_replaced = exists(&self.dir);
        if is_replaced {
            // Somebody else may have been faster.
            if !replace {
                return Err(CheckpointError::AlreadyExists { dir: self.dir.clone() });
            }
            fs::rename(&self.dir, &old).map_err(CheckpointError::io(&self.dir))?;
        }
        let Err(source) = fs::rename(&new, &self.dir) else { return sync_folder(folder_of(&self.dir)) };
        if is_replaced && fs::rename(&old, &self.dir).is_err() {
            self.is_kept = true;
            return Err(CheckpointError::Stranded { dir: self.dir.clone(), kept: old, source });
        }
        Err(match source.kind() {
            io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty => {
                CheckpointError::AlreadyExists { dir: self.dir.clone() }
            }
            _ => CheckpointError::io(&self.dir)(source),
        })
    }
}

impl Drop for Staging {
    /// Nothing can be reported here; what is left is cleared by the next writer.
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        let _ = remove_dir(&self.new_dir());
        let _ = remove_dir(&self.folder.join(OLD));
        // The lock goes last: as long as it is there, nobody takes the folder.
        let _ = fs::remove_file(self.folder.join(LOCK));
        let _ = fs::remove_dir(&self.folder);
    }
}

/// Makes `folder`, or takes the one that is there, and locks it.
fn lock_folder(dir: &Path, folder: &Path, contention: Contention) -> Result<FileLock, CheckpointError> {
    let path = folder.join(LOCK);
    loop {
        match fs::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(CheckpointError::io(folder_of(dir))(error));
            }
            _ => {}
        }
        let locked = match FileLock::try_exclusive(&path) {
            Ok(None) if contention == Contention::Wait => FileLock::exclusive(&path, || ()).map(Some),
            tried => tried,
        };
        match locked {
            Ok(Some(lock)) => return Ok(lock),
            Ok(None) => return Err(CheckpointError::Busy { dir: dir.to_path_buf(), lock: path }),
            // The writer before us has just removed the folder.
            Err(CheckpointError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound && !exists(folder) => {}
            Err(error) => return Err(error),
        }
    }
}

fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Removes a directory, or the link to one that was moved here; nothing there is fine too.
fn remove_dir(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    }
}
