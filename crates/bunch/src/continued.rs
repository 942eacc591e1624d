//! What a journal holds already, against the lines of the input.

use std::borrow::Borrow;
use std::path::Path;

use anyhow::{Result, bail};
use bunch_journal::Journal;
use serde_json::{Map, Value};

/// How many lines the journal in the file `out` holds already; each must repeat the fields of its line of the input.
pub fn continued(journal: &Journal, lines: &[impl Borrow<Map<String, Value>>], out: &Path) -> Result<usize> {
    let done = journal.done();
    if done.len() > lines.len() {
        bail!(
            "{}: holds {} lines, more than the {} asked for (replace it with --overwrite)",
            out.display(),
            done.len(),
            lines.len()
        );
    }
    for (index, (before, line)) in done.iter().zip(lines).enumerate() {
        if let Some((name, value)) = line.borrow().iter().find(|(name, value)| before.get(name) != Some(value)) {
            bail!(
                "{}, line {}: holds the answer to another line, `{name}` is {} there and {value} here (replace it with \
                 --overwrite)",
                out.display(),
                index + 1,
                before.get(name).unwrap_or(&Value::Null),
            );
        }
    }
    Ok(done.len())
}
