//! Names that files of a model directory may have.

use crate::CheckpointError;

/// Checks that `name` names a file in the directory at hand and nowhere else.
pub(crate) fn check_file_name(name: &str) -> Result<(), CheckpointError> {
    if matches!(name, "" | "." | "..") || name.contains(['/', '\\', '\0']) {
        return Err(CheckpointError::FileName { name: name.to_owned() });
    }
    Ok(())
}
