//! LED-Merging: task vectors where they matter, and at no entry both.

use crate::block::BLOCK;
use crate::error::MergeError;
use crate::info::{Info, Law, Laws, Role};
use crate::kernel::Kernel;
use crate::merge_method::MergeMethod;
use crate::parameters::{Density, check_finite};
use crate::selection::{Cutoff, find_cutoffs};
use crate::task_vectors::add_to_base;
use crate::tensor::TensorAcrossModels;
use crate::trim::kept_count;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Adds the task vectors of a tuned and an aligned model to the base, each where it matters and the other does not.
///
/// An entry matters to a task if its score |w * gradient|, on answers of the task, is among the largest of its tensor, both in
/// the base and in the model of the task: those elected. Entries that both tasks elect keep the base's value, so that
/// neither disturbs the other; at entries that one task elects, its task vector is added, times `scale`. `bunch importance --score
/// led` computes the scores, as a folder with one tensor of scores for each tensor of the model: of the tuned model and of the
/// base on answers of the domain, of the aligned model and of the base on safe answers to harmful requests.
///
/// This is the paper's formula for two tasks. The released code differs from it: among other things it reads random scores in
/// place of some, and its masks lie in two folders. Of equal scores those of lower index count as larger. Scores are stored
/// as 32-bit floats: say `out_dtype` to have the merged model in another type.
///
/// # Example
/// ```toml
/// base = [0.0, 0.0, 0.0, 0.0]
/// merge.led = { tuned_rate = 0.5, aligned_rate = 0.5 }
/// merged = [0.0, 2.0, 30.0, 0.0]
///
/// [experts]
/// tuned = [1.0, 2.0, 3.0, 4.0]
/// aligned = [10.0, 20.0, 30.0, 40.0]
/// tuned_scores = [9.0, 8.0, 1.0, 1.0]
/// aligned_scores = [9.0, 1.0, 8.0, 1.0]
/// tuned_base_scores = [9.0, 8.0, 0.0, 0.0]
/// aligned_base_scores = [9.0, 0.0, 8.0, 0.0]
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Led {
    /// Fraction of a tensor's entries that may matter to the domain: 0.4 for mathematics and 0.5 for code in the paper.
    pub tuned_rate: Density,
    /// Fraction of a tensor's entries that may matter to safety.
    pub aligned_rate: Density,
    /// Coefficient of both task vectors (the papers' lambda).
    pub scale: f32,
}

impl Default for Led {
    fn default() -> Self {
        Self { tuned_rate: Density::HALF, aligned_rate: Density::TENTH, scale: 1.0 }
    }
}

impl MergeMethod for Led {
    const INFO: Info = Info::new("led", "LED-Merging")
        .paper("arXiv:2502.16770", "Ma et al., 2025")
        .laws(Laws { weight_scaling: Law::Except("there are no weights"), ..Laws::ALL })
        .roles(&[
            Role::new("base", "the pretrained model that both others were tuned from"),
            Role::new("tuned", "the domain expert"),
            Role::new("aligned", "the aligned model"),
            Role::new("tuned_scores", "the tuned model's scores, on answers of its domain"),
            Role::new("aligned_scores", "the aligned model's scores, on safe answers"),
            Role::new("tuned_base_scores", "the base's scores, on answers of the domain"),
            Role::new("aligned_base_scores", "the base's scores, on safe answers"),
        ]);

    fn validate(&self, _experts: usize) -> Result<(), MergeError> {
        check_finite(&Self::INFO, "scale", self.scale)
    }

    fn prepare<'a>(&'a self, tensor: &TensorAcrossModels<'a>, _seed: u64) -> Result<Kernel<'a>, MergeError> {
        let counts = [self.tuned_rate, self.aligned_rate].map(|rate| kept_count(rate, tensor.len()));
        // Of the tuned and the aligned model, then of the base for each.
        let wanted: Vec<usize> = counts.into_iter().chain(counts).map(|count| count.max(1)).collect();
        let cutoffs = match tensor.is_empty() {
            true => Vec::new(),
            false => find_cutoffs(tensor, &wanted, |block, stream, out| {
                out.copy_from_slice(block.expert(FIRST_SCORES + stream));
            })?,
        };
        Ok(Kernel::new(move |block, out| {
            let mut elected = [[false; BLOCK]; 2];
            for (task, elected) in elected.iter_mut().enumerate().filter(|(task, _)| counts[*task] > 0) {
                let scores = [task, task + 2].map(|stream| (&cutoffs[stream], block.expert(FIRST_SCORES + stream)));
                elect(scores, block.start(), &mut elected[..out.len()]);
            }
            let [tuned, aligned] = [0, 1].map(|expert| block.expert(expert));
            for (index, (out, base)) in out.iter_mut().zip(block.base()).enumerate() {
                *out = match (elected[0][index], elected[1][index]) {
                    (true, false) => tuned[index] - base,
                    (false, true) => aligned[index] - base,
                    _ => 0.0,
                };
            }
            add_to_base(block.base(), self.scale, out);
        }))
    }
}

/// Index of the first model that holds scores.
const FIRST_SCORES: usize = 2;

/// Says which entries are among the largest of both scores; `start` is the index of the first.
fn elect(scores: [(&Cutoff, &[f32]); 2], start: usize, elected: &mut [bool]) {
    let [(first, in_model), (second, in_base)] = scores;
    for (index, elected) in elected.iter_mut().enumerate() {
        let keeps = |cutoff: &Cutoff, scores: &[f32]| cutoff.keeps(start + index, scores[index].abs());
        *elected = keeps(first, in_model) & keeps(second, in_base);
    }
}
