//! The registry of merge methods.
//!
//! To add one: write `methods/<name>.rs` (copy a short one), then add its `mod` line and its entry in the list, both
//! here. The configuration, its schema, the catalogue, the documentation page and the law tests follow from the list.

use crate::error::{MergeError, Source};
use crate::info::{BaseRole, Info};
use crate::kernel::{Kernel, Prepared};
use crate::survey::{Survey, TensorSource};
use crate::tensor::TensorAcrossModels;
use schemars::{JsonSchema, Schema, schema_for};
use serde::{Deserialize, Serialize};

mod arcee_fusion;
mod breadcrumbs;
mod breadcrumbs_ties;
mod dare_linear;
mod dare_ties;
mod della;
mod della_linear;
mod karcher;
mod linear;
mod mergealign;
mod model_stock;
mod multislerp;
mod nearswap;
mod nuslerp;
mod passthrough;
mod ram;
mod ramplus_tl;
mod sce;
mod slerp;
mod task_arithmetic;
mod ties;
merge_methods! {
    linear::Linear,
    task_arithmetic::TaskArithmetic,
    ties::Ties,
    dare_linear::DareLinear,
    dare_ties::DareTies,
    slerp::Slerp,
    nuslerp::Nuslerp,
    multislerp::Multislerp,
    karcher::Karcher,
    nearswap::Nearswap,
    passthrough::Passthrough,
    model_stock::ModelStock,
    mergealign::Mergealign,
    breadcrumbs::Breadcrumbs,
    breadcrumbs_ties::BreadcrumbsTies,
    della::Della,
    della_linear::DellaLinear,
    sce::Sce,
    ram::Ram,
    ramplus_tl::RamplusTl,
    arcee_fusion::ArceeFusion,
}

/// A way to merge models: a struct of its parameters that merges one tensor at a time.
///
/// The struct is the method's configuration, so it derives serde's traits and `JsonSchema`, denies unknown fields, and
/// documents every field. Its own doc comment is the method's documentation page: the concept, then the sections
/// `# Inputs` and `# Example`; the example is executed as a test.
pub trait MergeMethod {
    /// What the method says about itself.
    const INFO: Info;

    /// Demands parameters that fit this number of experts, beyond what their types guarantee.
    fn validate(&self, experts: usize) -> Result<(), MergeError>;

    /// Looks at the whole model before the first tensor is merged, for what one tensor cannot tell; most methods need
    /// not. The result is handed to [`MergeMethod::merge`] with each tensor.
    fn survey<S: TensorSource>(&self, _experts: usize, _source: &mut S) -> Result<Option<Survey>, S::Error> {
        Ok(None)
    }

    /// Looks at a tensor, in as many passes as it takes, and returns what merges one block of it.
    ///
    /// [`Method::prepare`] is the way to call it: it has checked that `validate` agrees, that the number of experts is
    /// one the method takes, and that all models have as many values as the shape says; when blocks are merged, values
    /// that are not finite are refused, in the input and in the result. Whatever is random is drawn from a stream keyed
    /// by `seed` and the tensor's name.
    fn prepare<'a>(&'a self, tensor: &TensorAcrossModels<'a>, seed: u64) -> Result<Kernel<'a>, MergeError>;
}

macro_rules! merge_methods {
    ($($module:ident::$name:ident,)+) => {
        $(pub use $module::$name;)+

        /// A merge method with its parameters, as in the TOML line `merge.ties = { density = 0.2 }`.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Method {
            $(
                #[doc = concat!("The method [`", stringify!($name), "`].")]
                $name($name),
            )+
        }

        $(
            impl From<$name> for Method {
                fn from(method: $name) -> Self {
                    Self::$name(method)
                }
            }
        )+

        /// What each method says about itself.
        pub const CATALOGUE: &[Info] = &[$($name::INFO,)+];

        /// The JSON schema of a method's parameters; `None` for an unknown name.
        pub fn method_schema(name: &str) -> Option<Schema> {
            $(if name == $name::INFO.name { return Some(schema_for!($name)); })+
            None
        }

        impl Method {
            /// What the method says about itself.
            pub fn info(&self) -> Info {
                match self { $(Self::$name(_) => $name::INFO,)+ }
            }

            /// Demands that the method takes this number of experts and that its parameters fit it.
            pub fn validate(&self, experts: usize) -> Result<(), MergeError> {
                let Info { name: method, experts: expected, .. } = self.info();
                if !expected.contains(experts) {
                    return Err(MergeError::ExpertCount { method, expected, got: experts });
                }
                match self { $(Self::$name(method) => method.validate(experts),)+ }
            }

            /// Looks at the whole model before the first tensor is merged, if the method needs to; the result belongs
            /// into [`TensorAcrossModels::survey`] of each tensor.
            pub fn survey<S: TensorSource>(
                &self,
                experts: usize,
                source: &mut S,
            ) -> Result<Option<Survey>, S::Error> {
                self.validate(experts)?;
                match self { $(Self::$name(method) => method.survey(experts, source),)+ }
            }

            fn kernel<'a>(&'a self, tensor: &TensorAcrossModels<'a>, seed: u64) -> Result<Kernel<'a>, MergeError> {
                match self { $(Self::$name(method) => method.prepare(tensor, seed),)+ }
            }
        }

        #[cfg(test)]
        mod tests {
            $(mod $module { crate::laws::law_tests!($name); })+
        }
    };
}
use merge_methods;

impl Method {
    /// Looks at a tensor and returns it ready to be merged range by range.
    ///
    /// # Errors
    /// They name the tensor: models with another number of values than the shape gives, a missing base, a number of
    /// experts or parameters that do not fit, values that cannot be read.
    pub fn prepare<'a>(&'a self, tensor: &TensorAcrossModels<'a>, seed: u64) -> Result<Prepared<'a>, MergeError> {
        self.validate(tensor.experts.len())?;
        tensor.check()?;
        let mut tensor = *tensor;
        match self.info().base {
            BaseRole::Required if tensor.base.is_none() => {
                return Err(MergeError::MissingBase { method: self.info().name, tensor: tensor.name.into() });
            }
            // Not reading what is not looked at.
            BaseRole::Ignored => tensor.base = None,
            BaseRole::Required | BaseRole::Optional => {}
        }
        match self.kernel(&tensor, seed) {
            Ok(kernel) => Ok(Prepared { kernel, tensor }),
            // A value that is not finite can be why: that says more.
            Err(error) => Err(tensor.check_all().err().unwrap_or(error)),
        }
    }

    /// Merges one tensor into `out`, which is as long as the tensor.
    ///
    /// Equal arguments give equal bytes, with and without a cache, in any order of tensors and on any thread. Errors
    /// name the tensor: those of [`Method::prepare`], and values that are not finite, in the input or in the result.
    pub fn merge(&self, tensor: &TensorAcrossModels<'_>, seed: u64, out: &mut [f32]) -> Result<(), MergeError> {
        tensor.check_length(Source::Merged, out.len())?;
        self.prepare(tensor, seed)?.merge(0..out.len(), out)?;
        if let (Some(cache), false) = (tensor.cache, tensor.allows_non_finite) {
            cache.mark_checked();
        }
        Ok(())
    }
}
