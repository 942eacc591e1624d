//! The download of one file.

use std::cell::Cell;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use bunch_progress::Progress;

use crate::HubError;
use crate::hub::{Answer, Hub, header};
use crate::listing::RemoteFile;

/// How often in a row a connection may break without progress before the download fails.
const ATTEMPTS: u32 = 4;

/// Where files come from.
#[derive(Clone, Copy)]
pub(crate) struct Origin<'a> {
    pub(crate) hub: &'a Hub,
    pub(crate) repo: &'a str,
    pub(crate) commit: &'a str,
}

/// One file on its way into a folder.
pub(crate) struct Download<'a> {
    pub(crate) origin: Origin<'a>,
    pub(crate) file: &'a RemoteFile,
    pub(crate) out: &'a Path,
    pub(crate) progress: &'a dyn Progress,
    /// Bytes of the file that have been reported; what has to be fetched again is not reported again.
    pub(crate) reported: Cell<u64>,
}

impl Download<'_> {
    /// Fetches the file unless it exists already, and returns the number of bytes transferred.
    ///
    /// # Errors
    /// See [`crate::fetch`].
    pub(crate) fn run(&self) -> Result<u64, HubError> {
        self.progress.turn_to(&self.file.name);
        let target = self.out.join(&self.file.name);
        if self.is_there(&target)? {
            self.report(self.file.size);
            return Ok(0);
        }
        let partial = self.partial();
        if let Some(folder) = partial.parent() {
            fs::create_dir_all(folder).map_err(HubError::io(folder))?;
        }
        let mut file = OpenOptions::new().create(true).append(true).open(&partial).map_err(HubError::io(&partial))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(HubError::Busy { path: partial }),
            Err(TryLockError::Error(source)) => return Err(HubError::Io { path: partial, source }),
        }
        let downloaded = self.fill(&mut file, &partial)?;
        let got = self.file.digest.of_file(&partial)?;
        if got != self.file.digest.hex() {
            fs::remove_file(&partial).map_err(HubError::io(&partial))?;
            let (name, digest) = (self.file.name.clone(), &self.file.digest);
            return Err(HubError::Digest {
                file: name,
                algorithm: digest.algorithm(),
                expected: digest.hex().into(),
                got,
            });
        }
        file.sync_all().map_err(HubError::io(&partial))?;
        fs::rename(&partial, &target).map_err(HubError::io(&target))?;
        Ok(downloaded)
    }

    /// The unfinished file. Its name holds part of the digest, so that no other version of the file resumes from it.
    fn partial(&self) -> PathBuf {
        let digest: String = self.file.digest.hex().chars().take(16).collect();
        self.out.join(format!("{}.{digest}.partial", self.file.name))
    }

    fn is_there(&self, target: &Path) -> Result<bool, HubError> {
        let Ok(metadata) = fs::metadata(target) else { return Ok(false) };
        Ok(metadata.len() == self.file.size && self.file.digest.of_file(target)? == self.file.digest.hex())
    }

    /// Appends the missing bytes to `file`, and returns how many were transferred. A file that has become too long is
    /// left so: the check of its digest fails.
    fn fill(&self, file: &mut File, path: &Path) -> Result<u64, HubError> {
        let length = |file: &File| file.metadata().map(|metadata| metadata.len()).map_err(HubError::io(path));
        if length(file)? > self.file.size {
            self.start_over(file, path)?;
        }
        let (mut downloaded, mut failures, mut longest) = (0, 0, length(file)?);
        loop {
            let have = length(file)?;
            if have >= self.file.size {
                self.report(self.file.size);
                return Ok(downloaded);
            }
            if failures > 0 {
                std::thread::sleep(self.origin.hub.retry_wait * 2_u32.pow(failures - 1));
            }
            let (came, reason) = self.append(file, path, have)?;
            downloaded += came;
            let got = length(file)?;
            failures = if got > longest { 0 } else { failures + 1 };
            longest = longest.max(got);
            if failures >= ATTEMPTS {
                let (file, expected) = (self.file.name.clone(), self.file.size);
                return Err(HubError::Interrupted { file, got, expected, reason });
            }
        }
    }

    /// Appends what the hub sends of the file from byte `have` on; returns how many bytes came and why it stopped.
    fn append(&self, file: &mut File, path: &Path, have: u64) -> Result<(u64, String), HubError> {
        let Origin { hub, repo, commit } = self.origin;
        let answer = match hub.open(repo, commit, &self.file.name, have) {
            Ok(answer) => answer,
            Err(error) => return Ok((0, error.to_string())),
        };
        let status = answer.status().as_u16();
        if status == 416 || (status == 206 && range_start(&answer) != Some(have)) {
            // The hub has the file in another length, or sends another part than the one requested.
            self.start_over(file, path)?;
            return Ok((0, format!("the hub has no bytes from {have} on")));
        }
        if status == 429 || status >= 500 {
            return Ok((0, format!("the hub answered {status}")));
        }
        hub.refuse(repo, &format!("file {} at {commit}", self.file.name), &answer)?;
        let have = if status == 200 && have > 0 {
            self.start_over(file, path)?; // all of the file, not its rest
            0
        } else {
            have
        };
        self.copy(answer, file, path, have)
    }

    /// Appends the body of `answer` to `file`, which holds `have` bytes.
    fn copy(&self, answer: Answer, file: &mut File, path: &Path, have: u64) -> Result<(u64, String), HubError> {
        // One byte more than is missing shows a file that is too long.
        let mut body = answer.into_body().into_reader().take(self.file.size - have + 1);
        let mut chunk = vec![0; 1 << 18];
        let mut came = 0;
        loop {
            self.report((have + came).min(self.file.size));
            match body.read(&mut chunk) {
                Ok(0) => return Ok((came, "the hub sent no more".to_owned())),
                Ok(length) => {
                    let bytes = chunk.get(..length).unwrap_or_default();
                    file.write_all(bytes).map_err(HubError::io(path))?;
                    came += length as u64;
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Ok((came, error.to_string())),
            }
        }
    }

    fn start_over(&self, file: &mut File, path: &Path) -> Result<(), HubError> {
        file.set_len(0).map_err(HubError::io(path))
    }

    /// Reports that `done` bytes of the file are there.
    fn report(&self, done: u64) {
        if let Some(more @ 1..) = done.checked_sub(self.reported.get()) {
            self.progress.advance(more);
            self.reported.set(done);
        }
    }
}

/// The first byte that a partial answer holds: `Content-Range: bytes START-END/TOTAL`.
fn range_start(answer: &Answer) -> Option<u64> {
    header(answer, "content-range")?.strip_prefix("bytes ")?.split_once('-')?.0.parse().ok()
}
