//! Writing to files while the next bytes are computed.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;

use crate::aligned_buffer::AlignedBuffer;
use crate::output_file::OutputFile;

/// Full buffers that wait, at most: more would only need memory.
const WAITING: usize = 2;
/// Fewer bytes are written at once: handing them over takes as long.
const LEAST_HANDED_OVER: usize = 1 << 16;

/// A thread that writes what other threads have filled buffers with, so that these need not wait for the disk.
#[derive(Debug)]
pub(crate) struct WriteBehind {
    shared: Arc<Shared>,
    /// None after [`WriteBehind::finish`], and where the operating system grants no thread: then nothing is handed over.
    thread: Option<WriteThread>,
}

/// What the threads share.
#[derive(Debug, Default)]
struct Shared {
    /// Buffers for reuse: fresh memory has to be cleared.
    spare: Mutex<Vec<AlignedBuffer>>,
    failed: OnceLock<Failure>,
}

#[derive(Debug)]
struct WriteThread {
    jobs: SyncSender<Job>,
    handle: JoinHandle<()>,
}

/// Bytes for a file.
#[derive(Debug)]
struct Job {
    file: Arc<OutputFile>,
    tensor: usize,
    buffer: AlignedBuffer,
}

/// What could not be written.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) file: Arc<OutputFile>,
    /// Position of the tensor.
    pub(crate) tensor: usize,
    error: io::Error,
}

impl Failure {
    /// What the operating system said.
    pub(crate) fn error(&self) -> io::Error {
        match self.error.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(self.error.kind(), self.error.to_string()),
        }
    }
}

impl WriteBehind {
    pub(crate) fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let (jobs, receiver) = sync_channel(WAITING);
        let of_thread = Arc::clone(&shared);
        let handle = std::thread::Builder::new().spawn(move || of_thread.write_all(&receiver));
        Self { shared, thread: handle.ok().map(|handle| WriteThread { jobs, handle }) }
    }

    /// A buffer for bytes that begin at this place of a file.
    pub(crate) fn buffer(&self, position: u64) -> AlignedBuffer {
        let spare = self.shared.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut buffer = spare.unwrap_or_else(AlignedBuffer::new);
        buffer.restart(position);
        buffer
    }

    /// Writes a buffer of a tensor, given by its position, now or later. An error may be that of an earlier buffer; after
    /// one, every call returns it.
    pub(crate) fn write(&self, file: &Arc<OutputFile>, tensor: usize, buffer: AlignedBuffer) -> Result<(), &Failure> {
        let job = Job { file: Arc::clone(file), tensor, buffer };
        let is_short = job.buffer.stretches().iter().map(|(_, bytes)| bytes.len()).sum::<usize>() < LEAST_HANDED_OVER;
        match &self.thread {
            Some(thread) if !is_short => {
                // It waits if too many wait already. The thread ends when `self.thread` is gone, not before.
                if let Err(unsent) = thread.jobs.send(job) {
                    self.shared.write(unsent.0);
                }
            }
            _ => self.shared.write(job),
        }
        self.failure().map_or(Ok(()), Err)
    }

    /// Waits until everything is written.
    pub(crate) fn finish(&mut self) {
        if let Err(panic) = self.wait() {
            std::panic::resume_unwind(panic);
        }
    }

    /// The first error so far.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        self.shared.failed.get()
    }

    fn wait(&mut self) -> std::thread::Result<()> {
        let Some(WriteThread { jobs, handle }) = self.thread.take() else { return Ok(()) };
        drop(jobs);
        handle.join()
    }
}

impl Shared {
    fn write_all(&self, jobs: &Receiver<Job>) {
        for job in jobs {
            self.write(job);
        }
    }

    /// Writes, unless something has failed before.
    fn write(&self, job: Job) {
        let Job { file, tensor, buffer } = job;
        if self.failed.get().is_none()
            && let Err(error) = file.write(&buffer)
        {
            let _ = self.failed.set(Failure { file, tensor, error });
        }
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
    }
}

impl Drop for WriteBehind {
    /// Waits, so that the files are closed before their folder is removed.
    fn drop(&mut self) {
        let _ = self.wait();
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::WriteBehind;
    use crate::output_file::OutputFile;
    use std::io::ErrorKind;
    use std::sync::Arc;

    #[test]
    fn an_error_is_returned_by_every_later_call() {
        for count in [10, 1 << 20] {
            let file = Arc::new(OutputFile::of_full_disk());
            let mut behind = WriteBehind::start();
            let fill = |behind: &WriteBehind| {
                let mut buffer = behind.buffer(0);
                buffer.advance(count);
                buffer
            };
            // Whether this call or the next one reports it depends on the other thread.
            let _ = behind.write(&file, 7, fill(&behind));
            behind.finish();
            let failure = behind.failure().unwrap();
            assert_eq!((failure.tensor, failure.error().kind()), (7, ErrorKind::StorageFull));
            assert_eq!(behind.write(&file, 8, fill(&behind)).unwrap_err().tensor, 7);
        }
    }
}
