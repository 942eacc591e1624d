//! A model that takes part in a merge, opened for reading.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use bunch_checkpoint::{
    Checkpoint, CheckpointError, PeftAdapter, Quantisation, TOKENIZER_FILES, TensorName, computed_buffers,
    is_computed_buffer, layer_count, text_layer_lists, text_setting,
};
use bunch_hub::downloaded;
use bunch_lm::GgufTokenizer;
use bunch_recipe::{ModelReference, Recipe};
use serde_json::Value;

use crate::error::StreamingError;

/// A model that takes part in a merge, opened for reading: its folder, and its adapter if the recipe names one.
#[derive(Debug)]
pub struct InputModel {
    pub(crate) reference: ModelReference,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) adapter: Option<PeftAdapter>,
    /// The lists of layers that slices are of: those of the language model.
    pub(crate) lists: BTreeSet<String>,
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
                let mut adapter = PeftAdapter::open(&locate(path, revision.as_deref())?)?;
                adapter.fit(&checkpoint)?;
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
        let lists = text_layer_lists(checkpoint.names());
        Ok(Self { reference: reference.clone(), checkpoint, adapter, lists, inner_files, inner_problem })
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

    /// The names of the tensors that are merged: without computed buffers, and with the output projection that only the
    /// adapter gives to the model.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let shape = |name: &str| self.checkpoint.raw_reader(name).map_or(&[][..], |reader| reader.shape());
        let stored = self.checkpoint.names().filter(move |name| !is_computed_buffer(name, shape(name)));
        stored.chain(self.adapter.iter().filter_map(PeftAdapter::new_output))
    }

    /// How many computed buffers of each kind the checkpoint has.
    pub(crate) fn buffers(&self) -> BTreeMap<String, usize> {
        let shape = |name: &str| self.checkpoint.raw_reader(name).map_or(&[][..], |reader| reader.shape());
        computed_buffers(self.checkpoint.names().map(|name| (name, shape(name))))
    }

    /// Where a tensor's values are, without the product that the adapter adds: the checkpoint, or the adapter.
    pub(crate) fn stored(&self, tensor: &str) -> Option<(&Checkpoint, &str)> {
        match &self.adapter {
            Some(adapter) => adapter.stored(tensor, &self.checkpoint),
            None => self.checkpoint.raw_reader(tensor).ok().map(|reader| (&self.checkpoint, reader.name())),
        }
    }

    /// The same for a tensor that the plan has found.
    ///
    /// # Errors
    /// The model does not have it.
    pub(crate) fn find(&self, tensor: &str) -> Result<(&Checkpoint, &str), CheckpointError> {
        let not_found = || CheckpointError::TensorNotFound { dir: self.dir().to_path_buf(), tensor: tensor.to_owned() };
        self.stored(tensor).ok_or_else(not_found)
    }

    /// The shape of a tensor, as the adapter has it where it replaces it.
    pub(crate) fn shape(&self, tensor: &str) -> Option<&[usize]> {
        let (checkpoint, name) = self.stored(tensor)?;
        checkpoint.raw_reader(name).ok().map(|reader| reader.shape())
    }

    /// The number of layers: what config.json says, or the tensors' names.
    pub(crate) fn layers(&self) -> usize {
        let layers = self.checkpoint.names().filter_map(|name| TensorName::of(name).layer);
        let of_text = layers.filter(|layer| self.lists.contains(&layer.list)).map(|layer| layer.index + 1);
        layer_count(self.config()).map_or_else(|| of_text.max().unwrap_or(0), |count| count as usize)
    }

    /// The number of tokens that config.json or the adapter says that there are rows for.
    pub(crate) fn vocabulary_size(&self) -> Option<usize> {
        let of_adapter = self.adapter.as_ref().and_then(PeftAdapter::vocabulary_rows);
        of_adapter.or_else(|| Some(text_setting(self.config(), "vocab_size")?.as_u64()? as usize))
    }

    /// `architectures[0]` of config.json, or `model_type`.
    pub(crate) fn architecture(&self) -> String {
        let config = self.config();
        let name = config["architectures"][0].as_str().or(config["model_type"].as_str());
        name.unwrap_or("unknown").to_owned()
    }

    /// A file next to the weights, or in the GGUF file, if it is there. The tokenizer is the adapter's where that has one
    /// for the rows that it adds.
    pub(crate) fn file(&self, name: &str) -> Option<Vec<u8>> {
        let inner = self.inner_files.get(name).map(|text| text.clone().into_bytes());
        inner.or_else(|| std::fs::read(self.folder_of(name).join(name)).ok())
    }

    fn folder_of(&self, name: &str) -> &Path {
        let has_more_tokens = |adapter: &&PeftAdapter| {
            adapter.vocabulary_rows().is_some() && adapter.dir().join("tokenizer.json").is_file()
        };
        match self.adapter.as_ref().filter(has_more_tokens) {
            Some(adapter) if TOKENIZER_FILES.contains(&name) => adapter.dir(),
            _ => self.dir(),
        }
    }

    /// What somebody should know who merges this model.
    pub(crate) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(problem) = &self.inner_problem {
            notes.push(format!("{}: the tokenizer in the GGUF file is not used: {problem}", self.name()));
        }
        if let Some(Quantisation { method, .. }) = self.checkpoint.quantisation() {
            notes.push(format!(
                "{}: the weights are quantised ({method}); their values are merged, and the merged model is not quantised",
                self.name()
            ));
        }
        if let Some(output) = self.adapter.as_ref().and_then(PeftAdapter::new_output) {
            notes.push(format!(
                "{}: the adapter changes either the embedding or the output projection of a model that shares the two, so \
                 that it has an output projection of its own now ({output}, tie_word_embeddings false)",
                self.name()
            ));
        }
        if let Some(rows) = self.adapter.as_ref().and_then(PeftAdapter::vocabulary_rows) {
            let tokenizer = match self.folder_of("tokenizer.json") {
                folder if folder == self.dir() => "the tokenizer is the model's, as the adapter has none",
                _ => "the tokenizer is the adapter's",
            };
            notes.push(format!("{}: the vocabulary has {rows} rows with the adapter; {tokenizer}", self.name()));
        }
        notes
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
