//! A folder of synthetic models, and the output of their merges.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use bunch_checkpoint::Checkpoint;

use crate::generate::{self, model_names, write_model};
use crate::model_size::ModelSize;

/// A base and experts of one size, and next to them a folder for recipes and output.
#[derive(Debug)]
pub struct ModelSet {
    dir: PathBuf,
    size: ModelSize,
    /// Bytes of the weight files of one model.
    pub model_bytes: u64,
}

impl ModelSet {
    /// The first `models` models in `dir`, or in target/benchmark/SIZE by default. Missing ones are
    /// generated.
    ///
    /// # Errors
    /// Fails if a model there is not a checkpoint or has another size, or on an I/O error.
    pub fn open_or_generate(dir: Option<&Path>, size: ModelSize, models: u32) -> Result<Self> {
        let dir = dir.map_or_else(|| Path::new("target/benchmark").join(size.name()), Path::to_path_buf);
        let mut model_bytes = 0;
        for name in model_names(models) {
            let path = dir.join(&name);
            if !path.exists() {
                eprintln!("generating {}", path.display());
                write_model(&generate::Options::new(&dir, size, models), &name)?;
            }
            let (parameters, bytes) = parameters_and_bytes(&path)?;
            let expected = size.parameters();
            ensure!(
                parameters == expected,
                "{}: a model of size {} has {expected} parameters, got {parameters}",
                path.display(),
                size.name()
            );
            model_bytes = bytes;
        }
        let dir = dir.canonicalize().with_context(|| format!("opening {}", dir.display()))?;
        fs::create_dir_all(dir.join("benchmark"))?;
        Ok(Self { dir, size, model_bytes })
    }

    /// The folder of the models.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A path in the folder for recipes and output.
    pub fn work_path(&self, name: &str) -> PathBuf {
        self.dir.join("benchmark").join(name)
    }

    /// The weight files of a model.
    ///
    /// # Errors
    /// Fails if it is not a checkpoint.
    pub fn weight_files(&self, model: &str) -> Result<Vec<PathBuf>> {
        Ok(Checkpoint::open(&self.dir.join(model))?.weight_files().map(Path::to_path_buf).collect())
    }

    /// Reads the weights of `models` once, so that they are in the page cache if they fit.
    ///
    /// # Errors
    /// Fails on an I/O error.
    pub fn read_through(&self, models: &[&str]) -> Result<()> {
        for model in models {
            for path in self.weight_files(model)? {
                let copied = File::open(&path).and_then(|mut file| io::copy(&mut file, &mut io::sink()));
                copied.with_context(|| format!("reading {}", path.display()))?;
            }
        }
        Ok(())
    }

    /// Checks that the merge in `out` is complete: a run that did only part of the work must not count.
    ///
    /// # Errors
    /// Fails if it is not a checkpoint or has another number of parameters.
    pub fn check_merge(&self, out: &Path) -> Result<()> {
        let (got, expected) = (parameters_and_bytes(out)?.0, self.size.parameters());
        ensure!(got == expected, "the merge in {} has {got} parameters, expected {expected}", out.display());
        Ok(())
    }
}

/// The number of values in all tensors of the checkpoint at `path`, and the bytes of its weight files.
fn parameters_and_bytes(path: &Path) -> Result<(u64, u64)> {
    let checkpoint = Checkpoint::open(path)?;
    let shapes = checkpoint.names().filter_map(|name| checkpoint.info(name)).map(|info| &info.shape);
    let parameters = shapes.map(|shape| shape.iter().product::<usize>() as u64).sum();
    let mut bytes = 0;
    for file in checkpoint.weight_files() {
        bytes += fs::metadata(file).with_context(|| format!("reading {}", file.display()))?.len();
    }
    Ok((parameters, bytes))
}

#[cfg(test)]
mod tests {
    use super::ModelSet;
    use crate::model_size::ModelSize;

    #[test]
    fn missing_models_are_generated_and_present_ones_kept() {
        let dir = tempfile::tempdir().unwrap();
        let set = ModelSet::open_or_generate(Some(dir.path()), ModelSize::Tiny, 2).unwrap();
        let file = &set.weight_files("e1").unwrap()[0];
        let before = std::fs::metadata(file).unwrap().modified().unwrap();
        assert_eq!(std::fs::metadata(file).unwrap().len(), set.model_bytes);
        assert!(set.weight_files("e2").is_err());

        let set = ModelSet::open_or_generate(Some(dir.path()), ModelSize::Tiny, 3).unwrap();
        assert_eq!(std::fs::metadata(file).unwrap().modified().unwrap(), before);
        set.read_through(&["base", "e1", "e2"]).unwrap();
        set.check_merge(&dir.path().join("e2")).unwrap();
        assert!(set.check_merge(&dir.path().join("e3")).is_err());
    }

    #[test]
    fn models_of_another_size_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        ModelSet::open_or_generate(Some(dir.path()), ModelSize::Tiny, 1).unwrap();
        let error = ModelSet::open_or_generate(Some(dir.path()), ModelSize::Half, 1).unwrap_err().to_string();
        assert!(error.contains("base") && error.contains("0.5B") && error.contains("parameters"), "{error}");
    }
}
