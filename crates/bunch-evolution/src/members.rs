//! The models of a pool in memory, merged many times.

use std::collections::BTreeMap;
use std::sync::Arc;

use bunch_checkpoint::{StateDict, Tensor};
use bunch_merging::{MergeError, Method, Survey, TensorAcrossModels, TensorCache, TensorSource, Values};

use crate::error::{EvolutionError, MemberRole};

/// A base and its experts, all of one architecture, in memory.
///
/// They cache what merges with different coefficients share (task vectors, ranks, random variates), so that a search
/// merges hundreds of candidates at the price of a few passes over the weights each. That costs up to three more copies of
/// each expert, as methods ask for them. Threads may share them; a merge depends on method and seed alone, never on
/// earlier merges.
#[derive(Debug)]
pub struct Members {
    base: Arc<StateDict>,
    experts: Vec<Arc<StateDict>>,
    caches: BTreeMap<String, TensorCache>,
    member_caches: BTreeMap<String, TensorCache>,
}

impl Members {
    /// The members of a pool.
    ///
    /// # Errors
    /// An expert whose tensors differ from the base's in name or shape.
    pub fn new(base: Arc<StateDict>, experts: Vec<Arc<StateDict>>) -> Result<Self, EvolutionError> {
        check_lengths(&base, MemberRole::Base)?;
        for (index, expert) in experts.iter().enumerate() {
            check_alike(&base, expert, MemberRole::Expert(index))?;
            check_lengths(expert, MemberRole::Expert(index))?;
        }
        let caches = |models| base.keys().map(|name| (name.clone(), TensorCache::new(models))).collect();
        let (caches, member_caches) = (caches(experts.len()), caches(experts.len() + 1));
        Ok(Self { base, experts, caches, member_caches })
    }

    /// The base.
    pub fn base(&self) -> &Arc<StateDict> {
        &self.base
    }

    /// The experts, in their order.
    pub fn experts(&self) -> &[Arc<StateDict>] {
        &self.experts
    }

    /// All models: the base, then the experts in their order.
    pub fn all(&self) -> Vec<Arc<StateDict>> {
        std::iter::once(&self.base).chain(&self.experts).cloned().collect()
    }

    /// Merges the experts with the base.
    ///
    /// Equal method and seed give equal bytes. Errors name the tensor, or what does not fit the number of experts.
    pub fn merge(&self, method: &Method, seed: u64) -> Result<StateDict, EvolutionError> {
        self.merge_models(&self.experts, &self.caches, method, seed)
    }

    /// Merges as if the base were also the first expert, so that methods which ignore the base give it a weight: with
    /// `linear`, `weights` has one entry for the base, then one for each expert (LM-Cocktail, Hammoud 2024, Eq. 3). To
    /// task-vector methods the base is an expert that changes nothing.
    pub fn merge_all(&self, method: &Method, seed: u64) -> Result<StateDict, EvolutionError> {
        self.merge_models(&self.all(), &self.member_caches, method, seed)
    }

    /// The experts merged without the base, which methods for which it is optional then do not see.
    ///
    /// # Errors
    /// As [`Members::merge`]; a method that needs a base.
    pub(crate) fn merge_without_base(&self, method: &Method, seed: u64) -> Result<StateDict, EvolutionError> {
        let mut merged = StateDict::new();
        for (name, base) in &*self.base {
            let experts = self.experts.iter().filter_map(|model| model.get(name));
            let experts: Vec<Values<'_>> = experts.map(|tensor| Values::from(&*tensor.data)).collect();
            let tensor = TensorAcrossModels::new(name, &base.shape, None, &experts);
            insert_merged(method, &tensor, seed, &mut merged)?;
        }
        Ok(merged)
    }

