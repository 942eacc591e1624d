//! The models of a pool, merged many times.

use std::collections::BTreeMap;
use std::sync::Arc;

use bunch_checkpoint::{Checkpoint, StateDict, Weights};
use bunch_merging::{MergeError, Method, Survey, TensorAcrossModels, TensorCache, TensorSource, Values};

use crate::candidate::Candidate;
use crate::error::{EvolutionError, MemberRole};
use crate::member_weights::{MemberWeights, StoredValues};
use crate::strategies::fixed::BaseAs;

/// A base and its experts, all of one architecture: in memory, or in their files.
///
/// Those in memory cache what merges with different coefficients share (task vectors, ranks, random variates), so that a
/// search merges hundreds of candidates at the price of a few passes over the weights each. That costs up to three more copies
/// of each expert, as methods ask for them. Of those in files only what is small is cached: they take next to no memory. Threads may share
/// them; a merge depends on method and seed alone, never on earlier merges, nor on where the members are.
#[derive(Debug)]
pub struct Members {
    base: MemberWeights,
    experts: Vec<MemberWeights>,
    /// The base, then the experts.
    all: Vec<MemberWeights>,
    caches: BTreeMap<String, TensorCache>,
    member_caches: BTreeMap<String, TensorCache>,
}

impl Members {
    /// The members of a pool, in memory.
    ///
    /// # Errors
    /// An expert whose tensors differ from the base's in name or shape.
    pub fn new(base: Arc<StateDict>, experts: Vec<Arc<StateDict>>) -> Result<Self, EvolutionError> {
        let experts = experts.into_iter().map(MemberWeights::Loaded).collect();
        Self::of(MemberWeights::Loaded(base), experts, TensorCache::new)
    }

    /// The members of a pool, in their files: each merge reads them again, and none is in memory as a whole.
    ///
    /// # Errors
    /// An expert whose tensors differ from the base's in name or shape; a tensor of a dtype that is not read.
    pub fn stored(base: Checkpoint, experts: Vec<Checkpoint>) -> Result<Self, EvolutionError> {
        let stored = |checkpoint| MemberWeights::Stored(Arc::new(checkpoint));
        Self::of(stored(base), experts.into_iter().map(stored).collect(), TensorCache::small)
    }

    fn of(
        base: MemberWeights,
        experts: Vec<MemberWeights>,
        cache: fn(usize) -> TensorCache,
    ) -> Result<Self, EvolutionError> {
        base.check(MemberRole::Base)?;
        for (index, expert) in experts.iter().enumerate() {
            check_alike(base.weights(), expert.weights(), MemberRole::Expert(index))?;
            expert.check(MemberRole::Expert(index))?;
        }
        let names = base.weights().names();
        let caches = |models| names.iter().map(|name| (name.clone(), cache(models))).collect();
        let (caches, member_caches) = (caches(experts.len()), caches(experts.len() + 1));
        let all = std::iter::once(&base).chain(&experts).cloned().collect();
        Ok(Self { base, experts, all, caches, member_caches })
    }

    /// How many experts there are.
    pub fn expert_count(&self) -> usize {
        self.experts.len()
    }

    /// The base.
    pub fn base_weights(&self) -> &dyn Weights {
        self.base.weights()
    }

    /// All models: the base, then the experts in their order.
    pub fn all_weights(&self) -> impl Iterator<Item = &dyn Weights> {
        self.all.iter().map(MemberWeights::weights)
    }

    /// A model in memory: 0 is the base, then the experts in their order.
    ///
    /// # Errors
    /// No such model, or it cannot be read.
    pub fn state_dict(&self, member: usize) -> Result<Arc<StateDict>, EvolutionError> {
        let members = self.all.len();
        let model = self.all.get(member).ok_or(EvolutionError::NoSuchMember { got: member, members })?;
        Ok(model.state_dict()?)
    }

