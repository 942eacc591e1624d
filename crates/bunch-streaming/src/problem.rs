//! Why models cannot be merged, as far as their headers show.

use bunch_checkpoint::ConfigMismatch;

/// One reason why models cannot be merged, as far as their headers show. Models are named as in the recipe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Models of different architecture.
    #[error(
        "{model}: expected architecture {expected} as in {reference}, got {got} (allow it with --allow-mixed-architectures)"
    )]
    Architecture {
        /// The model.
        model: String,
        /// The model it is compared with.
        reference: String,
        /// The other's architecture.
        expected: String,
        /// Its own.
        got: String,
    },
    /// config.json and weights contradict each other.
    #[error("{model}: {mismatch}")]
    Config {
        /// The model.
        model: String,
        /// What config.json says and is not so.
        mismatch: ConfigMismatch,
    },
    /// Settings of config.json by which weights of equal shape mean something else.
    #[error(
        "{model}: expected `{key}` {expected} in config.json as in {reference}, got {got}: weights of equal shape mean \
         something else then (merge them all the same with --allow-mixed-architectures)"
    )]
    Meaning {
        /// The model.
        model: String,
        /// The model it is compared with.
        reference: String,
        /// The setting.
        key: &'static str,
        /// The other's value.
        expected: String,
        /// Its own.
        got: String,
    },
    /// Names that differ from those of the other model by what stands before them.
    #[error(
        "{model}: the names of its tensors have the prefix `{got}` where those of {reference} have `{expected}` \
         (`{example}`): expected the same names; load and save both with the same class of transformers"
    )]
    Prefix {
        /// The model.
        model: String,
        /// The model it is compared with.
        reference: String,
        /// The other's prefix.
        expected: String,
        /// Its own.
        got: String,
        /// One of its tensors.
        example: String,
    },
    /// A tensor that other models of the slice have.
    #[error("{model}: expected a tensor {tensor} as in {reference}, got none")]
    MissingTensor {
        /// The model.
        model: String,
        /// The tensor.
        tensor: String,
        /// A model that has it.
        reference: String,
    },
    /// Shapes that differ.
    #[error("{model}: tensor {tensor}: expected shape {expected:?} as in {reference}, got {got:?}{hint}")]
    Shape {
        /// The model.
        model: String,
        /// The tensor.
        tensor: String,
        /// The model it is compared with.
        reference: String,
        /// Its shape there.
        expected: Vec<usize>,
        /// Its own shape.
        got: Vec<usize>,
        /// What can be done, after a separator.
        hint: &'static str,
    },
    /// A tensor of integers where other models have floating-point numbers, or of another dtype.
    #[error("{model}: tensor {tensor}: expected dtype {expected} as in {reference}, got {got}")]
    Dtype {
        /// The model.
        model: String,
        /// The tensor.
        tensor: String,
        /// The model it is compared with.
        reference: String,
        /// Its dtype there.
        expected: String,
        /// Its own dtype.
        got: String,
    },
    /// A dtype that cannot be merged.
    #[error("{model}: tensor {tensor}: expected dtype F32, F16 or BF16, got {got}")]
    UnsupportedDtype {
        /// The model.
        model: String,
        /// The tensor.
        tensor: String,
        /// Its dtype.
        got: String,
    },
    /// Two layers of the output would have the same name.
    #[error("tensor {tensor} would be in the output twice")]
    Repeated {
        /// The tensor.
        tensor: String,
    },
    /// Trimming over the whole model with parameters that differ from tensor to tensor.
    #[error("trim_scope \"model\" needs the same parameters for every tensor, got others for {tensor}")]
    ScopeOfTrim {
        /// The tensor.
        tensor: String,
    },
    /// A configuration that a tokenizer section needs.
    #[error("{model}: a merged vocabulary needs `vocab_size` in config.json, got none")]
    NoVocabularySize {
        /// The model.
        model: String,
    },
    /// A chat template without a tokenizer to put it into.
    #[error("chat_template: expected a tokenizer_config.json in {model}, got none")]
    NoTokenizerConfig {
        /// The model whose tokenizer the output has.
        model: String,
    },
}
