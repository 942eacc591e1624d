//! Groups of decoder layers with genes of their own.

use std::collections::BTreeSet;

use bunch_checkpoint::{StateDict, TensorName};
use bunch_merging::Method;

use crate::EvolutionError;
use crate::genes::{Gene, Space};
use crate::members::Members;

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
    pub(super) fn new(space: Space, granularity: Option<usize>, base: &StateDict) -> Self {
        let layers: BTreeSet<usize> = base.keys().filter_map(|name| Some(TensorName::of(name).layer?.index)).collect();
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
    pub(super) fn merge(&self, members: &Members, point: &[f64], seed: u64) -> Result<StateDict, EvolutionError> {
        let size = point.len() / self.groups;
        let methods = point.chunks(size).map(|genes| self.space.method(genes)).collect::<Result<Vec<_>, _>>()?;
        if let [method] = &methods[..] {
            return members.merge(method, seed);
        }
        let group_of = |tensor: &str| {
            let name = TensorName::of(tensor);
            match &name.layer {
                Some(layer) => layer.index / self.granularity,
                // What comes before the layers goes with the first, what comes after with the last, as in mergekit's slices.
                None if name.is_before_layers() => 0,
                None => self.groups - 1,
            }
        };
        members.merge_by_tensor(|tensor| &methods[group_of(tensor)], seed)
    }
}
