//! A merge that is made tensor by tensor, straight to where its weights are used.

use bunch_checkpoint::{Dtype, StateDict, Tensor, Weights, WeightsError};
use bunch_merging::{Method, Prepared, Survey};
use rayon::prelude::*;
use std::sync::Arc;

use crate::EvolutionError;
use crate::members::Members;
use crate::strategies::fixed::BaseAs;

/// Values that a thread merges at a time.
const PIECE: usize = 1 << 16;

/// A merge of a pool's members, none of whose tensors is made before it is asked for. It has the dtypes of the base: what is
/// bfloat16 there is rounded as `bunch merge` writes it.
///
/// Which threads merge what changes no byte.
pub struct Candidate<'a> {
    members: &'a Members,
    methods: Vec<Method>,
    /// Which of the methods merges a tensor, by the tensor's name.
    method_of: Box<dyn Fn(&str) -> usize + 'a>,
    base: BaseAs,
    survey: Option<Survey>,
    seed: u64,
}

impl<'a> Candidate<'a> {
    /// The merge of all tensors by one method.
    pub(crate) fn new(members: &'a Members, method: Method, base: BaseAs, seed: u64) -> Result<Self, EvolutionError> {
        let survey = match base {
            // Such methods look at each tensor by itself.
            BaseAs::LeftOut => None,
            _ => method.survey(members.models(base).len(), &mut members.source(base))?,
        };
        Ok(Self { members, methods: vec![method], method_of: Box::new(|_| 0), base, survey, seed })
    }

    /// The merge of each tensor by one of several methods. Methods that look at the whole model before they merge a tensor see
    /// that single tensor only.
    pub(crate) fn by_tensor(
        members: &'a Members,
        methods: Vec<Method>,
        method_of: impl Fn(&str) -> usize + 'a,
        seed: u64,
    ) -> Self {
        Self { members, methods, method_of: Box::new(method_of), base: BaseAs::Reference, survey: None, seed }
    }

    /// All tensors, in f32.
    ///
    /// # Errors
    /// What the method says of a tensor.
    pub fn state_dict(&self) -> Result<StateDict, EvolutionError> {
        let mut merged = StateDict::new();
        for name in self.members.names() {
            let shape = self.members.shape(&name);
            let mut data = vec![0.0; shape.iter().product()];
            self.merge(&name, &mut data, |_, values, out| out.copy_from_slice(values))?;
            merged.insert(name, Tensor { shape, data: Arc::new(data) });
        }
        Ok(merged)
    }

    /// Merges a tensor into `out`, as `write` says of its pieces.
    fn merge<T: Send>(
        &self,
        name: &str,
        out: &mut [T],
        write: impl Fn(&str, &[f32], &mut [T]) + Sync,
    ) -> Result<(), EvolutionError> {
        let method = &self.methods[(self.method_of)(name)];
        self.members.with_tensor(self.base, name, self.survey.as_ref(), |tensor| {
            let prepared: Prepared<'_> = method.prepare(tensor, self.seed)?;
            let unit = prepared.unit();
            let piece = (PIECE / unit).max(1) * unit;
            let merge_piece = |(index, out): (usize, &mut [T])| {
                let mut values = vec![0.0; out.len()];
                let start = index * piece;
                prepared.merge(start..start + out.len(), &mut values)?;
                write(name, &values, out);
                Ok::<_, EvolutionError>(())
            };
            match out.len() <= piece {
                true => merge_piece((0, out))?,
                false => out.par_chunks_mut(piece).enumerate().try_for_each(merge_piece)?,
            }
            prepared.mark_checked();
            Ok(())
        })
    }
}

impl Weights for Candidate<'_> {
    fn names(&self) -> Vec<String> {
        self.members.names()
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.members.base_weights().shape(name)
    }

    fn dtype(&self, name: &str) -> Dtype {
        match self.members.base_weights().dtype(name) {
            Dtype::BF16 => Dtype::BF16,
            Dtype::F32 | Dtype::F16 => Dtype::F32,
        }
    }

    fn read(&self, name: &str, out: &mut [f32]) -> Result<(), WeightsError> {
        Ok(self.merge(name, out, |_, values, out| out.copy_from_slice(values))?)
    }

    fn read_bf16(&self, name: &str, out: &mut [u16]) -> Result<(), WeightsError> {
        Ok(self.merge(name, out, |_, values, out| Dtype::BF16.encode_words(values, out))?)
    }
}
