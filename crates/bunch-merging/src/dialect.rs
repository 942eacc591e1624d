//! How recipes spell a method's parameters: here, and in mergekit.

/// How a mergekit recipe spells a method's parameters, where that differs from the configuration here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    /// Parameters of another name: theirs, ours.
    pub names: &'static [(&'static str, &'static str)],
    /// Booleans of theirs that are accepted and change nothing.
    pub ignored: &'static [&'static str],
    /// Numbers of theirs, one for each expert, that are accepted and change nothing.
    pub ignored_per_expert: &'static [&'static str],
    /// Parameters (their names) that mergekit demands although they have a default here.
    pub required: &'static [&'static str],
    /// Booleans of theirs that are a choice here: name, what true stands for, what false stands for.
    pub choices: &'static [(&'static str, &'static str, &'static str)],
    /// Where their default differs: our name, and the value as JSON.
    pub defaults: &'static [(&'static str, &'static str)],
}

impl Dialect {
    /// No difference but that weights may stand with each model.
    pub(crate) const SAME: Self =
        Self { names: &[], ignored: &[], ignored_per_expert: &[], required: &[], choices: &[], defaults: &[] };

    /// As for methods that mergekit builds from task vectors: `lambda` for `scale`, and a weight for each model.
    pub(crate) const TASK_VECTORS: Self = Self {
        names: &[("lambda", "scale")],
        ignored: &["int8_mask"],
        ignored_per_expert: &[],
        required: &["weight"],
        choices: &[],
        defaults: &[],
    };
}

/// Whose names and defaults a recipe uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// Those of the configuration here, with per-expert lists in the singular: `weight` for `weights`.
    Bunch,
    /// mergekit's.
    Mergekit,
}
