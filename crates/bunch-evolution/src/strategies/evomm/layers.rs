//! Groups of decoder layers with genes of their own.

use std::collections::BTreeSet;

use bunch_checkpoint::{TensorName, Weights};
use bunch_merging::Method;

use crate::EvolutionError;
use crate::candidate::Candidate;
use crate::genes::{Gene, Space};
use crate::members::Members;
use crate::strategies::fixed::BaseAs;

/// A space for each group of layers.
pub(super) struct Layers {
    space: Space,
    /// Decoder layers that share their genes.
    granularity: usize,
    /// Groups of layers with genes of their own.
    groups: usize,
}

impl Layers {
    /// The whole model shares its genes unless `granularity` layers do.
    pub(super) fn new(space: Space, granularity: Option<usize>, base: &dyn Weights) -> Self {
        let layers: BTreeSet<usize> =
            base.names().iter().filter_map(|name| Some(TensorName::of(name).layer?.index)).collect();
        let all = layers.len().max(1);
        let granularity = granularity.unwrap_or(all);
        Self { space, granularity, groups: all.div_ceil(granularity) }
    }

    /// All genes, group by group.
    pub(super) fn genes(&self) -> Vec<Gene> {
        let genes = self.space.genes();
        if self.groups == 1 {
            return genes.into_iter().cloned().collect();
        }
        let in_group = |group: usize, gene: &Gene| Gene { name: format!("{}@{group}", gene.name), ..gene.clone() };
        (0..self.groups).flat_map(|group| genes.iter().map(move |gene| in_group(group, gene))).collect()
    }

    /// The method at a point, where all layers share it.
    pub(super) fn method(&self, point: &[f64]) -> Result<Option<Method>, EvolutionError> {
        if self.groups == 1 { self.space.method(point).map(Some) } else { Ok(None) }
    }

    /// The merge at a point.
    pub(super) fn candidate<'a>(
        &self,
        members: &'a Members,
        point: &[f64],
        seed: u64,
    ) -> Result<Candidate<'a>, EvolutionError> {
        let size = point.len() / self.groups;
        let methods = point.chunks(size).map(|genes| self.space.method(genes)).collect::<Result<Vec<_>, _>>()?;
        let [_, _, ..] = &methods[..] else {
            let method = methods.into_iter().next().expect("at least one group");
            return members.candidate(method, BaseAs::Reference, seed);
        };
        let (granularity, groups) = (self.granularity, self.groups);
        let group_of = move |tensor: &str| {
            let name = TensorName::of(tensor);
            match &name.layer {
                Some(layer) => layer.index / granularity,
                // What comes before the layers goes with the first, what comes after with the last, as in mergekit's slices.
                None if name.is_before_layers() => 0,
                None => groups - 1,
            }
        };
        Ok(Candidate::by_tensor(members, methods, group_of, seed))
    }
}
