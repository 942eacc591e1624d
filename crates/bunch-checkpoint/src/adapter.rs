//! LoRA adapters in PEFT's layout (Hu et al. 2021): low-rank products that are added to a model's weights.

mod config;
mod delta;
mod names;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use config::AdapterConfig;
pub use delta::LowRankDelta;
pub use names::{factor_a, factor_b, module_of_factor};

use names::Part;

use crate::{Checkpoint, CheckpointError, StateDict, TensorName, TensorReader, embedding_for_output, text_setting};

/// File name of an adapter's configuration.
pub const ADAPTER_CONFIG: &str = "adapter_config.json";

/// File name of an adapter's weights.
pub const ADAPTER_WEIGHTS: &str = "adapter_model.safetensors";

/// File name of an adapter's weights as a pickle, which is not read.
const PICKLED_WEIGHTS: &str = "adapter_model.bin";

/// An adapter, opened for reading.
#[derive(Debug)]
pub struct PeftAdapter {
    dir: PathBuf,
    config: AdapterConfig,
    weights: Checkpoint,
    /// The factors for each module of the model.
    factors: BTreeMap<String, Factors>,
    /// Tensors of the model that the adapter replaces as a whole (PEFT's `modules_to_save`): name there, name here.
    replaced: BTreeMap<String, String>,
    /// The output projection that the model has with this adapter only, and the embedding that it begins as.
    new_output: Option<(String, String)>,
    /// The size of the vocabulary with this adapter, where it is another than the model's.
    vocabulary_rows: Option<usize>,
}

/// The names of a product's factors.
#[derive(Debug, Default)]
struct Factors {
    a: String,
    b: String,
    /// Whether they are for an embedding, whose weight is stored `[in, out]`.
    is_embedding: bool,
}

impl PeftAdapter {
    /// Opens the adapter in `dir`: reads the configuration and the header of the weights.
    ///
    /// # Errors
    /// Files that are missing or broken; an adapter that is more than low-rank products and whole tensors; a product with
    /// one factor only.
    pub fn open(dir: &Path) -> Result<Self, CheckpointError> {
        let reject = |what: String| CheckpointError::Adapter { dir: dir.to_path_buf(), what };
        let config = AdapterConfig::read(dir).map_err(|what| reject(format!("{ADAPTER_CONFIG}: {what}")))?;
        if !dir.join(ADAPTER_WEIGHTS).is_file() && dir.join(PICKLED_WEIGHTS).is_file() {
            return Err(reject(format!(
                "the adapter's weights are a PyTorch pickle ({PICKLED_WEIGHTS}), which is not read because reading runs \
                 what is in it; convert it with PEFT: \
                 PeftModel.from_pretrained(BASE, DIR).save_pretrained(NEW, safe_serialization=True)"
            )));
        }
        let weights = Checkpoint::open_weights(&dir.join(ADAPTER_WEIGHTS))?;
        let (mut factors, mut replaced) = (BTreeMap::<String, Factors>::new(), BTreeMap::new());
        for name in weights.names() {
            let twice =
                |other: &str| reject(format!("{name} and {other} are for the same tensor: expected one adapter"));
            match Part::of(name) {
                Part::Factor { module, position, is_embedding } => {
                    let factors = factors.entry(module).or_default();
                    factors.is_embedding |= is_embedding;
                    let slot = if position == 0 { &mut factors.a } else { &mut factors.b };
                    if !slot.is_empty() {
                        return Err(twice(slot));
                    }
                    name.clone_into(slot);
                }
                Part::Replacement(tensor) => {
                    if let Some(other) = replaced.insert(tensor, name.to_owned()) {
                        return Err(twice(&other));
                    }
                }
                Part::Original => {}
                Part::Unknown => {
                    let what = "only lora_A and lora_B of linear modules and embeddings are supported";
                    return Err(reject(format!("{name}: {what}")));
                }
            }
        }
        if let Some((module, _)) = factors.iter().find(|(_, names)| names.a.is_empty() || names.b.is_empty()) {
            return Err(reject(format!("tensor {module}.weight has only one of lora_A and lora_B")));
        }
        Ok(Self { dir: dir.to_path_buf(), config, weights, factors, replaced, new_output: None, vocabulary_rows: None })
    }