    /// The merge of the members by a method, to be made where it is used.
    ///
    /// Equal method and seed give equal bytes. With the base as an expert too, methods which ignore the base give it a weight:
    /// with `linear`, `weights` has one entry for the base, then one for each expert (LM-Cocktail, Hammoud 2024, Eq. 3). To
    /// task-vector methods the base is then an expert that changes nothing.
    ///
    /// # Errors
    /// What does not fit the number of experts. Reading the candidate fails with errors that name the tensor.
    pub fn candidate(&self, method: Method, base: BaseAs, seed: u64) -> Result<Candidate<'_>, EvolutionError> {
        Candidate::new(self, method, base, seed)
    }

    /// Merges the experts with the base, in memory.
    ///
    /// # Errors
    /// As [`Members::candidate`], and those of reading it.
    pub fn merge(&self, method: &Method, seed: u64) -> Result<StateDict, EvolutionError> {
        self.candidate(method.clone(), BaseAs::Reference, seed)?.state_dict()
    }

    /// Names of all tensors, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        self.base.weights().names()
    }

    pub(crate) fn shape(&self, name: &str) -> Vec<usize> {
        self.base.weights().shape(name).unwrap_or_default()
    }

    /// The models that a method sees as experts.
    pub(crate) fn models(&self, base: BaseAs) -> &[MemberWeights] {
        match base {
            BaseAs::Expert => &self.all,
            BaseAs::Reference | BaseAs::LeftOut => &self.experts,
        }
    }

    /// All tensors, for methods that look at the whole model.
    pub(crate) fn source(&self, base: BaseAs) -> MemberTensors<'_> {
        MemberTensors { members: self, base }
    }

    /// What `visit` makes of the tensor `name` across the models.
    pub(crate) fn with_tensor<R>(
        &self,
        base: BaseAs,
        name: &str,
        survey: Option<&Survey>,
        visit: impl FnOnce(&TensorAcrossModels<'_>) -> Result<R, EvolutionError>,
    ) -> Result<R, EvolutionError> {
        let (models, shape) = (self.models(base), self.shape(name));
        let base_reader = self.base.reader(name)?;
        let readers = models.iter().map(|model| model.reader(name)).collect::<Result<Vec<_>, _>>()?;
        let own = match base {
            BaseAs::LeftOut => None,
            BaseAs::Reference | BaseAs::Expert => Some(values(&self.base, name, base_reader.as_ref())),
        };
        let experts = models.iter().zip(&readers).map(|(model, reader)| values(model, name, reader.as_ref()));
        let experts: Vec<Values<'_>> = experts.collect();
        let cache = match base {
            BaseAs::Reference => self.caches.get(name),
            BaseAs::Expert => self.member_caches.get(name),
            BaseAs::LeftOut => None,
        };
        let tensor = TensorAcrossModels::new(name, &shape, own, &experts);
        visit(&TensorAcrossModels { cache, survey, ..tensor })
    }
}

/// Values of a tensor: those in memory, or else those of the reader.
fn values<'a>(model: &'a MemberWeights, name: &str, reader: Option<&'a StoredValues<'a>>) -> Values<'a> {
    match (model, reader) {
        (MemberWeights::Loaded(weights), _) => Values::from(&*weights[name].data),
        (_, Some(reader)) => Values::Stream(reader),
        (_, None) => Values::from(&[]),
    }
}

/// The tensors of a pool's models, in the order of the names.
pub(crate) struct MemberTensors<'a> {
    members: &'a Members,
    base: BaseAs,
}

impl TensorSource for MemberTensors<'_> {
    type Error = EvolutionError;

    fn visit(
        &mut self,
        visit: &mut dyn FnMut(&TensorAcrossModels<'_>) -> Result<(), MergeError>,
    ) -> Result<(), EvolutionError> {
        let Self { members, base } = *self;
        let names = members.names();
        names.iter().try_for_each(|name| members.with_tensor(base, name, None, |tensor| Ok(visit(tensor)?)))
    }
}

/// Demands the same names and shapes.
fn check_alike(base: &dyn Weights, model: &dyn Weights, member: MemberRole) -> Result<(), EvolutionError> {
    let names = base.names();
    for name in &names {
        let (tensor, expected) = (name.clone(), base.shape(name).unwrap_or_default());
        match model.shape(name) {
            None => return Err(EvolutionError::MissingTensor { tensor, member, expected }),
            Some(got) if got != expected => return Err(EvolutionError::Shape { tensor, member, expected, got }),
            Some(_) => {}
        }
    }
    match model.names().into_iter().find(|name| names.binary_search(name).is_err()) {
        None => Ok(()),
        Some(tensor) => {
            let got = model.shape(&tensor).unwrap_or_default();
            Err(EvolutionError::ExtraTensor { tensor, member, got })
        }
    }
}
