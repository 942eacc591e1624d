//! EvoMM: CMA-ES on the loss over generated data.

use std::collections::BTreeMap;

use bunch_merging::Info;
use bunch_search::{CmaEs, CmaEsConfig};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use self::layers::Layers;
use crate::EvolutionError;
use crate::generated_data::{Data, DataNeed, Source};
use crate::genes::{self, Layout, MethodName, Space};
use crate::goal::Goal;
use crate::objective::{Target, find_best};
use crate::strategy::{ByOptions, Cost, Environment, FoundMerge, FoundModel, Sizes, Strategy};

mod layers;
mod released_code;

/// EvoMM: CMA-ES on the loss over generated data (Hammoud et al. 2024, Eq. 4 and 5).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvommSearch {
    /// The merge method.
    pub merge: MethodName,
    /// Parameters that are the same at every point.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub parameters: Map<String, Value>,
    /// Range of each parameter that is searched.
    pub genes: BTreeMap<String, [f64; 2]>,
    /// Which losses count.
    pub data: Vec<Data>,
    /// Weight of L_expert next to L_safety; without safety data L_expert stands alone.
    pub alpha: f64,
    /// Merges that are evaluated.
    pub evaluations: usize,
    /// What makes a merge the best, instead of the losses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goal: Option<Goal>,
    /// Initial step, as a fraction of each gene's range.
    pub sigma: f64,
    /// Restarts allowed within the evaluations.
    pub restarts: usize,
    /// K, instead of the scale's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairs: Option<usize>,
    /// Where the questions come from.
    #[serde(default, skip_serializing_if = "Source::is_generated")]
    pub source: Source,
    /// Decoder layers that share their genes; all of the model unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer_granularity: Option<usize>,
    /// Which description of the search is followed.
    #[serde(default, skip_serializing_if = "SearchVariant::is_text")]
    pub variant: SearchVariant,
}

/// The paper's text and its released code describe different searches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SearchVariant {
    /// Genes for the experts alone, weights from 1/N, other genes from the middle of their range.
    #[default]
    Text,
    /// Genes for every model of the pool, the base included; see `released_code.rs`.
    ReleasedCode,
}

impl SearchVariant {
    fn is_text(&self) -> bool {
        *self == Self::Text
    }

    fn layout(self) -> Layout {
        match self {
            Self::Text => genes::per_expert,
            Self::ReleasedCode => released_code::layout,
        }
    }
}

impl EvommSearch {
    pub(crate) const BY_OPTIONS: Option<ByOptions> = Some(ByOptions {
        summary: "CMA-ES on L_safety + alpha L_expert, as Hammoud et al. 2024",
        settings: &["merge", "parameters", "genes", "data", "alpha", "evaluations", "sigma", "restarts", "goal"],
    });

    fn target(&self) -> Target<'_> {
        Target { data: &self.data, alpha: self.alpha, goal: self.goal.as_ref() }
    }

    fn space(&self, experts: usize) -> Result<Space, EvolutionError> {
        Space::new(&self.merge, &self.parameters, &self.genes, self.variant.layout(), experts)
    }

    fn config(&self, layers: &Layers, name: &str, seed: u64) -> CmaEsConfig {
        let genes = layers.genes();
        CmaEsConfig {
            dimension: genes.len(),
            lower: genes.iter().map(|gene| gene.lower).collect(),
            upper: genes.iter().map(|gene| gene.upper).collect(),
            start: genes.iter().map(|gene| gene.start).collect(),
            sigma: self.sigma,
            max_evaluations: self.evaluations,
            restarts: self.restarts,
            seed,
            name: name.into(),
        }
    }
}

impl Strategy for EvommSearch {
    fn data(&self) -> &[Data] {
        &self.data
    }

    fn need(&self, pairs: usize) -> Option<DataNeed> {
        Some(DataNeed { pairs: self.pairs.unwrap_or(pairs), source: self.source })
    }

    fn methods(&self) -> Vec<Info> {
        vec![self.merge.info()]
    }

    fn cost(&self, _experts: usize) -> Cost {
        let candidates = self.evaluations;
        Cost { candidates, merges: candidates + 1, losses: candidates * self.data.len(), ..Cost::default() }
    }

    fn check(&self, experts: usize) -> Result<(), EvolutionError> {
        self.target().check()?;
        if self.layer_granularity == Some(0) {
            return Err(EvolutionError::setting("layer_granularity", 0, "at least 1"));
        }
        if self.pairs == Some(0) {
            return Err(EvolutionError::setting("pairs", 0, "at least 1"));
        }
        if self.evaluations == 0 {
            return Err(EvolutionError::setting("evaluations", 0, "at least 1"));
        }
        self.space(experts)?.check(experts)
    }

    fn resize(&mut self, sizes: &Sizes) {
        self.evaluations = sizes.evaluations.unwrap_or(self.evaluations);
        self.pairs = self.pairs.map(|pairs| sizes.max_pairs.map_or(pairs, |most| pairs.min(most)));
    }

    fn reports_losses(&self) -> bool {
        true
    }

    fn summary(&self) -> String {
        let Self { alpha, evaluations, .. } = self;
        match self.data.contains(&Data::Safety) {
            true => format!("Least L_safety + {alpha} L_expert of {evaluations} merges, by CMA-ES"),
            false => format!("Least L_expert of {evaluations} merges, by CMA-ES"),
        }
    }

    fn find(
        &self,
        environment: &Environment<'_>,
        name: &str,
        progress: &mut dyn FnMut(),
    ) -> Result<FoundModel, EvolutionError> {
        let Environment { members, seed, .. } = *environment;
        let layers = Layers::new(self.space(members.expert_count())?, self.layer_granularity, members.base_weights());
        let mut search = CmaEs::new(self.config(&layers, name, seed))?;
        let merge = |point: &[f64]| layers.candidate(members, point, seed);
        let (best, found) = find_best(environment, &mut search, &layers.genes(), &merge, &self.target(), progress)?;
        Ok(FoundModel { merge: layers.method(&best)?.and_then(FoundMerge::with_base), ..found })
    }
}

#[cfg(test)]
mod tests;