    /// Finds out what the adapter changes in `model`, and checks that each part belongs to one of the model's tensors and
    /// has a shape that fits it.
    ///
    /// An adapter that trains the output projection, or the embedding alone, of a model that shares the two gives the model
    /// an output projection of its own, as when PEFT computes with both. One that replaces all tensors of the vocabulary
    /// may have more rows, or fewer, than the model.
    ///
    /// # Errors
    /// The first part that does not fit.
    pub fn fit(&mut self, model: &Checkpoint) -> Result<(), CheckpointError> {
        let reject = |dir: &Path, what| Err(CheckpointError::Adapter { dir: dir.to_path_buf(), what });
        match self.find_vocabulary_rows(model) {
            Ok(rows) => self.vocabulary_rows = rows,
            Err(what) => return reject(&self.dir, what),
        }
        self.new_output = self.find_new_output(model);
        let factors = self.factors.iter().map(|(module, factors)| self.check_factors(module, factors, model));
        let replaced = self.replaced.iter().map(|(tensor, name)| self.check_replaced(tensor, name, model));
        match factors.chain(replaced).find_map(Result::err) {
            Some(what) => reject(&self.dir, what),
            None => Ok(()),
        }
    }

    /// The rows that all tensors of the vocabulary have here, if that is another number than in the model.
    fn find_vocabulary_rows(&self, model: &Checkpoint) -> Result<Option<usize>, String> {
        let rows =
            |checkpoint: &Checkpoint, name: &str| checkpoint.info(name).and_then(|info| info.shape.first().copied());
        let own = model.names().filter(|name| TensorName::of(name).is_vocabulary());
        let own: Vec<(&str, Option<usize>)> = own.map(|name| (name, rows(model, name))).collect();
        let resized = |(tensor, old): &&(&str, Option<usize>)| {
            self.replaced.get(*tensor).is_some_and(|name| rows(&self.weights, name) != *old)
        };
        let Some((first, old)) = own.iter().find(resized) else { return Ok(None) };
        let new = rows(&self.weights, &self.replaced[*first]);
        let replaced = |tensor: &str| self.replaced.get(tensor).and_then(|name| rows(&self.weights, name));
        match own.iter().find(|(tensor, _)| replaced(tensor) != new) {
            None => Ok(new),
            Some((other, _)) => Err(format!(
                "{} has {} rows where the model has {}, so that the adapter belongs to a larger vocabulary, but {other} \
                 does not have them; resize the model's vocabulary first (resize_token_embeddings)",
                self.replaced[*first],
                new.unwrap_or(0),
                old.unwrap_or(0)
            )),
        }
    }

    /// The output projection that only the adapter gives to a model whose embedding stands in for it.
    fn find_new_output(&self, model: &Checkpoint) -> Option<(String, String)> {
        let embedding = embedding_for_output(model.names())?;
        let is_tied = text_setting(model.config(), "tie_word_embeddings").and_then(serde_json::Value::as_bool);
        if is_tied == Some(false) || model.names().any(|name| TensorName::of(name).is_output()) {
            return None;
        }
        let changed = |tensor: &str| self.changes(tensor);
        let products = self.factors.keys().map(|module| format!("{module}.weight"));
        let output = products.chain(self.replaced.keys().cloned()).find(|name| TensorName::of(name).is_output());
        let generates = model.config()["architectures"][0].as_str().is_some_and(|name| {
            ["ForCausalLM", "LMHeadModel", "ForConditionalGeneration"].iter().any(|end| name.ends_with(end))
        });
        let splits =
            changed(embedding) && generates && !self.config.ensure_weight_tying && self.vocabulary_rows.is_none();
        let default = || {
            let outer = if embedding.starts_with("language_model.model.") { "language_model." } else { "" };
            splits.then(|| format!("{outer}lm_head.weight"))
        };
        Some((output.or_else(default)?, embedding.to_owned()))
    }

    /// Whether the adapter replaces a tensor or adds to it.
    fn changes(&self, tensor: &str) -> bool {
        let has_product = tensor.strip_suffix(".weight").is_some_and(|module| self.factors.contains_key(module));
        has_product || self.replaced.contains_key(tensor)
    }

    fn check_factors(&self, module: &str, factors: &Factors, model: &Checkpoint) -> Result<(), String> {
        let tensor = format!("{module}.weight");
        let shape = |checkpoint: &Checkpoint, name: &str| checkpoint.info(name).map(|info| info.shape.clone());
        let Some(weight) = self.stored(&tensor, model).and_then(|(checkpoint, name)| shape(checkpoint, name)) else {
            return Err(format!("{} belongs to {tensor}, which the model does not have", factors.a));
        };
        let (a, b) = (shape(&self.weights, &factors.a), shape(&self.weights, &factors.b));
        let (a, b) = (a.unwrap_or_default(), b.unwrap_or_default());
        let rank = self.config.rank_of(module);
        let &[mut out, mut input] = &weight[..] else {
            return Err(format!("{tensor} has shape {weight:?}: expected a matrix for lora_A {a:?} and lora_B {b:?}"));
        };
        if self.is_transposed(factors) {
            (out, input) = (input, out);
        }
        if a == [rank, input] && b == [out, rank] {
            return Ok(());
        }
        Err(format!(
            "{tensor} has shape {weight:?} and the product rank {rank}: expected lora_A of shape {:?} and lora_B of \
             {:?}, got {a:?} and {b:?}",
            [rank, input],
            [out, rank]
        ))
    }

