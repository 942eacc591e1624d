//! What a model directory holds and what is wrong with it.
//!
//! [`describe`] gathers what files, headers and config.json say and checks them against each other; nothing that is wrong
//! with a directory makes it fail. A [`Description`] is printed as text or serialised.

mod agreement;
mod config;
mod description;
mod problem;
mod text;
mod tokenizer;
mod values;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use bunch_checkpoint::{
    Checkpoint, DigestCache, InspectedShard, Inspection, Layer, TensorName, embedding_for_output, inspect_directory,
    sha256_file,
};

pub use description::{
    Configured, Description, DtypeUse, LayerParameters, ListedFile, LoadingMemory, Parameters, ShardSummary,
    VocabularyRows,
};
pub use problem::Problem;

use agreement::Weights;
use config::dtype_key;
use tokenizer::TokenizerSummary;

/// What takes long and is done when asked for.
#[derive(Debug, Clone, Copy)]
pub struct DescribeOptions<'a> {
    /// Whether each file's SHA-256 is computed.
    pub digests: bool,
    /// Remembers digests; the caller saves it.
    pub digest_cache: Option<&'a DigestCache>,
    /// Whether every value is read, to find those that are NaN or infinite, and an output projection that should be the
    /// embedding and is not.
    pub check_values: bool,
    /// Threads that read values; 0 counts as 1.
    pub threads: usize,
}

impl Default for DescribeOptions<'_> {
    fn default() -> Self {
        Self { digests: false, digest_cache: None, check_values: false, threads: 1 }
    }
}

/// Describes the model directory, or the GGUF file, at `path`. What is wrong is among the problems, be it that there is
/// nothing at all.
pub fn describe(path: &Path, options: &DescribeOptions<'_>) -> Description {
    let mut description = Description { path: path.to_path_buf(), ..Description::default() };
    let (inspection, checkpoint) = open(path);
    description.problems.extend(inspection.problems.into_iter().map(Problem::from));
    description.tensors = inspection.tensors;
    description.parameters.total = inspection.parameters;
    description.dtypes = dtypes(&inspection.shards);
    let summary = |shard: InspectedShard| ShardSummary { name: shard.name, bytes: shard.bytes, tensors: shard.tensors };
    description.shards = inspection.shards.into_iter().map(summary).collect();

    let is_directory = path.is_dir();
    let mut tokenizer = None;
    if is_directory {
        description.files = list_files(path, options, &mut description.problems);
        description.generation_config = read_json(path, "generation_config.json", &mut description.problems);
        let summary = TokenizerSummary::read(path, &mut description.problems);
        description.has_chat_template = summary.has_chat_template;
        tokenizer = summary.tokens;
    }
    // A config.json that is broken is among the problems already.
    let own_config = || read_json(path, "config.json", &mut Vec::new());
    let config = checkpoint.as_ref().map(|checkpoint| checkpoint.config().clone()).or_else(own_config);
    let config = config.unwrap_or_default();
    description.config = Configured::new(&config);
    description.vocabulary = VocabularyRows {
        config: description.config.vocab_size,
        tokenizer: tokenizer.as_ref().map(|(count, _)| *count),
        highest_id: tokenizer.as_ref().map(|(_, (id, _))| *id),
        ..VocabularyRows::default()
    };
    if let Some(checkpoint) = &checkpoint {
        describe_weights(&mut description, checkpoint);
        let weights = Weights::new(checkpoint, &description.config);
        description.quantisation = checkpoint.quantisation().map(ToString::to_string);
        let is_quantised = checkpoint.quantisation().is_some() || config.get("quantization_config").is_some();
        let dtype_key = dtype_key(&config).filter(|_| !is_quantised);
        description.problems.extend(weights.disagreements(
            &description.dtypes,
            dtype_key,
            tokenizer.map(|(_, last)| last),
        ));
        if options.check_values {
            description.problems.extend(values::check(checkpoint, weights.ignored_output(), options.threads));
            description.values_checked = true;
        }
    }
    description
}

/// Inspects what is at `path` and opens it if nothing is wrong with it.
fn open(path: &Path) -> (Inspection, Option<Checkpoint>) {
    let is_file = path.is_file();
    let mut inspection = if is_file { Inspection::default() } else { inspect_directory(path) };
    if !inspection.problems.is_empty() {
        return (inspection, None);
    }
    match Checkpoint::open_stored(path) {
        Ok(checkpoint) => {
            if is_file {
                inspect_file(&mut inspection, &checkpoint);
            }
            (inspection, Some(checkpoint))
        }
        Err(error) => {
            inspection.problems.push(error);
            (inspection, None)
        }
    }
}

