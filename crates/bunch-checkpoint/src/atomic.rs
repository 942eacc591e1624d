//! Files that are there in full or not at all.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use crate::CheckpointError;

/// How the names of temporary files begin and end.
const PREFIX: &str = ".";
const SUFFIX: &str = ".partial";

/// Writes `bytes` to `path`, replacing what is there: after a crash at any moment, `path` holds either its old content
/// or all of `bytes`.
///
/// The bytes go to a temporary file in the same folder (which must exist), are brought to the disk, and the file is
/// renamed.
///
/// # Errors
/// The operating system refuses; the temporary file is then removed.
pub fn atomic_write(path: &Path, bytes: &[u8]) -> Result<(), CheckpointError> {
    let folder = folder_of(path);
    // Made by `create_new`, because tempfile's own files cannot be read by other users.
    let mut temporary = tempfile::Builder::new()
        .prefix(PREFIX)
        .suffix(SUFFIX)
        .make_in(folder, |path| File::create_new(path))
        .map_err(CheckpointError::io(path))?;
    let file = temporary.as_file_mut();
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(CheckpointError::io(path))?;
    temporary.persist(path).map_err(|error| CheckpointError::io(path)(error.error))?;
    sync_folder(folder)
}

/// Removes the temporary files of [`atomic_write`] that a killed process left in `folder`; to be called where nobody else is
/// writing there.
///
/// # Errors
/// The operating system refuses.
pub fn remove_partial_files(folder: &Path) -> Result<(), CheckpointError> {
    for entry in fs::read_dir(folder).map_err(CheckpointError::io(folder))? {
        let path = entry.map_err(CheckpointError::io(folder))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with(PREFIX) && name.ends_with(SUFFIX) && path.is_file() {
            fs::remove_file(&path).map_err(CheckpointError::io(&path))?;
        }
    }
    Ok(())
}

/// The folder that `path` lies in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Brings the names in `folder` to the disk. Only Unix can open a folder for that.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), CheckpointError> {
    if cfg!(unix) {
        File::open(folder).and_then(|file| file.sync_all()).map_err(CheckpointError::io(folder))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{atomic_write, remove_partial_files};
    use std::fs;

    #[test]
    fn what_a_killed_writer_left_is_removed_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        for name in [".a1b2c3.partial", ".hidden", "kept.partial"] {
            fs::write(dir.path().join(name), b"bytes").unwrap();
        }
        remove_partial_files(dir.path()).unwrap();
        let mut left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [".hidden", "kept.partial"]);
    }

    #[test]
    fn writes_and_replaces_and_leaves_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cells.csv");
        atomic_write(&path, b"first, and longer").unwrap();
        atomic_write(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failure_names_the_file_and_leaves_the_folder_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        // A folder with content cannot be replaced by a file.
        let path = dir.path().join("taken");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("content"), b"kept").unwrap();
        let error = atomic_write(&path, b"bytes").unwrap_err().to_string();
        assert!(error.contains(path.to_str().unwrap()), "{error}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert_eq!(fs::read(path.join("content")).unwrap(), b"kept");
    }

    #[test]
    #[cfg(unix)]
    fn the_file_has_the_same_permissions_as_any_other() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let (plain, atomic) = (dir.path().join("plain"), dir.path().join("atomic"));
        fs::write(&plain, b"").unwrap();
        atomic_write(&atomic, b"").unwrap();
        let mode = |path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&atomic), mode(&plain));
    }
}
