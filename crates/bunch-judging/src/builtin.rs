//! The files of `data/` that are part of the program.

use crate::JudgingError;

include!(concat!(env!("OUT_DIR"), "/builtin.rs"));

/// The names in `files`, in order.
pub(crate) fn names(files: &'static [(&'static str, &'static str)]) -> impl Iterator<Item = &'static str> {
    files.iter().map(|&(name, _)| name)
}

/// The text of `name` in `files`, which hold things of this `kind`.
///
/// # Errors
/// No file of that name.
pub(crate) fn text(
    kind: &'static str,
    files: &'static [(&'static str, &'static str)],
    name: &str,
) -> Result<&'static str, JudgingError> {
    let found = files.iter().find(|&&(known, _)| known == name).map(|&(_, text)| text);
    found.ok_or_else(|| JudgingError::Unknown { kind, got: name.to_owned(), known: names(files).collect() })
}
