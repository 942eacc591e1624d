//! Free space on a disk.

use std::path::Path;

/// Bytes free for this user on the disk that holds `folder`; none where that is not known.
#[cfg(unix)]
pub(crate) fn available(folder: &Path) -> Option<u64> {
    let status = rustix::fs::statvfs(folder).ok()?;
    status.f_bavail.checked_mul(status.f_frsize)
}

/// Bytes free for this user on the disk that holds `folder`; none where that is not known.
#[cfg(not(unix))]
pub(crate) fn available(_folder: &Path) -> Option<u64> {
    None
}
