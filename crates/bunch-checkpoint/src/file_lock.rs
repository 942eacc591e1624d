//! Locked files, which let one thread or process at a time make something.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::CheckpointError;

/// A locked file, which exists for being locked. Dropping it unlocks it, and so does the end of the process, however it ends.
#[derive(Debug)]
pub struct FileLock {
    path: PathBuf,
    _file: File,
}

impl FileLock {
    /// Locks the file at `path`, which is created if it is not there, and calls `waiting` first if another holds it.
    ///
    /// # Errors
    /// A file that cannot be created, or a file system without locks.
    pub fn exclusive(path: &Path, waiting: impl FnOnce()) -> Result<Self, CheckpointError> {
        Self::wait(path, File::try_lock, File::lock, waiting)
    }

    /// As [`FileLock::exclusive`], together with others who lock the file like this.
    ///
    /// # Errors
    /// The same.
    pub fn shared(path: &Path, waiting: impl FnOnce()) -> Result<Self, CheckpointError> {
        Self::wait(path, File::try_lock_shared, File::lock_shared, waiting)
    }

    /// As [`FileLock::exclusive`], but nothing if another holds the file.
    ///
    /// # Errors
    /// The same.
    pub fn try_exclusive(path: &Path) -> Result<Option<Self>, CheckpointError> {
        Self::lock(path, |file| match file.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        })
    }

    /// Removes the file and ends the lock, once nobody needs to make again what it was for. Whoever waits for it locks a new file.
    pub fn remove(self) {
        // A file that stays does no harm.
        let _ = fs::remove_file(&self.path);
    }

    fn wait(
        path: &Path,
        try_lock: impl Fn(&File) -> Result<(), TryLockError>,
        lock: impl Fn(&File) -> io::Result<()>,
        waiting: impl FnOnce(),
    ) -> Result<Self, CheckpointError> {
        let mut waiting = Some(waiting);
        let locked = Self::lock(path, |file| {
            match try_lock(file) {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    waiting.take().into_iter().for_each(|waiting| waiting());
                    lock(file)?;
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
            Ok(true)
        })?;
        Ok(locked.expect("waited for"))
    }

    /// Opens the file and locks it, until it is still there when it is locked.
    fn lock(path: &Path, mut lock: impl FnMut(&File) -> io::Result<bool>) -> Result<Option<Self>, CheckpointError> {
        loop {
            let mut options = File::options();
            options.create(true).truncate(false).read(true).write(true);
            let file = options.open(path).map_err(CheckpointError::io(path))?;
            if !lock(&file).map_err(|error| refused(path, error))? {
                return Ok(None);
            }
            // Another may have removed the file between our opening and locking it.
            if is_at(&file, path) {
                return Ok(Some(Self { path: path.into(), _file: file }));
            }
        }
    }
}

fn refused(path: &Path, error: io::Error) -> CheckpointError {
    CheckpointError::io(path)(match error.kind() {
        io::ErrorKind::Unsupported => io::Error::new(error.kind(), "no locks on this file system; use another folder"),
        _ => error,
    })
}

/// Whether `file` is the one that `path` leads to.
fn is_at(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let same = |a: fs::Metadata, b: fs::Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
        file.metadata().and_then(|open| Ok(same(open, fs::metadata(path)?))).unwrap_or(false)
    }
    // An open file cannot be removed here.
    #[cfg(not(unix))]
    {
        let _ = file;
        path.exists()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    fn folder_and_path() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        (folder, path)
    }

    #[test]
    fn one_at_a_time_holds_the_lock_and_removed_files_stay_away() {
        let (folder, path) = folder_and_path();
        let (holders, made) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        let lock = FileLock::exclusive(&path, || ()).unwrap();
                        assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0);
                        made.fetch_add(1, Ordering::SeqCst);
                        holders.fetch_sub(1, Ordering::SeqCst);
                        lock.remove();
                    }
                });
            }
        });
        assert_eq!(made.into_inner(), 160);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn who_has_to_wait_says_so_once_and_gets_the_lock() {
        let (_folder, path) = folder_and_path();
        let held = FileLock::exclusive(&path, || panic!("nobody holds it")).unwrap();
        assert!(FileLock::try_exclusive(&path).unwrap().is_none());
        let (send, waits) = channel();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| FileLock::exclusive(&path, move || send.send(()).unwrap()).unwrap());
            waits.recv().unwrap();
            // The file that is waited for goes away: the waiter locks a new one.
            std::thread::sleep(Duration::from_millis(5));
            held.remove();
            let lock = waiter.join().unwrap();
            assert!(waits.recv().is_err(), "said once");
            assert!(path.exists() && FileLock::try_exclusive(&path).unwrap().is_none());
            drop(lock);
        });
        assert!(FileLock::try_exclusive(&path).unwrap().is_some(), "a dropped lock is free, and its file stays");
    }

    #[test]
    fn those_who_share_a_lock_keep_out_the_one_who_does_not() {
        let (_folder, path) = folder_and_path();
        let share = || FileLock::shared(&path, || panic!("shared")).unwrap();
        let both = (share(), share());
        assert!(FileLock::try_exclusive(&path).unwrap().is_none());
        drop(both);
        assert!(FileLock::try_exclusive(&path).unwrap().is_some());
    }

    #[test]
    fn errors_name_the_file_and_the_content_stays() {
        let (folder, path) = folder_and_path();
        fs::write(&path, "content").unwrap();
        drop(FileLock::exclusive(&path, || ()).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "content");
        let missing = folder.path().join("missing/lock");
        let error = FileLock::exclusive(&missing, || ()).unwrap_err().to_string();
        assert!(error.contains(missing.to_str().unwrap()), "{error}");
        let error = refused(&path, io::ErrorKind::Unsupported.into()).to_string();
        assert!(error.contains(path.to_str().unwrap()) && error.contains("no locks"), "{error}");
    }
}
