//! A model that takes part in a merge, opened for reading.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bunch_checkpoint::{Checkpoint, PeftAdapter, TensorName};
use bunch_hub::downloaded;
use bunch_lm::GgufTokenizer;
use bunch_recipe::{ModelReference, Recipe};
use serde_json::Value;

use crate::configuration::{find, layer_count_key};
use crate::error::StreamingError;

/// A model that takes part in a merge, opened for reading: its folder, and its adapter if the recipe names one.
#[derive(Debug)]
pub struct InputModel {
    pub(crate) reference: ModelReference,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) adapter: Option<PeftAdapter>,
    /// The tokenizer that a GGUF file has inside, as the files of a folder; nothing where a folder has its own.
    inner_files: BTreeMap<&'static str, String>,
    /// Why there is none.
    inner_problem: Option<String>,
}

impl InputModel {
    /// Opens every model that the recipe names, in the order of [`Recipe::models`]. Reads headers, no tensor.
    ///
    /// # Errors
    /// A model that is not there or broken. Models are folders, GGUF files, or repositories that the Hugging Face hub's
    /// client has downloaded; nothing is downloaded here.
    pub fn open_all(recipe: &Recipe) -> Result<Vec<Self>, StreamingError> {
        Self::open_named(recipe, &BTreeMap::new())
    }

    /// As [`Self::open_all`], with the places of the models that the recipe calls by one of the names in `places`.
    ///
    /// # Errors
    /// As [`Self::open_all`].
    pub fn open_named(recipe: &Recipe, places: &BTreeMap<String, PathBuf>) -> Result<Vec<Self>, StreamingError> {
        recipe.models().into_iter().map(|reference| Self::open(reference, places)).collect()
    }

    fn open(reference: &ModelReference, places: &BTreeMap<String, PathBuf>) -> Result<Self, StreamingError> {
        let path = match places.get(&reference.path) {
            Some(place) => place.clone(),
            None => locate(&reference.path, reference.revision.as_deref())?,
        };
        let checkpoint = Checkpoint::open(&path)?;
        let adapter = match &reference.lora {
            None => None,
            Some((path, revision)) => {
                let adapter = PeftAdapter::open(&locate(path, revision.as_deref())?)?;
                adapter.check_fits(&checkpoint)?;
                Some(adapter)
            }
        };
        let gguf = checkpoint.gguf_metadata()?.filter(|_| !checkpoint.dir().join("tokenizer.json").is_file());
        let (inner_files, inner_problem) = match gguf.map(|metadata| GgufTokenizer::from_metadata(&metadata)) {
            None => (BTreeMap::new(), None),
            Some(Ok(tokenizer)) => (tokenizer.files(), None),
            // The weights can be merged all the same.
            Some(Err(error)) => (BTreeMap::new(), Some(error.to_string())),
        };
        Ok(Self { reference: reference.clone(), checkpoint, adapter, inner_files, inner_problem })
    }

    /// The model in the recipe.
    pub fn reference(&self) -> &ModelReference {
        &self.reference
    }

    /// The model as the recipe names it.
    pub fn name(&self) -> String {
        self.reference.to_string()
    }

    /// config.json.
    pub(crate) fn config(&self) -> &Value {
        self.checkpoint.config()
    }

    /// The folder that the model is in.
    pub fn dir(&self) -> &Path {
        self.checkpoint.dir()
    }

    /// The number of layers according to the tensors' names.
    pub(crate) fn layers_of_weights(&self) -> usize {
        let layers = self.checkpoint.names().filter_map(|name| TensorName::of(name).layer);
        layers.map(|layer| layer.index + 1).max().unwrap_or(0)
    }

    /// The number of layers: what config.json says, or the tensors' names.
    pub(crate) fn layers(&self) -> usize {
        let declared = layer_count_key(self.config()).and_then(|path| find(self.config(), &path)?.as_u64());
        declared.map_or_else(|| self.layers_of_weights(), |count| count as usize)
    }

    /// `architectures[0]` of config.json, or `model_type`.
    pub(crate) fn architecture(&self) -> String {
        let config = self.config();
        let name = config["architectures"][0].as_str().or(config["model_type"].as_str());
        name.unwrap_or("unknown").to_owned()
    }

    /// A file next to the weights, or in the GGUF file, if it is there.
    pub(crate) fn file(&self, name: &str) -> Option<Vec<u8>> {
        let inner = self.inner_files.get(name).map(|text| text.clone().into_bytes());
        inner.or_else(|| std::fs::read(self.dir().join(name)).ok())
    }

    /// What the merge goes without, in words.
    pub(crate) fn note(&self) -> Option<String> {
        let problem = self.inner_problem.as_ref()?;
        Some(format!("{}: the tokenizer in the GGUF file is not used: {problem}", self.name()))
    }
}

/// The folder or GGUF file that a recipe means by a path.
fn locate(path: &str, revision: Option<&str>) -> Result<PathBuf, StreamingError> {
    let folder = PathBuf::from(path);
    if folder.exists() {
        return match revision {
            None => Ok(folder),
            Some(revision) => Err(StreamingError::NoSuchModel {
                model: format!("{path}@{revision}"),
                hint: format!(": {path} is a folder, and a folder has no revisions"),
            }),
        };
    }
    downloaded(path, revision).ok_or_else(|| {
        let at = revision.map(|revision| format!(" --revision {revision}")).unwrap_or_default();
        let is_repository = path.split('/').count() == 2 && !path.starts_with(['.', '/', '~']);
        let hint = if is_repository {
            format!(", and not in the Hugging Face cache either (download it first: hf download {path}{at})")
        } else {
            String::new()
        };
        let model = revision.map_or(path.to_owned(), |revision| format!("{path}@{revision}"));
        StreamingError::NoSuchModel { model, hint }
    })
}
