//! Bringing files to the disk while they are still being written.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

/// Bytes of all files after which those of one are brought to the disk.
const INTERVAL: u64 = 1 << 28;

/// A thread that brings files to the disk while they are still being written, so that less is left to wait for in the
/// end: the disk works while the next tensors are computed.
#[derive(Debug)]
pub(crate) struct WriteBack {
    written: AtomicU64,
    /// None after [`WriteBack::finish`], and where the operating system grants no thread: then all waits for the end.
    thread: Option<WriteBackThread>,
}

/// The thread, and where it is told what to do.
#[derive(Debug)]
struct WriteBackThread {
    files: Sender<Arc<File>>,
    handle: JoinHandle<io::Result<()>>,
}

impl WriteBack {
    pub(crate) fn start() -> Self {
        let (files, receiver) = channel::<Arc<File>>();
        // An error is told once by the operating system, so it must not get lost here.
        let handle = std::thread::Builder::new().spawn(move || receiver.iter().try_for_each(|file| file.sync_data()));
        let thread = handle.ok().map(|handle| WriteBackThread { files, handle });
        Self { written: AtomicU64::new(0), thread }
    }

    /// To be called when `count` bytes were written to `file`.
    pub(crate) fn note(&self, file: &Arc<File>, count: u64) {
        let before = self.written.fetch_add(count, Ordering::Relaxed);
        if before / INTERVAL != (before + count) / INTERVAL
            && let Some(thread) = &self.thread
        {
            // If the thread has ended with an error, `finish` returns that.
            let _ = thread.files.send(Arc::clone(file));
        }
    }

    /// Waits until the thread is done, and returns the first error that it met.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        let Some(WriteBackThread { files, handle }) = self.thread.take() else { return Ok(()) };
        drop(files);
        handle.join().unwrap_or_else(|_| Err(io::Error::other("the thread that brings files to the disk panicked")))
    }
}

impl Drop for WriteBack {
    /// Waits, so that the files are closed before their folder is removed.
    fn drop(&mut self) {
        let _ = self.finish();
    }
}
