//! Methods that drop entries of the task vectors and merge the rest: what drops them times how the rest is merged.
//!
//! | what drops entries | sum | sign election |
//! | --- | --- | --- |
//! | at random | `dare_linear` | `dare_ties` |
//! | at random, by rank | `della_linear` | `della` |
//! | the largest and the smallest | `breadcrumbs` | `breadcrumbs_ties` |
//! | all but the largest | | `ties` |

use crate::block::BLOCK;
use crate::consensus::{Consensus, MASK_WORDS, elect_and_merge_masked};
use crate::error::MergeError;
use crate::kernel::Kernel;
use crate::masks::{DropMask, MagPrune};
use crate::parameters::{Densities, Rescale};
use crate::task_vectors::{add_task_vectors, add_to_base};
use crate::tensor::TensorAcrossModels;
use crate::trim::{Trim, rescaled_weights};

/// What is left of one tensor's task vectors.
pub(crate) trait Sparsified {
    /// A kernel that writes base + scale * merged task vector.
    fn kernel<'a>(self, scale: f32, consensus: Consensus) -> Kernel<'a>;
}

/// What a trim keeps of each task vector, and what it is multiplied by.
#[derive(Debug)]
pub(crate) struct Trimmed {
    trims: Vec<Trim>,
    factors: Vec<f32>,
}

impl Trimmed {
    /// With what makes up for the dropped entries.
    pub(crate) fn new(
        tensor: &TensorAcrossModels<'_>,
        trims: Vec<Trim>,
        weights: &[f32],
        densities: &Densities,
        rescale: Rescale,
    ) -> Result<Self, MergeError> {
        let factors = rescaled_weights(tensor, &trims, weights, densities, rescale)?;
        Ok(Self { trims, factors })
    }
}

impl Sparsified for Trimmed {
    fn kernel<'a>(self, scale: f32, consensus: Consensus) -> Kernel<'a> {
        let Self { trims, factors } = self;
        add_task_vectors(
            scale,
            move |expert, start, deltas, weighted| trims[expert].weigh(factors[expert], start, deltas, weighted),
            move |weighted, merged| consensus.merge(weighted, merged),
        )
    }
}

/// What a random mask keeps of each task vector, and what it is multiplied by.
#[derive(Debug)]
pub(crate) struct Masked {
    pub(crate) masks: Vec<DropMask>,
    pub(crate) factors: Vec<f32>,
}

impl Sparsified for Masked {
    fn kernel<'a>(self, scale: f32, consensus: Consensus) -> Kernel<'a> {
        let Self { masks, factors } = self;
        match consensus {
            Consensus::Election { weights, normalize } => Kernel::with_scratch(move |block, bits, out| {
                bits.resize(masks.len() * MASK_WORDS, 0.0);
                let (bits, _) = bytemuck::cast_slice_mut(bits).as_chunks_mut();
                masks.iter().zip(&mut *bits).for_each(|(mask, bits)| mask.write_survivors(block, bits));
                elect_and_merge_masked(block, bits, &factors, &weights, normalize, out);
                add_to_base(block.base(), scale, out);
            }),
            Consensus::Sum { .. } => add_task_vectors(
                scale,
                move |expert, start, deltas, weighted| masks[expert].weigh(factors[expert], start, deltas, weighted),
                move |weighted, merged| consensus.merge(weighted, merged),
            ),
        }
    }
}

impl Sparsified for MagPrune {
    fn kernel<'a>(self, scale: f32, consensus: Consensus) -> Kernel<'a> {
        Kernel::rows(move |row, scratch, out| {
            let (len, experts) = (row.len(), row.experts());
            scratch.resize(len + experts * len + experts * BLOCK.min(len), 0.0);
            let (deltas, scratch) = scratch.split_at_mut(len);
            let (weighted, pieces) = scratch.split_at_mut(experts * len);
            for (expert, weighted) in weighted.chunks_exact_mut(len).enumerate() {
                self.weigh(expert, row.start(), row.task_vector(expert, deltas), weighted);
            }
            for (start, out) in (0..).step_by(BLOCK).zip(out.chunks_mut(BLOCK)) {
                let pieces = &mut pieces[..experts * out.len()];
                for (piece, weighted) in pieces.chunks_exact_mut(out.len()).zip(weighted.chunks_exact(len)) {
                    piece.copy_from_slice(&weighted[start..start + out.len()]);
                }
                consensus.merge(pieces, out);
            }
            add_to_base(row.base(), scale, out);
        })
    }
}