    fn check_replaced(&self, tensor: &str, name: &str, model: &Checkpoint) -> Result<(), String> {
        let new_output = self.new_output.as_ref().filter(|(output, _)| output == tensor);
        let of_model = new_output.map_or(tensor, |(_, embedding)| embedding);
        let (Some(of_model), Some(got)) = (model.info(of_model), self.weights.info(name)) else {
            return Err(format!("{name} belongs to no tensor of the model"));
        };
        let mut expected = of_model.shape.clone();
        if let (Some(rows), Some(first)) = (self.vocabulary_rows, expected.first_mut())
            && TensorName::of(tensor).is_vocabulary()
        {
            *first = rows;
        }
        if got.shape != expected {
            return Err(format!("{name}: expected shape {expected:?} as in the model, got {:?}", got.shape));
        }
        Ok(())
    }

    /// Where the values of a tensor are, without what the adapter adds: here, or in the model. Call [`Self::fit`] first.
    pub fn stored<'a>(&'a self, tensor: &str, model: &'a Checkpoint) -> Option<(&'a Checkpoint, &'a str)> {
        if let Some(name) = self.replaced.get(tensor) {
            return Some((&self.weights, name));
        }
        match &self.new_output {
            Some((output, embedding)) if output == tensor => Some((model, embedding)),
            _ => model.raw_reader(tensor).ok().map(|reader| (model, reader.name())),
        }
    }

    /// The output projection that the model has only with this adapter. Call [`Self::fit`] first.
    pub fn new_output(&self) -> Option<&str> {
        self.new_output.as_ref().map(|(output, _)| output.as_str())
    }

    /// The size of the vocabulary with this adapter, where it is another than the model's. Call [`Self::fit`] first.
    pub fn vocabulary_rows(&self) -> Option<usize> {
        self.vocabulary_rows
    }

    /// The adapter's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What adapter_config.json says.
    pub fn config(&self) -> &AdapterConfig {
        &self.config
    }

    /// The adapter's weights.
    pub fn weights(&self) -> &Checkpoint {
        &self.weights
    }

    /// The modules that get a product.
    pub fn modules(&self) -> impl Iterator<Item = &str> {
        self.factors.keys().map(String::as_str)
    }

    /// Whether it is nothing but products of one rank and scale, for weights stored `[out, in]`.
    pub fn is_uniform(&self) -> bool {
        let has_transposed = self.factors.values().any(|factors| self.is_transposed(factors));
        !has_transposed && self.config.is_uniform() && self.replaced.is_empty()
    }

    /// All factors under the names that PEFT writes, [`factor_a`] and [`factor_b`] of their modules.
    ///
    /// # Errors
    /// A factor cannot be read.
    pub fn factors(&self) -> Result<StateDict, CheckpointError> {
        let mut all = StateDict::new();
        for (module, factors) in &self.factors {
            all.insert(factor_a(module), self.weights.tensor(&factors.a)?);
            all.insert(factor_b(module), self.weights.tensor(&factors.b)?);
        }
        Ok(all)
    }

    fn is_transposed(&self, factors: &Factors) -> bool {
        self.config.fan_in_fan_out || factors.is_embedding
    }

    /// What is added to a tensor of the model, if anything. Reads both factors.
    ///
    /// # Errors
    /// A factor cannot be read.
    pub fn delta(&self, tensor: &str) -> Result<Option<LowRankDelta>, CheckpointError> {
        let Some(module) = tensor.strip_suffix(".weight") else { return Ok(None) };
        let Some(factors) = self.factors.get(module) else { return Ok(None) };
        let (a, b) = (self.weights.tensor(&factors.a)?, self.weights.tensor(&factors.b)?);
        let delta = LowRankDelta::new(&a, &b, self.config.scale_of(module) as f32);
        Ok(Some(if self.is_transposed(factors) { delta.transposed() } else { delta }))
    }

    /// The readers of the factors of what is added to a tensor; none if nothing is.
    ///
    /// # Errors
    /// A factor has no dtype of weights.
    pub fn factor_readers(&self, tensor: &str) -> Result<Vec<TensorReader<'_>>, CheckpointError> {
        let factors = tensor.strip_suffix(".weight").and_then(|module| self.factors.get(module));
        factors.iter().flat_map(|factors| [&factors.a, &factors.b]).map(|name| self.weights.reader(name)).collect()
    }
}