/// What [`inspect_directory`] would find about a single file of weights.
fn inspect_file(inspection: &mut Inspection, checkpoint: &Checkpoint) {
    let mut dtypes = BTreeMap::new();
    for tensor in checkpoint.names().filter_map(|name| checkpoint.raw_reader(name).ok()) {
        *dtypes.entry(tensor.stored_dtype().to_owned()).or_default() += 1;
        inspection.tensors += 1;
        inspection.parameters += length(tensor.shape());
    }
    for file in checkpoint.weight_files() {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let bytes = std::fs::metadata(file).map_or(0, |metadata| metadata.len());
        inspection.shards.push(InspectedShard { name, bytes, tensors: inspection.tensors, dtypes: dtypes.clone() });
    }
}

/// Number of values of a tensor.
fn length(shape: &[usize]) -> u64 {
    shape.iter().map(|&dimension| dimension as u64).product()
}

fn dtypes(shards: &[InspectedShard]) -> BTreeMap<String, DtypeUse> {
    let mut dtypes: BTreeMap<String, DtypeUse> = BTreeMap::new();
    for (dtype, tensors) in shards.iter().flat_map(|shard| &shard.dtypes) {
        dtypes.entry(dtype.clone()).or_default().tensors += tensors;
    }
    dtypes
}

/// Fills in what only the tensors themselves show.
fn describe_weights(description: &mut Description, checkpoint: &Checkpoint) {
    let mut parameters = Parameters { total: description.parameters.total, ..Parameters::default() };
    let mut layers: BTreeMap<Layer, u64> = BTreeMap::new();
    let mut bytes = 0;
    for tensor in checkpoint.names().filter_map(|name| checkpoint.raw_reader(name).ok()) {
        let (name, values) = (tensor.name(), length(tensor.shape()));
        let parsed = TensorName::of(name);
        let part = match &parsed.layer {
            Some(layer) => layers.entry(layer.clone()).or_default(),
            None if parsed.is_embedding() => &mut parameters.embedding,
            None if parsed.is_output() => &mut parameters.output,
            None => &mut parameters.other,
        };
        *part += values;
        let used = description.dtypes.entry(tensor.stored_dtype().to_owned()).or_default();
        *used.bytes.get_or_insert(0) += tensor.byte_length() as u64;
        bytes += tensor.byte_length() as u64;
    }
    let of_layer = |(layer, parameters): (Layer, u64)| LayerParameters { layer: layer.to_string(), parameters };
    parameters.layers = layers.into_iter().map(of_layer).collect();
    let total = parameters.total;
    description.parameters = parameters;
    description.memory = Some(LoadingMemory { as_stored: bytes, in_16_bits: 2 * total, in_32_bits: 4 * total });

    let rows = |name: &str| Some(*checkpoint.raw_reader(name).ok()?.shape().first()? as u64);
    let embedding = embedding_for_output(checkpoint.names());
    let output = checkpoint.names().find(|name| TensorName::of(name).is_output());
    description.vocabulary.embedding = embedding.and_then(rows);
    description.vocabulary.output = output.and_then(rows);
    description.tied = match (embedding, output) {
        (None, _) => None,
        (Some(_), None) => Some(description.config.tie_word_embeddings != Some(false)),
        (Some(_), Some(_)) => description.config.tie_word_embeddings,
    };
}

/// The directory's files, sorted by name.
fn list_files(dir: &Path, options: &DescribeOptions<'_>, problems: &mut Vec<Problem>) -> Vec<ListedFile> {
    // A directory that cannot be read is among the problems already.
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path()).filter(|path| path.is_file());
    let mut files: Vec<ListedFile> = Vec::new();
    for path in paths {
        let bytes = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
        let digest = options.digests.then(|| match options.digest_cache {
            Some(cache) => cache.compute(&path),
            None => sha256_file(&path),
        });
        let sha256 = digest.and_then(|digest| digest.map_err(|error| problems.push(error.into())).ok());
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        files.push(ListedFile { name, bytes, sha256 });
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files
}

/// A JSON file, if it is there.
fn read_json(dir: &Path, name: &str, problems: &mut Vec<Problem>) -> Option<Value> {
    let path = dir.join(name);
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(source) => {
            problems.push(Problem::Read { file: name.to_owned(), source });
            return None;
        }
    };
    match serde_json::from_slice(&text) {
        Ok(value) => Some(value),
        Err(source) => {
            problems.push(bunch_checkpoint::CheckpointError::Json { path, source }.into());
            None
        }
    }
}