/// Defines methods that drop entries alike and merge the rest by sum or election.
///
/// They share their parameters, of which `weights`, `scale` and `normalize` mean the same everywhere. `validate` checks the
/// values of those listed under `parameters`, `sparsify` drops the entries, `info` completes what a method says about itself.
macro_rules! sparsified_methods {
    (
        parameters $parameters:tt
        rescale $rescale:tt
        validate $validate:path;
        sparsify $sparsify:path;
        info $info:path;
        $($(#[$doc:meta])+ $name:ident($tag:literal, $title:literal) = $consensus:ident, normalize = $normalize:literal;)+
    ) => {
        $(
            $crate::sparsified::sparsified_methods! {
                @$consensus $parameters $rescale $validate, $sparsify, $info,
                $(#[$doc])+ $name($tag, $title), $normalize
            }
        )+
    };
    (@sum $($rest:tt)*) => {
        $crate::sparsified::sparsified_methods! {
            @method "Whether the weighted sum of task vectors is divided by the sum of the weights.", sum, $($rest)*
        }
    };
    (@election $($rest:tt)*) => {
        $crate::sparsified::sparsified_methods! {
            @method "Whether each parameter's sum is divided by the weights of the experts that agree (TIES's disjoint mean), \
                     unless these sum to 0.", election, $($rest)*
        }
    };
    (
        @method $normalize_doc:literal, $consensus:ident,
        { $($(#[$field_doc:meta])+ $field:ident: $type:ty = $default:expr,)+ }
        { $(#[$rescale_doc:meta])+ $rescale:ident }
        $validate:path, $sparsify:path, $info:path,
        $(#[$doc:meta])+ $name:ident($tag:literal, $title:literal), $normalize:literal
    ) => {
        $(#[$doc])+
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            /// Weight of each expert's task vector; an empty list stands for 1 for each.
            pub weights: Vec<f32>,
            $($(#[$field_doc])+ pub $field: $type,)+
            $(#[$rescale_doc])+
            pub rescale: Rescale,
            /// Coefficient of the merged task vector (the papers' lambda).
            pub scale: f32,
            #[doc = $normalize_doc]
            pub normalize: bool,
        }

        impl Default for $name {
            fn default() -> Self {
                let ($($field,)+) = ($($default,)+);
                Self { weights: Vec::new(), $($field,)+ rescale: Rescale::$rescale, scale: 1.0, normalize: $normalize }
            }
        }

        impl MergeMethod for $name {
            const INFO: Info = $info(Info::new($tag, $title));

            fn validate(&self, experts: usize) -> Result<(), MergeError> {
                check_finite(&Self::INFO, "scale", self.scale)?;
                check_weights(&Self::INFO, &self.weights, experts)?;
                $validate(&Self::INFO, $(&self.$field,)+ experts)
            }

            fn prepare<'a>(&'a self, tensor: &TensorAcrossModels<'a>, seed: u64) -> Result<Kernel<'a>, MergeError> {
                let weights = resolve_weights(&self.weights, 1.0, tensor.experts.len());
                let consensus = Consensus::$consensus(&Self::INFO, &weights, self.normalize)?;
                let sparsified = $sparsify(&Self::INFO, tensor, seed, $(&self.$field,)+ &weights, self.rescale)?;
                Ok(sparsified.kernel(self.scale, consensus))
            }
        }
    };
}
pub(crate) use sparsified_methods;
