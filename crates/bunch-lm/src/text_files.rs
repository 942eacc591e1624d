//! The files of a model directory that say how the model reads and writes text.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use serde_json::{Map, Value};

use bunch_checkpoint::companion_files;

use crate::{GgufTokenizer, LmError};

/// Names and contents of the text side of a model that lies in `dir`, where `gguf` are the metadata of its weights if they are
/// a GGUF file: the files of the directory, or where it has no `tokenizer.json` those that the GGUF file has inside. A model
/// that is made from this one is complete with them.
///
/// # Errors
/// A file that cannot be read; as [`GgufTokenizer::from_metadata`].
pub fn text_files(dir: &Path, gguf: Option<&Map<String, Value>>) -> Result<BTreeMap<String, Vec<u8>>, LmError> {
    if let Some(metadata) = gguf
        && !dir.join("tokenizer.json").is_file()
    {
        let files = GgufTokenizer::from_metadata(metadata)?.files();
        return Ok(files.into_iter().map(|(name, text)| (name.to_owned(), text.into_bytes())).collect());
    }
    let mut files = BTreeMap::new();
    for name in companion_files() {
        let path = dir.join(name);
        match std::fs::read(&path) {
            Ok(bytes) => drop(files.insert(name.to_owned(), bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(LmError::File { path, what: error.to_string() }),
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::text_files;

    #[test]
    fn what_is_there_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("tokenizer.json"), "{}").expect("written");
        std::fs::write(folder.path().join("config.json"), "{}").expect("written");
        let files = text_files(folder.path(), None).expect("read");
        assert_eq!(files.into_iter().collect::<Vec<_>>(), [("tokenizer.json".to_owned(), b"{}".to_vec())]);
        std::fs::create_dir(folder.path().join("vocab.txt")).expect("made");
        let error = text_files(folder.path(), None).unwrap_err().to_string();
        assert!(error.contains("vocab.txt"), "{error}");
    }
}
