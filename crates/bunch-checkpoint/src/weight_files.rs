//! Which files of a directory hold the model's weights.

use std::fs;
use std::path::Path;

use crate::adapter::ADAPTER_CONFIG;
use crate::gguf::GGUF_SUFFIX;
use crate::weight_index::{INDEX_FILE, WeightIndex};
use crate::{CheckpointError, UnreadableModel};

/// The weights of a model that is not sharded.
pub(crate) const WEIGHTS_FILE: &str = "model.safetensors";

/// How the file names of weights end.
pub(crate) const WEIGHTS_SUFFIX: &str = ".safetensors";

/// How the file names of PyTorch's pickles end.
const PICKLE_SUFFIXES: [&str; 3] = [".bin", ".pth", ".pt"];

/// The files that hold a model's weights.
pub(crate) enum WeightFiles {
    /// Safetensors files by their names, sorted, and the index that names them, if it does.
    Safetensors { names: Vec<String>, index: Option<WeightIndex> },
    /// The name of a GGUF file.
    Gguf { name: String },
}

impl WeightFiles {
    /// Finds the weights of the model in `dir`. Shards that an index names need not be there.
    pub(crate) fn find(dir: &Path) -> Result<Self, CheckpointError> {
        let index_path = dir.join(INDEX_FILE);
        let has_weights_file = dir.join(WEIGHTS_FILE).is_file();
        if index_path.is_file() {
            if has_weights_file {
                let files = vec![WEIGHTS_FILE.to_owned(), INDEX_FILE.to_owned()];
                return Err(CheckpointError::AmbiguousWeights { dir: dir.to_path_buf(), files });
            }
            return Self::of_index(&index_path);
        }
        if has_weights_file {
            return Ok(Self::Safetensors { names: vec![WEIGHTS_FILE.to_owned()], index: None });
        }
        let mut files = Vec::new();
        for entry in fs::read_dir(dir).map_err(CheckpointError::io(dir))? {
            let entry = entry.map_err(CheckpointError::io(dir))?;
            if let Ok(name) = entry.file_name().into_string()
                && entry.path().is_file()
            {
                files.push(name);
            }
        }
        files.sort();
        let ending_in = |suffixes: &[&str]| -> Vec<String> {
            files.iter().filter(|name| suffixes.iter().any(|suffix| name.ends_with(suffix))).cloned().collect()
        };
        let dir = dir.to_path_buf();
        let (mut names, mut ggufs) = (ending_in(&[WEIGHTS_SUFFIX]), ending_in(&[GGUF_SUFFIX]));
        let mut pickles = ending_in(&PICKLE_SUFFIXES);
        if files.iter().any(|name| name == ADAPTER_CONFIG) {
            // A model may have an adapter in its folder, which is no weights of its own.
            let is_model = |name: &String| !name.starts_with("adapter_model.");
            names.retain(is_model);
            pickles.retain(is_model);
            if names.is_empty() && ggufs.is_empty() && pickles.is_empty() {
                return Err(UnreadableModel::AdapterAsModel { dir }.into());
            }
        }
        match (names.len(), ggufs.len()) {
            (1, _) => Ok(Self::Safetensors { names, index: None }),
            (0, 1) => Ok(Self::Gguf { name: ggufs.remove(0) }),
            (0, 0) if pickles.is_empty() => Err(CheckpointError::NoWeights { dir }),
            (0, 0) => Err(UnreadableModel::PickledWeights { dir, files: pickles }.into()),
            (_, 0) if names.iter().all(|name| is_part(name, WEIGHTS_SUFFIX)) => {
                Err(UnreadableModel::MissingIndex { dir, files: names }.into())
            }
            (0, _) if ggufs.iter().all(|name| is_part(name, GGUF_SUFFIX)) => {
                Err(UnreadableModel::SplitGguf { dir, files: ggufs }.into())
            }
            _ => {
                names.append(&mut ggufs);
                Err(CheckpointError::AmbiguousWeights { dir, files: names })
            }
        }
    }

    /// The shards that an index names.
    fn of_index(path: &Path) -> Result<Self, CheckpointError> {
        let text = fs::read(path).map_err(CheckpointError::io(path))?;
        let index = WeightIndex::parse(path, &text)?;
        Ok(Self::Safetensors { names: index.shards(path)?, index: Some(index) })
    }
}

/// Whether a file is named as one part of several: `model-00001-of-00002.safetensors`.
fn is_part(name: &str, suffix: &str) -> bool {
    let is_number = |text: &str| text.len() >= 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    let parts = name.strip_suffix(suffix).and_then(|stem| {
        let (rest, total) = stem.rsplit_once("-of-")?;
        Some((rest.rsplit_once('-')?.1, total))
    });
    parts.is_some_and(|(part, total)| is_number(part) && is_number(total))
}

/// Checks that the shard `name`, which the index of `dir` names, is there.
pub(crate) fn check_is_there(dir: &Path, name: &str) -> Result<(), CheckpointError> {
    if !dir.join(name).is_file() {
        return Err(CheckpointError::MissingShard { index: dir.join(INDEX_FILE), shard: name.to_owned() });
    }
    Ok(())
}
