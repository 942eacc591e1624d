//! A file that is being written.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::aligned_buffer::AlignedBuffer;

/// Bytes from which on writing past the page cache pays.
const LEAST_DIRECT: usize = 1 << 18;

/// A file that is being written, at any place, by any number of threads.
///
/// Whole pages go past the operating system's page cache where it allows that: copying them there and bringing them to
/// the disk from there takes several times as much processor time, and drives from memory what is read for the merge.
#[derive(Debug)]
pub(crate) struct OutputFile {
    name: String,
    file: File,
    /// The same file, opened to be written past the page cache.
    direct: Option<File>,
}

impl OutputFile {
    /// Makes the file `name` in `folder` with `size` bytes, the first of which are `header`.
    ///
    /// Where the system can, the disk's space is set aside, so that a disk too full is known before the work.
    pub(crate) fn create(folder: &Path, name: String, size: u64, header: &[u8]) -> io::Result<Self> {
        let path = folder.join(&name);
        let file = File::create_new(&path)?;
        set_aside(&file, size)?;
        write_all_at(&file, 0, header)?;
        Ok(Self { name, file, direct: open_direct(&path) })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A file on a disk that is full.
    #[cfg(all(test, target_os = "linux"))]
    pub(crate) fn of_full_disk() -> Self {
        let file = File::options().write(true).open("/dev/full").unwrap();
        Self { name: "full".to_owned(), direct: Some(file.try_clone().unwrap()), file }
    }

    /// Writes the buffer's bytes at their place.
    pub(crate) fn write(&self, buffer: &AlignedBuffer) -> io::Result<()> {
        let [head, pages, tail] = buffer.stretches();
        for (position, bytes) in [head, tail] {
            write_all_at(&self.file, position, bytes)?;
        }
        let (position, bytes) = pages;
        // Where that is refused or ends early, the usual way says why, or works.
        let written = match &self.direct {
            Some(direct) if bytes.len() >= LEAST_DIRECT => write_at(direct, position, bytes).unwrap_or(0),
            _ => 0,
        };
        write_all_at(&self.file, position + written as u64, &bytes[written..])
    }

    /// Brings everything to the disk.
    pub(crate) fn sync_all(&self) -> io::Result<()> {
        self.file.sync_all()
    }
}

/// Gives the file its full length, and where that is possible the space on the disk.
#[cfg(target_os = "linux")]
fn set_aside(file: &File, size: u64) -> io::Result<()> {
    use rustix::{fs, io::Errno};
    if size == 0 {
        return Ok(());
    }
    match fs::fallocate(file, fs::FallocateFlags::empty(), 0, size) {
        // Some file systems cannot.
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => file.set_len(size),
        result => Ok(result?),
    }
}

/// Gives the file its full length.
#[cfg(not(target_os = "linux"))]
fn set_aside(file: &File, size: u64) -> io::Result<()> {
    file.set_len(size)
}

#[cfg(target_os = "linux")]
fn open_direct(path: &Path) -> Option<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let flag = rustix::fs::OFlags::DIRECT.bits();
    File::options().write(true).custom_flags(flag.cast_signed()).open(path).ok()
}

#[cfg(not(target_os = "linux"))]
fn open_direct(_path: &Path) -> Option<File> {
    None
}

#[cfg(unix)]
fn write_at(file: &File, start: u64, bytes: &[u8]) -> io::Result<usize> {
    std::os::unix::fs::FileExt::write_at(file, bytes, start)
}

#[cfg(windows)]
fn write_at(file: &File, start: u64, bytes: &[u8]) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_write(file, bytes, start)
}

fn write_all_at(file: &File, mut start: u64, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match write_at(file, start, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(length) => {
                start += length as u64;
                bytes = &bytes[length..];
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::OutputFile;
    use crate::aligned_buffer::AlignedBuffer;

    #[test]
    fn what_goes_past_the_page_cache_and_what_does_not_meet_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let expected: Vec<u8> =
            (0..3_000_001_u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        // The stretches begin and end within pages; some are long, and some lie within one page.
        let cuts = [11, 100, 5_000, 1_000_003, 1_000_010, 2_500_000, 2_995_200, 3_000_001];
        for is_direct in [true, false] {
            let name = format!("{is_direct}");
            let mut file = OutputFile::create(folder.path(), name, expected.len() as u64, &expected[..11]).unwrap();
            file.direct = file.direct.filter(|_| is_direct);
            let mut buffer = AlignedBuffer::new();
            for pair in cuts.windows(2).rev() {
                let bytes = &expected[pair[0]..pair[1]];
                buffer.restart(pair[0] as u64);
                buffer.room()[..bytes.len()].copy_from_slice(bytes);
                buffer.advance(bytes.len());
                file.write(&buffer).unwrap();
            }
            file.sync_all().unwrap();
            assert!(std::fs::read(folder.path().join(file.name())).unwrap() == expected, "{is_direct}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn errors_are_those_of_the_usual_way() {
        let file = OutputFile::of_full_disk();
        let mut buffer = AlignedBuffer::new();
        buffer.restart(0);
        buffer.advance(1 << 20);
        assert_eq!(file.write(&buffer).unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    }
}