    /// The base merged with the experts, each tensor by its own method: `method_of` says which for a tensor's name.
    ///
    /// Methods that look at the whole model before they merge a tensor see that single tensor only.
    ///
    /// # Errors
    /// As [`Members::merge`].
    pub(crate) fn merge_by_tensor<'m>(
        &self,
        method_of: impl Fn(&str) -> &'m Method,
        seed: u64,
    ) -> Result<StateDict, EvolutionError> {
        let mut tensors = Tensors { base: &self.base, models: &self.experts, caches: &self.caches };
        let mut merged = StateDict::new();
        tensors.visit(&mut |tensor| insert_merged(method_of(tensor.name), tensor, seed, &mut merged))?;
        Ok(merged)
    }

    fn merge_models(
        &self,
        models: &[Arc<StateDict>],
        caches: &BTreeMap<String, TensorCache>,
        method: &Method,
        seed: u64,
    ) -> Result<StateDict, EvolutionError> {
        let mut tensors = Tensors { base: &self.base, models, caches };
        let survey = method.survey(models.len(), &mut tensors)?;
        let mut merged = StateDict::new();
        tensors.each(survey.as_ref(), |tensor| insert_merged(method, tensor, seed, &mut merged))?;
        Ok(merged)
    }
}

fn insert_merged(
    method: &Method,
    tensor: &TensorAcrossModels<'_>,
    seed: u64,
    merged: &mut StateDict,
) -> Result<(), MergeError> {
    let mut data = vec![0.0; tensor.len()];
    method.merge(tensor, seed, &mut data)?;
    merged.insert(tensor.name.to_owned(), Tensor { shape: tensor.shape.to_vec(), data: Arc::new(data) });
    Ok(())
}

/// The tensors of a base and other models that are known to have the same names and shapes.
struct Tensors<'a> {
    base: &'a StateDict,
    models: &'a [Arc<StateDict>],
    caches: &'a BTreeMap<String, TensorCache>,
}

impl Tensors<'_> {
    /// Calls `visit` for each tensor in the order of the names.
    fn each(
        &self,
        survey: Option<&Survey>,
        mut visit: impl FnMut(&TensorAcrossModels<'_>) -> Result<(), MergeError>,
    ) -> Result<(), MergeError> {
        for (name, base) in self.base {
            let models = self.models.iter().filter_map(|model| model.get(name));
            let experts: Vec<Values<'_>> = models.map(|tensor| Values::from(&*tensor.data)).collect();
            let tensor = TensorAcrossModels::new(name, &base.shape, Some(Values::from(&*base.data)), &experts);
            visit(&TensorAcrossModels { cache: self.caches.get(name), survey, ..tensor })?;
        }
        Ok(())
    }
}

impl TensorSource for Tensors<'_> {
    type Error = MergeError;

    fn visit(
        &mut self,
        visit: &mut dyn FnMut(&TensorAcrossModels<'_>) -> Result<(), MergeError>,
    ) -> Result<(), MergeError> {
        self.each(None, visit)
    }
}

/// Demands the same names and shapes.
fn check_alike(base: &StateDict, model: &StateDict, member: MemberRole) -> Result<(), EvolutionError> {
    for (name, expected) in base {
        let (tensor, expected) = (name.clone(), expected.shape.clone());
        match model.get(name) {
            None => return Err(EvolutionError::MissingTensor { tensor, member, expected }),
            Some(got) if got.shape != expected => {
                return Err(EvolutionError::Shape { tensor, member, expected, got: got.shape.clone() });
            }
            Some(_) => {}
        }
    }
    match model.iter().find(|(name, _)| !base.contains_key(*name)) {
        None => Ok(()),
        Some((name, extra)) => {
            Err(EvolutionError::ExtraTensor { tensor: name.clone(), member, got: extra.shape.clone() })
        }
    }
}

/// Demands that each tensor holds as many values as its shape says.
fn check_lengths(model: &StateDict, member: MemberRole) -> Result<(), EvolutionError> {
    for (name, tensor) in model {
        let (expected, got) = (tensor.shape.iter().product(), tensor.data.len());
        if expected != got {
            return Err(EvolutionError::Length { tensor: name.clone(), member, expected, got });
        }
    }
    Ok(())
}
