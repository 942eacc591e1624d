//! Whether models fit together, and each to its config.json, before any of their tensors is looked at.

use std::collections::BTreeSet;

use bunch_checkpoint::config_mismatches;

use crate::config_meaning::{Difference, differences};
use crate::input_model::InputModel;
use crate::name_prefix::differing_prefixes;
use crate::options::MergeOptions;
use crate::problem::Problem;

/// What is wrong with the models, and what somebody should know about them.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    pub(crate) problems: Vec<Problem>,
    pub(crate) notes: Vec<String>,
    /// Whether names differ by a prefix, so that nothing need be said of single tensors.
    pub(crate) has_prefixes: bool,
}

/// Compares the models with the first of them, and each with its config.json.
pub(crate) fn check(models: &[&InputModel], options: &MergeOptions) -> Checked {
    let mut checked = Checked::default();
    let Some(first) = models.first() else { return checked };
    for model in models {
        checked.compare(first, model, options);
        let mismatches = config_mismatches(&model.checkpoint).into_iter();
        checked.problems.extend(mismatches.map(|mismatch| Problem::Config { model: model.name(), mismatch }));
    }
    checked
}

impl Checked {
    fn compare(&mut self, first: &InputModel, model: &InputModel, options: &MergeOptions) {
        let (expected, got) = (first.architecture(), model.architecture());
        if expected != got && !options.allow_mixed_architectures {
            let (model, reference) = (model.name(), first.name());
            self.problems.push(Problem::Architecture { model, reference, expected, got });
        }
        let names: [BTreeSet<&str>; 2] = [first.names().collect(), model.names().collect()];
        if let Some((expected, got, example)) = differing_prefixes(&names[0], &names[1]) {
            self.has_prefixes = true;
            let (expected, got, example) = (expected.to_owned(), got.to_owned(), example.to_owned());
            let (model, reference) = (model.name(), first.name());
            self.problems.push(Problem::Prefix { model, reference, expected, got, example });
        }
        for Difference { key, expected, got, is_fatal } in differences(first.config(), model.config()) {
            let (model, reference) = (model.name(), first.name());
            if is_fatal && !options.allow_mixed_architectures {
                self.problems.push(Problem::Meaning { model, reference, key, expected, got });
            } else {
                self.notes.push(format!(
                    "{model}: `{key}` is {got} in config.json and {expected} in {reference}: the weights were trained to \
                     mean something else in each, and the merged model has one of the two"
                ));
            }
        }
    }
}
