//! Any merge method with its parameters, and the catalogue of all of them: both follow from the list in `methods.rs`.

use crate::error::{MergeError, Source};
use crate::info::{BaseRole, Info};
use crate::kernel::{Kernel, Prepared};
use crate::merge_method::MergeMethod;
use crate::methods::each_method;
use crate::survey::Survey;
use crate::tensor::TensorAcrossModels;
use crate::tensor_source::TensorSource;
use schemars::{JsonSchema, Schema, schema_for};
use serde::{Deserialize, Serialize};

macro_rules! define_method {
    ($($module:ident::$name:ident as $tag:ident,)+) => {
        $(use crate::methods::$name;)+

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

        /// Hash of the source code that decides what a method computes: its own file, and what all methods share; `None`
        /// for an unknown name.
        pub fn method_code(name: &str) -> Option<&'static str> {
            $(if name == $name::INFO.name {
                return Some(env!(concat!("BUNCH_METHOD_CODE_", stringify!($module))));
            })+
            None
        }

        impl Method {
            /// What the method says about itself.
            pub fn info(&self) -> Info {
                match self { $(Self::$name(_) => $name::INFO,)+ }
            }

            /// Demands that the method takes this number of experts and that its parameters fit it.
            pub fn validate(&self, experts: usize) -> Result<(), MergeError> {
                let info = self.info();
                let (method, expected) = (info.name, info.experts);
                match expected.contains(experts) {
                    true => {}
                    false if info.roles.is_empty() => {
                        return Err(MergeError::ExpertCount { method, expected, got: experts });
                    }
                    false => return Err(MergeError::Roles { method, expected: info.models(), got: experts }),
                }
                match self { $(Self::$name(method) => method.validate(experts),)+ }
            }

            /// Bytes that are held while a tensor of this shape is merged, besides blocks and bands.
            pub fn memory(&self, shape: &[usize]) -> usize {
                match self { $(Self::$name(_) => $name::memory(shape),)+ }
            }

            /// Whether the method looks at the whole model before the first tensor is merged. All tensors must then be
            /// merged by the same method with the same parameters.
            pub fn needs_survey(&self) -> bool {
                match self { $(Self::$name(method) => method.needs_survey(),)+ }
            }

            /// Looks at the whole model before the first tensor is merged, if the method needs to; the result belongs
            /// into [`TensorAcrossModels::survey`] of each tensor.
            pub fn survey<S: TensorSource>(
                &self,
                experts: usize,
                source: &mut S,
            ) -> Result<Option<Survey>, S::Error> {
                self.validate(experts)?;
                if !self.needs_survey() {
                    return Ok(None);
                }
                match self { $(Self::$name(method) => method.survey(experts, source),)+ }
            }

            fn kernel<'a>(&'a self, tensor: &TensorAcrossModels<'a>, seed: u64) -> Result<Kernel<'a>, MergeError> {
                match self { $(Self::$name(method) => method.prepare(tensor, seed),)+ }
            }
        }
    };
}
each_method!(define_method);

impl Method {
    /// Looks at a tensor and returns it ready to be merged range by range.
    ///
    /// # Errors
    /// They name the tensor: models with another number of values than the shape gives, a missing base, a number of
    /// experts or parameters that do not fit, values that cannot be read.
    pub fn prepare<'a>(&'a self, tensor: &TensorAcrossModels<'a>, seed: u64) -> Result<Prepared<'a>, MergeError> {
        let info = self.info();
        self.validate(tensor.experts.len())?;
        tensor.check().map_err(|error| error.by_role(&info))?;
        let mut tensor = *tensor;
        match info.base {
            BaseRole::Required if tensor.base.is_none() => {
                return Err(MergeError::MissingBase { method: info.name, tensor: tensor.name.into() });
            }
            // Not reading what is not looked at.
            BaseRole::Ignored => tensor.base = None,
            BaseRole::Required | BaseRole::Optional => {}
        }
        match self.kernel(&tensor, seed) {
            Ok(kernel) => Ok(Prepared { kernel, tensor, info }),
            // A value that is not finite can be why: that says more.
            Err(error) => Err(tensor.check_all().err().unwrap_or(error).by_role(&info)),
        }
    }

    /// Merges one tensor into `out`, which is as long as the tensor.
    ///
    /// Equal arguments give equal bytes, with and without a cache, in any order of tensors and on any thread. Errors
    /// name the tensor: those of [`Method::prepare`], and values that are not finite, in the input or in the result.
    pub fn merge(&self, tensor: &TensorAcrossModels<'_>, seed: u64, out: &mut [f32]) -> Result<(), MergeError> {
        tensor.check_length(Source::Merged, out.len())?;
        let prepared = self.prepare(tensor, seed)?;
        prepared.merge(0..out.len(), out)?;
        prepared.mark_checked();
        Ok(())
    }
}
