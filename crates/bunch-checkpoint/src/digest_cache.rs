//! Digests of files that are computed once per file.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::source::FileIdentity;
use crate::{CheckpointError, atomic_write, sha256_file};

/// The layout of the cache's file; one of another layout counts as empty.
const VERSION: u32 = 1;

/// Remembers the SHA-256 of files, in a JSON file. What is remembered counts as long as a file's path, size, time of
/// change and inode stay the same, as in git's index. May be used by several threads.
#[derive(Debug)]
pub struct DigestCache {
    path: PathBuf,
    entries: Mutex<BTreeMap<String, Entry>>,
}

/// The cache's file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u32,
    /// By canonical path.
    files: BTreeMap<String, Entry>,
}

/// A file and its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    identity: FileIdentity,
    sha256: String,
}

impl DigestCache {
    /// Opens the cache in the JSON file at `path`, which need not be there. As it can be computed again, a file that is
    /// broken or has another version's layout counts as empty.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub fn open(path: &Path) -> Result<Self, CheckpointError> {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(CheckpointError::io(path)(error)),
        };
        let stored = serde_json::from_slice::<Stored>(&text).ok().filter(|stored| stored.version == VERSION);
        let entries = Mutex::new(stored.map(|stored| stored.files).unwrap_or_default());
        Ok(Self { path: path.to_path_buf(), entries })
    }

    /// The digest of the file at `path`, 64 lower-case hexadecimal digits, if it is remembered and the file is still
    /// the same.
    pub fn get(&self, path: &Path) -> Option<String> {
        let canonical = fs::canonicalize(path).ok()?;
        let identity = FileIdentity::of(&fs::metadata(&canonical).ok()?);
        let entries = self.lock();
        let entry = entries.get(canonical.to_str()?)?;
        (entry.identity == identity).then(|| entry.sha256.clone())
    }

    /// The digest of the file at `path`, computed and remembered if it is not remembered already.
    ///
    /// # Errors
    /// The file cannot be read, or changes meanwhile.
    pub fn compute(&self, path: &Path) -> Result<String, CheckpointError> {
        if let Some(known) = self.get(path) {
            return Ok(known);
        }
        let identity =
            || fs::metadata(path).map(|metadata| FileIdentity::of(&metadata)).map_err(CheckpointError::io(path));
        let before = identity()?;
        wait_until_distinct(before.modified);
        let sha256 = sha256_file(path)?;
        let after = identity()?;
        if after != before {
            let (path, expected, got) = (path.to_path_buf(), before.to_string(), after.to_string());
            return Err(CheckpointError::Changed { path, expected, got });
        }
        let canonical = fs::canonicalize(path).map_err(CheckpointError::io(path))?;
        // A name that is no text cannot be a key in JSON; such a file is computed each time.
        if let Some(canonical) = canonical.to_str() {
            self.lock().insert(canonical.to_owned(), Entry { identity: before, sha256: sha256.clone() });
        }
        Ok(sha256)
    }

    /// Writes the cache to its file, whose folder must exist. Entries of files that changed or are gone are left out.
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn save(&self) -> Result<(), CheckpointError> {
        let mut files = self.lock().clone();
        files.retain(|path, entry| {
            fs::metadata(path).is_ok_and(|metadata| FileIdentity::of(&metadata) == entry.identity)
        });
        let text = serde_json::to_vec_pretty(&Stored { version: VERSION, files });
        atomic_write(&self.path, &text.map_err(CheckpointError::json(&self.path))?)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Entry>> {
        // Entries are inserted whole, so that a panic elsewhere leaves the map as good as it was.
        self.entries.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Waits until a change would give the file another time than `modified`, in nanoseconds since 1970: file systems count
/// in steps, and a change in the same step as the one before would not be seen.
fn wait_until_distinct(modified: u64) {
    // Some file systems count in seconds, or two; others tick at least a hundred times per second.
    let is_coarse = modified.is_multiple_of(1_000_000_000);
    let step = if is_coarse { Duration::from_secs(2) } else { Duration::from_millis(20) };
    let changed = SystemTime::UNIX_EPOCH + Duration::from_nanos(modified);
    // For a time in the future there is nothing to wait for that helps.
    if let Ok(age) = SystemTime::now().duration_since(changed)
        && let Some(rest) = step.checked_sub(age)
    {
        std::thread::sleep(rest);
    }
}

#[cfg(test)]
mod tests {
    use super::DigestCache;
    use crate::{CheckpointError, sha256_bytes};
    use std::fs::{self, File};
    use std::time::{Duration, SystemTime};

    #[test]
    fn what_was_computed_is_remembered_across_openings() {
        let dir = tempfile::tempdir().unwrap();
        let (file, json) = (dir.path().join("weights"), dir.path().join("digests.json"));
        fs::write(&file, b"abc").unwrap();
        let cache = DigestCache::open(&json).unwrap();
        assert_eq!(cache.get(&file), None);
        assert_eq!(cache.compute(&file).unwrap(), sha256_bytes(b"abc"));
        assert_eq!(cache.get(&file), Some(sha256_bytes(b"abc")));
        cache.save().unwrap();

        // That it is not computed again shows in a digest that was changed in the cache.
        let text = fs::read_to_string(&json).unwrap();
        fs::write(&json, text.replace(&sha256_bytes(b"abc"), &sha256_bytes(b"other"))).unwrap();
        let cache = DigestCache::open(&json).unwrap();
        assert_eq!(cache.compute(&dir.path().join(".").join("weights")).unwrap(), sha256_bytes(b"other"));
    }

    #[test]
    fn a_change_of_size_time_or_inode_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let (file, json) = (dir.path().join("weights"), dir.path().join("digests.json"));
        let hour_ago = SystemTime::now() - Duration::from_secs(3600);
        let write = |text: &str, at: SystemTime| {
            fs::write(&file, text).unwrap();
            File::options().write(true).open(&file).unwrap().set_modified(at).unwrap();
        };
        let cache = DigestCache::open(&json).unwrap();
        write("abc", hour_ago);
        cache.compute(&file).unwrap();
        write("abd", hour_ago + Duration::from_nanos(1_000));
        assert_eq!(cache.get(&file), None);
        assert_eq!(cache.compute(&file).unwrap(), sha256_bytes(b"abd"));
        write("abde", hour_ago + Duration::from_nanos(1_000));
        assert_eq!(cache.get(&file), None);
        assert_eq!(cache.compute(&file).unwrap(), sha256_bytes(b"abde"));
        if cfg!(unix) {
            // Another file of the same size and time.
            fs::rename(&file, dir.path().join("old")).unwrap();
            write("abdf", hour_ago + Duration::from_nanos(1_000));
            assert_eq!(cache.get(&file), None);
        }
        fs::remove_file(&file).unwrap();
        assert_eq!(cache.get(&file), None);
        assert!(matches!(cache.compute(&file), Err(CheckpointError::Io { path, .. }) if path == file));
        cache.save().unwrap();
        assert!(!fs::read_to_string(&json).unwrap().contains("sha256"), "gone files are forgotten");
    }

    #[test]
    fn a_change_right_after_hashing_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("weights");
        let cache = DigestCache::open(&dir.path().join("digests.json")).unwrap();
        for text in ["aaa", "bbb", "ccc", "ddd"] {
            fs::write(&file, text).unwrap();
            assert_eq!(cache.compute(&file).unwrap(), sha256_bytes(text.as_bytes()));
        }
    }

    #[test]
    fn a_broken_cache_counts_as_empty() {
        let dir = tempfile::tempdir().unwrap();
        let (file, json) = (dir.path().join("weights"), dir.path().join("digests.json"));
        fs::write(&file, b"abc").unwrap();
        for text in ["", "{", "[]", "{\"version\": 2, \"files\": {}}"] {
            fs::write(&json, text).unwrap();
            let cache = DigestCache::open(&json).unwrap();
            assert_eq!(cache.get(&file), None);
            assert_eq!(cache.compute(&file).unwrap(), sha256_bytes(b"abc"));
        }
        assert!(matches!(DigestCache::open(dir.path()), Err(CheckpointError::Io { .. })));
    }
}
