//! A model that has been loaded to be run: its weights on a device, its tokenizer, and what identifies it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use bunch_checkpoint::{Checkpoint, DigestCache, config_mismatches};
use bunch_lm::Tokenizer;
use bunch_transformer::{LlamaModel, MemoryNeed};
use serde_json::{Map, Value, json};

use crate::arguments::ModelOptions;
use crate::digest_cache;
use crate::memory::check_memory;
use crate::model_place::model_place;

/// Models up to this many bytes are identified by their SHA-256 even if it has to be computed first.
const QUICKLY_HASHED: u64 = 2_000_000_000;

/// A model ready to answer.
pub struct LoadedModel {
    /// The model.
    pub model: LlamaModel,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    path: PathBuf,
    device: String,
    fingerprint: String,
}

impl LoadedModel {
    /// Loads the model in the folder or GGUF file `path`.
    pub fn load(path: &Path, options: &ModelOptions) -> Result<Self> {
        use_threads(options);
        let device = bunch_transformer::device(&options.device)?;
        let checkpoint = Checkpoint::open(&model_place(path))?;
        check_config(path, &checkpoint)?;
        let need = MemoryNeed::of(&checkpoint, &device).with_context(|| path.display().to_string())?;
        check_memory(path, options, need.scoring())?;
        // Before the weights: it is quick, and most that can be wrong is wrong here.
        let tokenizer = Tokenizer::from_model(checkpoint.dir(), checkpoint.gguf_metadata()?.as_ref());
        let tokenizer = tokenizer.with_context(|| format!("{}: tokenizer", path.display()))?;
        let model = LlamaModel::load(&checkpoint, &device).with_context(|| path.display().to_string())?;
        checkpoint.check_unchanged()?;
        let fingerprint = fingerprint(&checkpoint)?;
        Ok(Self { model, tokenizer, path: path.to_owned(), device: options.device.clone(), fingerprint })
    }

    /// What results depend on: the model and the device it ran on.
    pub fn identity(&self) -> Map<String, Value> {
        let fields = json!({
            "model": self.path,
            "model_fingerprint": self.fingerprint,
            "device": self.device,
            "bunch": env!("CARGO_PKG_VERSION"),
        });
        fields.as_object().cloned().unwrap_or_default()
    }
}

/// Checks that config.json says of the weights what is so.
///
/// # Errors
/// What it says and is otherwise.
pub fn check_config(path: &Path, checkpoint: &Checkpoint) -> Result<()> {
    let mismatches: Vec<String> = config_mismatches(checkpoint).iter().map(ToString::to_string).collect();
    if !mismatches.is_empty() {
        bail!("{}: {}", path.display(), mismatches.join("; "));
    }
    Ok(())
}

/// Makes as many threads as the options say. The first model of a command decides; a second one finds them made.
pub fn use_threads(options: &ModelOptions) {
    if let Some(threads) = options.threads {
        let _ = rayon::ThreadPoolBuilder::new().num_threads(threads as usize).build_global();
    }
}

/// The checkpoint's SHA-256 where it is known or quickly computed, else its files' sizes and times of change.
pub fn fingerprint(checkpoint: &Checkpoint) -> Result<String> {
    let files: Vec<&Path> = checkpoint.weight_files().collect();
    let mut bytes = 0;
    let mut described = String::new();
    for path in &files {
        let metadata = std::fs::metadata(path).with_context(|| path.display().to_string())?;
        let modified = metadata.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        let name = path.file_name().unwrap_or_default().display();
        described += &format!("{name} {} {} ", metadata.len(), modified.unwrap_or_default().as_nanos());
        bytes += metadata.len();
    }
    let cache = digest_cache::path().map(|path| DigestCache::open(&path)).transpose()?;
    let is_known = cache.as_ref().is_some_and(|cache| files.iter().all(|path| cache.get(path).is_some()));
    if !is_known && bytes > QUICKLY_HASHED {
        return Ok(format!("files:{}", described.trim_end()));
    }
    let sha256 = match &cache {
        Some(cache) => {
            let sha256 = checkpoint.sha256_with(cache)?;
            cache.save()?;
            sha256
        }
        None => checkpoint.sha256()?,
    };
    Ok(format!("sha256:{sha256}"))
}
