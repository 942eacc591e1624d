//! Which files of a directory hold the model's weights.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::CheckpointError;
use crate::weight_index::{INDEX_FILE, WeightIndex};

/// The weights of a model that is not sharded.
pub(crate) const WEIGHTS_FILE: &str = "model.safetensors";

/// How the file names of weights end.
pub(crate) const WEIGHTS_SUFFIX: &str = ".safetensors";

/// How the file names of PyTorch's pickles end.
const PICKLE_SUFFIXES: [&str; 3] = [".bin", ".pth", ".pt"];

/// The files that hold a model's weights.
pub(crate) struct WeightFiles {
    /// File names, sorted.
    pub(crate) names: Vec<String>,
    pub(crate) index: Option<WeightIndex>,
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
            return Ok(Self { names: vec![WEIGHTS_FILE.to_owned()], index: None });
        }
        let (mut names, mut pickles) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(dir).map_err(CheckpointError::io(dir))? {
            let entry = entry.map_err(CheckpointError::io(dir))?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if !entry.path().is_file() {
                continue;
            }
            if name.ends_with(WEIGHTS_SUFFIX) {
                names.push(name);
            } else if PICKLE_SUFFIXES.iter().any(|suffix| name.ends_with(suffix)) {
                pickles.push(name);
            }
        }
        names.sort();
        pickles.sort();
        match names.len() {
            0 if !pickles.is_empty() => Err(CheckpointError::PickledWeights { dir: dir.to_path_buf(), files: pickles }),
            0 => Err(CheckpointError::NoWeights { dir: dir.to_path_buf() }),
            1 => Ok(Self { names, index: None }),
            _ => Err(CheckpointError::AmbiguousWeights { dir: dir.to_path_buf(), files: names }),
        }
    }

    /// The shards that an index names.
    fn of_index(path: &Path) -> Result<Self, CheckpointError> {
        let text = fs::read(path).map_err(CheckpointError::io(path))?;
        let index = WeightIndex::parse(path, &text)?;
        let names: BTreeSet<String> = index.weight_map.values().cloned().collect();
        for name in &names {
            check_file_name(name)?;
        }
        Ok(Self { names: names.into_iter().collect(), index: Some(index) })
    }

    /// Checks that the shard `name`, if an index names it, is there.
    pub(crate) fn check_is_there(&self, dir: &Path, name: &str) -> Result<(), CheckpointError> {
        if self.index.is_some() && !dir.join(name).is_file() {
            return Err(CheckpointError::MissingShard { index: dir.join(INDEX_FILE), shard: name.to_owned() });
        }
        Ok(())
    }
}

/// Checks that `name` names a file in the directory at hand and nowhere else.
pub(crate) fn check_file_name(name: &str) -> Result<(), CheckpointError> {
    if matches!(name, "" | "." | "..") || name.contains(['/', '\\', '\0']) {
        return Err(CheckpointError::FileName { name: name.to_owned() });
    }
    Ok(())
}
