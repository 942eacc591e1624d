//! Whether config.json, the weights and the tokenizer agree.

use std::collections::BTreeMap;

use bunch_checkpoint::{Checkpoint, StoredDtype, TensorName, config_mismatches, embedding_for_output};

use super::description::{Configured, DtypeUse};
use super::problem::Problem;

/// Architectures, by `model_type`, whose layers all have the same tensors.
const EQUAL_LAYERS: [&str; 9] =
    ["gemma", "gemma2", "gemma3_text", "llama", "mistral", "phi3", "qwen2", "qwen3", "smollm3"];

/// A model's tensors by their places.
pub(crate) struct Weights<'a> {
    checkpoint: &'a Checkpoint,
    config: &'a Configured,
    /// By list, then index, then what comes after it in the name.
    layers: BTreeMap<String, BTreeMap<usize, BTreeMap<String, &'a [usize]>>>,
    /// Name of the embedding that an output projection can be tied to.
    embedding: Option<&'a str>,
    /// Name of the output projection.
    output: Option<&'a str>,
}

impl<'a> Weights<'a> {
    pub(crate) fn new(checkpoint: &'a Checkpoint, config: &'a Configured) -> Self {
        let mut layers: BTreeMap<String, BTreeMap<usize, BTreeMap<String, &[usize]>>> = BTreeMap::new();
        for tensor in checkpoint.names().filter_map(|name| checkpoint.raw_reader(name).ok()) {
            let name = TensorName::of(tensor.name());
            if let Some(layer) = name.layer {
                let layer = layers.entry(layer.list).or_default().entry(layer.index).or_default();
                layer.insert(name.suffix, tensor.shape());
            }
        }
        let embedding = embedding_for_output(checkpoint.names());
        let output = checkpoint.names().find(|name| TensorName::of(name).is_output());
        Self { checkpoint, config, layers, embedding, output }
    }

    /// Everything in which weights, config.json and tokenizer contradict each other. `dtype_key` is the setting that
    /// says how the weights are stored, `last_token` the tokenizer's highest id with its token.
    pub(crate) fn disagreements(
        &self,
        dtypes: &BTreeMap<String, DtypeUse>,
        dtype_key: Option<&'static str>,
        last_token: Option<(u32, String)>,
    ) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.config.model_type.is_none() {
            problems.push(Problem::MissingKey { key: "model_type" });
        }
        self.check_layers(&mut problems);
        if self.checkpoint.quantisation().is_none_or(|quantisation| !quantisation.is_packed) {
            problems.extend(config_mismatches(self.checkpoint).into_iter().map(Problem::from));
        }
        self.check_vocabulary(last_token, &mut problems);
        if let Some(key) = dtype_key {
            problems.extend(self.dtype_disagreement(dtypes, key));
        }
        problems
    }

    /// An output projection that readers ignore because it is tied to the embedding: its name and the embedding's.
    pub(crate) fn ignored_output(&self) -> Option<(&'a str, &'a str)> {
        self.output.zip(self.embedding).filter(|_| self.config.tie_word_embeddings == Some(true))
    }

    fn check_layers(&self, problems: &mut Vec<Problem>) {
        for (list, layers) in &self.layers {
            let count = layers.len();
            if let Some(index) = (0..count).find(|index| !layers.contains_key(index)) {
                problems.push(Problem::MissingLayer { list: list.clone(), index, count });
            }
            if self.config.model_type.as_deref().is_some_and(|name| EQUAL_LAYERS.contains(&name)) {
                check_equal(list, layers, problems);
            }
        }
    }

    fn check_vocabulary(&self, last_token: Option<(u32, String)>, problems: &mut Vec<Problem>) {
        let shape = |name: &str| self.checkpoint.raw_reader(name).map_or(&[][..], |reader| reader.shape());
        if let (Some((highest, token)), Some(tensor)) = (last_token, self.embedding)
            && let Some(rows) = shape(tensor).first().map(|&rows| rows as u64)
            && rows <= u64::from(highest)
        {
            problems.push(Problem::TokenWithoutRow { tensor: tensor.to_owned(), rows, highest, token });
        }
    }

    fn dtype_disagreement(&self, dtypes: &BTreeMap<String, DtypeUse>, key: &'static str) -> Option<Problem> {
        let (most, _) = dtypes.iter().max_by_key(|(_, used)| used.bytes)?;
        // Quantised weights are converted in any case.
        let Some(StoredDtype::Float(stored)) = StoredDtype::from_name(most) else { return None };
        let expected = self.config.dtype.clone()?;
        (expected != stored.name()).then(|| Problem::ConfigDtype { key, expected, got: most.clone() })
    }
}

/// Checks that all layers of a list have the same tensors.
fn check_equal(list: &str, layers: &BTreeMap<usize, BTreeMap<String, &[usize]>>, problems: &mut Vec<Problem>) {
    // Of each tensor the first layer that has it, with the shape there, and the number of layers that have it.
    let mut known: BTreeMap<&str, (usize, &[usize], usize)> = BTreeMap::new();
    for (&index, tensors) in layers {
        for (suffix, &shape) in tensors {
            known.entry(suffix).or_insert((index, shape, 0)).2 += 1;
        }
    }
    for (&index, tensors) in layers {
        for (suffix, &(first, expected, others)) in &known {
            let tensor = format!("{list}.{index}{suffix}");
            match tensors.get(*suffix) {
                None => problems.push(Problem::MissingInLayer { tensor, others }),
                Some(&got) if got != expected => {
                    let first = format!("{list}.{first}{suffix}");
                    problems.push(Problem::UnequalLayers {
                        tensor,
                        first,
                        expected: expected.to_vec(),
                        got: got.to_vec(),
                    });
                }
                Some(_) => {}
            }
        }
    }
}
