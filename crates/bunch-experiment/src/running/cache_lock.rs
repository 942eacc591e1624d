//! How runs share a cache: each thing is made by one of them, and nobody empties it while another uses it.

use std::fs;
use std::path::Path;

use bunch_checkpoint::FileLock;

use crate::ExperimentError;
use crate::planning::tasks::Address;

/// What this version keeps in a cache, and how: other numbers are other folders, or other files in them.
const LAYOUT: u32 = 2;

/// Keeps others from emptying a cache until it is dropped.
pub(crate) struct CacheUse {
    _lock: FileLock,
}

impl CacheUse {
    /// Begins to use `cache`, which is created if it is not there. Before that `forget` is called if anything is to be
    /// `fresh`, once no other run uses the cache.
    ///
    /// # Errors
    /// A cache of a later version, failing I/O, and whatever `forget` says.
    pub(crate) fn begin(
        cache: &Path,
        fresh: bool,
        forget: impl FnOnce() -> Result<(), ExperimentError>,
    ) -> Result<Self, ExperimentError> {
        fs::create_dir_all(cache).map_err(ExperimentError::io(cache))?;
        let path = cache.join("lock");
        let waiting = || eprintln!("waiting for another run that uses {}", cache.display());
        if fresh {
            let _lock = FileLock::exclusive(&path, waiting)?;
            forget()?;
        }
        let lock = FileLock::shared(&path, waiting)?;
        if let Some(note) = check_layout(cache)? {
            eprintln!("{note}");
        }
        Ok(Self { _lock: lock })
    }
}

/// Checks what layout a cache has; a note where what is in it cannot be used any more. An empty one becomes one of this version.
fn check_layout(cache: &Path) -> Result<Option<String>, ExperimentError> {
    let path = cache.join("layout");
    let found = match fs::read_to_string(&path) {
        Ok(text) => text.trim().parse().unwrap_or(0),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
        Err(error) => return Err(ExperimentError::io(path)(error)),
    };
    if found > LAYOUT {
        return Err(ExperimentError::LaterCache { path: cache.into(), got: found, expected: LAYOUT });
    }
    if found == LAYOUT {
        return Ok(None);
    }
    bunch_checkpoint::atomic_write(&path, format!("{LAYOUT}\n").as_bytes())?;
    let is_old = ["cells", "data", "tuned"].iter().any(|folder| cache.join(folder).exists());
    let note = || {
        format!(
            "note: {} was filled by an earlier version, whose entries are not used any more: what is needed is made again \
             beside them. Nothing was removed; to free the space, delete the folder while no run uses it.",
            cache.display()
        )
    };
    Ok(is_old.then(note))
}

/// Keeps other runs, and other threads of this one, from making an entry of a cache; calls `waiting` first if another makes it.
pub(crate) fn lock_entry(cache: &Path, entry: &Address, waiting: impl FnOnce()) -> Result<FileLock, ExperimentError> {
    let folder = cache.join("locks");
    fs::create_dir_all(&folder).map_err(ExperimentError::io(&folder))?;
    Ok(FileLock::exclusive(&folder.join(entry.to_string()), waiting)?)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[test]
    fn one_makes_an_entry_and_the_others_find_it() {
        let folder = tempfile::tempdir().unwrap();
        let (entry, made) = (folder.path().join("entry"), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let lock = lock_entry(folder.path(), &Address::Cell("1".into()), || ()).unwrap();
                    if !entry.exists() {
                        std::thread::sleep(Duration::from_millis(5));
                        fs::write(&entry, "made").unwrap();
                        made.fetch_add(1, Ordering::SeqCst);
                    }
                    lock.remove();
                });
            }
        });
        assert_eq!(made.into_inner(), 1);
        assert_eq!(fs::read_dir(folder.path().join("locks")).unwrap().count(), 0, "no lock is left behind");
    }

    #[test]
    fn a_cache_in_use_is_shared_and_not_emptied() {
        let folder = tempfile::tempdir().unwrap();
        let begin = || CacheUse::begin(folder.path(), false, || panic!("nothing is to be forgotten")).unwrap();
        let (first, second) = (begin(), begin());
        let forgotten = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let fresh = scope.spawn(|| {
                CacheUse::begin(folder.path(), true, || {
                    forgotten.fetch_add(1, Ordering::SeqCst);
                    Ok(())
                })
                .unwrap()
            });
            std::thread::sleep(Duration::from_millis(20));
            assert_eq!(forgotten.load(Ordering::SeqCst), 0);
            drop((first, second));
            fresh.join().unwrap();
        });
        assert_eq!(forgotten.into_inner(), 1);
    }

    #[test]
    fn an_old_cache_is_noted_once_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let cell = folder.path().join("cells/1.json");
        fs::create_dir_all(cell.parent().unwrap()).unwrap();
        fs::write(&cell, "{}").unwrap();
        let note = check_layout(folder.path()).unwrap().expect("a note");
        assert!(note.contains("an earlier version") && note.contains(&folder.path().display().to_string()), "{note}");
        assert_eq!(check_layout(folder.path()).unwrap(), None);
        assert!(cell.exists());
    }

    #[test]
    fn a_new_cache_needs_no_note_and_a_later_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(check_layout(folder.path()).unwrap(), None);
        fs::write(folder.path().join("layout"), "99\n").unwrap();
        let error = check_layout(folder.path()).unwrap_err().to_string();
        assert!(error.contains("layout 99, this version knows 2"), "{error}");
    }
}
