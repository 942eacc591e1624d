//! A journal: JSON lines in a file, with the run they are from next to it.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::JournalError;

/// A file of JSON lines that one run of a command writes in order.
///
/// Next to `results.jsonl` lies `results.jsonl.manifest.json`, the identity of the run: a command that is started again
/// with the same identity goes on behind the last whole line, whatever stopped it; any other is refused.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    done: Vec<Value>,
}

/// Where the identity of the run that wrote `path` stands.
pub fn manifest_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".manifest.json");
    PathBuf::from(name)
}

impl Journal {
    /// Begins the file, or continues it if a run of the same `identity` began it. With `replace`, whatever is there is
    /// removed first.
    ///
    /// # Errors
    /// A file of another run, one of unknown origin, one with a line that is no JSON, or a folder that cannot be written.
    pub fn open(path: &Path, identity: &Map<String, Value>, replace: bool) -> Result<Self, JournalError> {
        let manifest = manifest_path(path);
        if replace {
            // The lines go first: without them the identity says nothing.
            for path in [path, &manifest] {
                match fs::remove_file(path) {
                    Err(error) if error.kind() != ErrorKind::NotFound => return Err(JournalError::io(path)(error)),
                    _ => {}
                }
            }
        }
        let before = match fs::read(&manifest) {
            Ok(bytes) => serde_json::from_slice::<Map<String, Value>>(&bytes).ok(),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(JournalError::io(&manifest)(error)),
        };
        let is_empty = fs::metadata(path).map_or(true, |metadata| metadata.len() == 0);
        match before {
            _ if is_empty => write_manifest(&manifest, identity)?,
            Some(before) => same_run(path, identity, &before)?,
            None => return Err(JournalError::Unknown { path: path.to_owned(), manifest }),
        }
        let mut options = OpenOptions::new();
        let file = options.create(true).append(true).open(path).map_err(JournalError::io(path))?;
        let bytes = fs::read(path).map_err(JournalError::io(path))?;
        // A run that was killed may have left the beginning of a line.
        let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        if whole < bytes.len() {
            file.set_len(whole as u64).map_err(JournalError::io(path))?;
        }
        let mut done = Vec::new();
        for (index, line) in
            bytes[..whole].split(|&byte| byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty())
        {
            done.push(serde_json::from_slice(line).map_err(|error| JournalError::Line {
                path: path.to_owned(),
                line: index + 1,
                reason: format!("expected JSON: {error}"),
            })?);
        }
        Ok(Self { path: path.to_owned(), file, done })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The lines that were there when it was opened, in order.
    pub fn done(&self) -> &[Value] {
        &self.done
    }

    /// Appends lines in one write; when it returns, no crash of this program loses them.
    ///
    /// # Errors
    /// The operating system refuses, because the disk is full for one; what was there stays.
    pub fn append<'a>(&mut self, lines: impl IntoIterator<Item = &'a Value>) -> Result<(), JournalError> {
        let mut text = String::new();
        for line in lines {
            text += &line.to_string();
            text.push('\n');
        }
        self.file.write_all(text.as_bytes()).map_err(JournalError::io(&self.path))
    }

    /// Brings all lines to the disk.
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn finish(self) -> Result<(), JournalError> {
        self.file.sync_all().map_err(JournalError::io(&self.path))
    }
}

fn write_manifest(path: &Path, identity: &Map<String, Value>) -> Result<(), JournalError> {
    let mut text = serde_json::to_string_pretty(identity).expect("plain data");
    text.push('\n');
    fs::write(path, text).map_err(JournalError::io(path))
}

/// Compares what both runs say of themselves.
fn same_run(path: &Path, here: &Map<String, Value>, there: &Map<String, Value>) -> Result<(), JournalError> {
    let keys = here.keys().chain(there.keys().filter(|key| !here.contains_key(*key)));
    for key in keys {
        let show = |run: &Map<String, Value>| run.get(key).map_or("nothing".into(), Value::to_string);
        if here.get(key) != there.get(key) {
            let (expected, got) = (show(here), show(there));
            return Err(JournalError::OtherRun { path: path.to_owned(), what: key.clone(), expected, got });
        }
    }
    Ok(())
}
