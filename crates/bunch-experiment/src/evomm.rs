//! EvoMM: the genes that an evolutionary search has, and the merge that each point of its space stands for.

use std::collections::{BTreeMap, BTreeSet};

use bunch_checkpoint::StateDict;
use bunch_merging::{DareTies, Densities, Density, Method, Slerp, Ties};
use bunch_recipe::Pool;
use bunch_search::{CmaEs, CmaEsConfig, Search};
use serde::{Deserialize, Serialize};

use crate::ExperimentError;
use crate::criterion::Criterion;
use crate::weighting::{Data, Found, Source, Weighted, named, run_search};

/// A merge method whose coefficients are searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// TIES with one weight and one density for each expert, not normalised.
    Ties,
    /// DARE-TIES with one weight and one density for each expert, not normalised.
    DareTies,
    /// SLERP with its position t.
    Slerp,
}

/// An evolutionary search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evomm {
    /// The method.
    pub merge: Family,
    /// Which losses count.
    pub data: Vec<Data>,
    /// Weight of L_expert beside L_safety; without safety data L_expert stands alone.
    pub alpha: f64,
    /// Merges that are evaluated.
    pub evaluations: usize,
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
    #[serde(default, skip_serializing_if = "Variant::is_text")]
    pub variant: Variant,
}

/// The paper's text and its released code describe different searches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Variant {
    /// Genes for the experts alone, weights in [0, 1], densities from the middle of their range.
    #[default]
    Text,
    /// Genes for every model of the pool, the base included (whose task vector is zero); weights of any sign from 1/N,
    /// densities from 1, their magnitude clamped to [0, 1]; a step of 1/6. SLERP's t is the softmax of two weights. The
    /// sum over samples that the code minimises ranks merges as the mean does.
    ReleasedCode,
}

impl Variant {
    fn is_text(&self) -> bool {
        *self == Self::Text
    }
}

/// Lowest density a search may try: a density near 0 keeps nothing of an expert.
const LOWEST_DENSITY: f64 = 0.1;

/// Bound on the genes of the released code, which has none: far outside of where its steps lead.
const FAR: f64 = 4.0;

/// Standard deviation of the released code's first steps.
const CODE_SIGMA: f64 = 1.0 / 6.0;

impl Family {
    /// Hash of the source code of the method.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Family::Ties => Method::from(Ties::default()).code(),
            Family::DareTies => Method::from(DareTies::default()).code(),
            Family::Slerp => Method::from(Slerp { t: 0.0 }).code(),
        }
    }

    /// The method at a point of a search. TIES and DARE-TIES: weights, then one density for all or one each; SLERP: t.
    pub(crate) fn method(self, point: &[f64], experts: usize) -> Result<Method, ExperimentError> {
        if self == Family::Slerp {
            return Ok(Slerp { t: point[0] }.into());
        }
        let weights: Vec<f32> = point[..experts].iter().map(|&weight| weight as f32).collect();
        let densities =
            point[experts..].iter().map(|&density| Density::try_from(density)).collect::<Result<Vec<_>, _>>()?;
        let density = match densities[..] {
            [one] => Densities::Same(one),
            _ => Densities::PerExpert(densities),
        };
        // Not normalised: with one expert the weight would cancel.
        Ok(match self {
            Family::Ties => Ties { weights, density, normalize: false, ..Ties::default() }.into(),
            _ => DareTies { weights, density, normalize: false, ..DareTies::default() }.into(),
        })
    }
}

impl Evomm {
    /// The merge with the least loss. `name` keys the random stream, `progress` hears of every merge that was scored.
    pub(crate) fn find(
        &self,
        criterion: &Criterion<'_>,
        name: &str,
        seed: u64,
        progress: &mut dyn FnMut(),
    ) -> Result<Weighted, ExperimentError> {
        let pool = criterion.pool;
        let space = Space::new(self.merge, self.variant, self.layer_granularity, pool);
        let mut search = CmaEs::new(self.config(&space, name, seed))?;
        let losses = |point: &[f64]| -> Result<(StateDict, BTreeMap<String, f64>, f64), ExperimentError> {
            let merged = space.merge(pool, point, seed)?;
            let model = criterion.model(&merged)?;
            let expert = criterion.loss(&model, Data::Expert)?;
            let mut parts = BTreeMap::from([("loss_expert".to_owned(), expert)]);
            if !self.data.contains(&Data::Safety) {
                return Ok((merged, parts, expert));
            }
            let safety = criterion.loss(&model, Data::Safety)?;
            parts.insert("loss_safety".into(), safety);
            Ok((merged, parts, safety + self.alpha * expert))
        };
        let mut score = |point: &[f64]| {
            let (_, _, loss) = losses(point)?;
            progress();
            Ok(loss)
        };
        let best = run_search(&mut search, &mut score)?;
        let (weights, parts, loss) = losses(&best)?;
        let mut detail = named(&space.genes(), &best);
        detail.extend(parts);
        detail.insert("loss".into(), loss);
        Ok(Weighted { weights, found: Found { detail, trace: search.trace().to_vec() } })
    }

    fn config(&self, space: &Space, name: &str, seed: u64) -> CmaEsConfig {
        let ranges = space.ranges();
        let sigma = match self.variant {
            Variant::Text => self.sigma,
            Variant::ReleasedCode => CODE_SIGMA / (2.0 * FAR),
        };
        CmaEsConfig {
            dimension: ranges.len(),
            lower: ranges.iter().map(|range| range.lower).collect(),
            upper: ranges.iter().map(|range| range.upper).collect(),
            start: ranges.iter().map(|range| range.start).collect(),
            sigma,
            max_evaluations: self.evaluations,
            restarts: self.restarts,
            seed,
            name: name.into(),
        }
    }
}

/// What a gene may be.
pub(crate) struct Range {
    pub(crate) lower: f64,
    pub(crate) upper: f64,
    /// Where a search from one point starts.
    pub(crate) start: f64,
}

/// The space that one search looks through.
pub(crate) struct Space {
    merge: Family,
    variant: Variant,
    /// Decoder layers that share their genes.
    granularity: usize,
    experts: usize,
    /// Groups of layers with genes of their own.
    groups: usize,
}

impl Space {
    /// The space for a pool: the whole model shares its genes unless `layer_granularity` layers do.
    pub(crate) fn new(merge: Family, variant: Variant, layer_granularity: Option<usize>, pool: &Pool) -> Self {
        let all = layers(pool.base()).max(1);
        let granularity = layer_granularity.unwrap_or(all);
        Self { merge, variant, granularity, experts: pool.experts().len(), groups: all.div_ceil(granularity) }
    }

    /// Names of the genes of one group.
    fn genes_of_group(&self) -> Vec<String> {
        let models = match self.variant {
            Variant::Text => 1..=self.experts,
            Variant::ReleasedCode => 0..=self.experts,
        };
        let each = |name: &'static str| models.clone().map(move |model| format!("{name}_{model}"));
        match (self.merge, self.variant) {
            (Family::Slerp, Variant::Text) => vec!["t".into()],
            (Family::Slerp, Variant::ReleasedCode) => each("weight").collect(),
            _ => each("weight").chain(each("density")).collect(),
        }
    }

    /// Names of all genes, group by group.
    pub(crate) fn genes(&self) -> Vec<String> {
        let genes = self.genes_of_group();
        match self.groups {
            1 => genes,
            groups => (0..groups).flat_map(|group| genes.iter().map(move |gene| format!("{gene}@{group}"))).collect(),
        }
    }

    /// What each gene may be. In the text's variant weights lie in [0, 1] and start at 1/N of the pool, densities lie in
    /// [0.1, 1] and start in the middle, t lies in [0, 1].
    pub(crate) fn ranges(&self) -> Vec<Range> {
        let share = 1.0 / (self.experts + 1) as f64;
        let middle = (LOWEST_DENSITY + 1.0) / 2.0;
        let range = |gene: &String| match self.variant {
            Variant::ReleasedCode if gene.starts_with("density") => (-FAR, FAR, 1.0),
            Variant::ReleasedCode => (-FAR, FAR, share),
            Variant::Text if gene.starts_with("density") => (LOWEST_DENSITY, 1.0, middle),
            Variant::Text if gene.starts_with("weight") => (0.0, 1.0, share),
            Variant::Text => (0.0, 1.0, 0.5),
        };
        self.genes().iter().map(range).map(|(lower, upper, start)| Range { lower, upper, start }).collect()
    }

    /// The merge at a point.
    pub(crate) fn merge(&self, pool: &Pool, point: &[f64], seed: u64) -> Result<StateDict, ExperimentError> {
        let size = point.len() / self.groups;
        let methods = point.chunks(size).map(|genes| self.method(genes)).collect::<Result<Vec<_>, _>>()?;
        if let [method] = &methods[..] {
            return Ok(pool.merge(method, seed)?);
        }
        let group_of = |tensor: &str| match layer(tensor) {
            Some(layer) => layer / self.granularity,
            // What comes before the layers goes with the first, what comes after with the last, as in mergekit's slices.
            None if tensor.contains("embed_tokens") => 0,
            None => self.groups - 1,
        };
        Ok(pool.merge_by_tensor(|tensor| &methods[group_of(tensor)], seed)?)
    }

    fn method(&self, genes: &[f64]) -> Result<Method, ExperimentError> {
        let merge = self.merge;
        if self.variant == Variant::Text {
            return merge.method(genes, self.experts);
        }
        let models = self.experts + 1;
        if merge == Family::Slerp {
            let (base, expert) = (genes[0].exp(), genes[1].exp());
            return merge.method(&[expert / (base + expert)], self.experts);
        }
        // The base's own genes move nothing.
        let densities = genes[models + 1..].iter().map(|density| density.abs().min(1.0));
        let point: Vec<f64> = genes[1..models].iter().copied().chain(densities).collect();
        merge.method(&point, self.experts)
    }
}

/// Number of the decoder layer that a tensor belongs to.
fn layer(tensor: &str) -> Option<usize> {
    tensor.split_once(".layers.")?.1.split('.').next()?.parse().ok()
}

/// Number of decoder layers.
fn layers(weights: &StateDict) -> usize {
    weights.keys().filter_map(|name| layer(name)).collect::<BTreeSet<_>>().len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bunch_checkpoint::Tensor;
    use std::sync::Arc;

    fn pool() -> Pool {
        let weights = |value: f32| {
            let tensor = |shift: f32| Tensor { shape: vec![2], data: Arc::new(vec![value + shift, 1.0]) };
            let names = [
                "model.embed_tokens.weight",
                "model.layers.0.a.weight",
                "model.layers.1.a.weight",
                "model.norm.weight",
            ];
            Arc::new(StateDict::from(names.map(|name| (name.to_owned(), tensor(0.0)))))
        };
        Pool::new(weights(0.0), vec![weights(1.0)]).unwrap()
    }

    fn space(evomm: &Evomm) -> Space {
        Space::new(evomm.merge, evomm.variant, evomm.layer_granularity, &pool())
    }

    fn evomm(text: &str) -> Evomm {
        let usual = "data = ['expert']\nalpha = 0.3\nevaluations = 10\nsigma = 0.25\nrestarts = 0\n";
        toml::from_str(&format!("{usual}{text}")).unwrap()
    }

    #[test]
    fn without_granularity_the_whole_model_shares_its_genes() {
        let evomm = evomm("merge = 'ties'");
        let (pool, space) = (pool(), space(&evomm));
        assert_eq!(space.genes(), ["weight_1", "density_1"]);
        let config = evomm.config(&space, "x", 0);
        assert_eq!((config.lower, config.upper, config.start), (vec![0.0, 0.1], vec![1.0, 1.0], vec![0.5, 0.55]));
        let merged = space.merge(&pool, &[0.5, 1.0], 0).unwrap();
        assert!(merged.values().all(|tensor| *tensor.data == [0.5, 1.0]));
    }

    #[test]
    fn a_cell_names_the_code_of_the_methods_that_it_uses() {
        let code = |text: &str| toml::from_str::<crate::Weighting>(text).unwrap().merge_code();
        assert_eq!(code("fixed.ties = {}"), evomm("merge = 'ties'").merge.code());
        assert_eq!(code("all.linear = {}"), code("lm_cocktail = { data = ['expert'], temperature = 1.0 }"));
        assert_ne!(code("fixed.ties = {}"), code("all.linear = {}"));
        let best = code("best = [{ fixed.ties = {} }, { all.linear = {} }]");
        assert_eq!(best, code("fixed.ties = {}") + &code("all.linear = {}"));
        assert_eq!(code("member = 0"), "");
    }

    #[test]
    fn groups_of_layers_have_their_own() {
        let evomm = evomm("merge = 'ties'\nlayer_granularity = 1");
        let (pool, space) = (pool(), space(&evomm));
        assert_eq!(space.genes(), ["weight_1@0", "density_1@0", "weight_1@1", "density_1@1"]);
        let merged = space.merge(&pool, &[0.25, 1.0, 0.75, 1.0], 0).unwrap();
        let first = |name: &str| merged[name].data[0];
        assert_eq!(["model.embed_tokens.weight", "model.layers.0.a.weight"].map(first), [0.25; 2]);
        assert_eq!(["model.layers.1.a.weight", "model.norm.weight"].map(first), [0.75; 2]);
    }

    #[test]
    fn the_released_code_has_genes_for_the_base_and_weights_of_any_sign() {
        let evomm = evomm("merge = 'ties'\nvariant = 'released_code'");
        let (pool, space) = (pool(), space(&evomm));
        assert_eq!(space.genes(), ["weight_0", "weight_1", "density_0", "density_1"]);
        let config = evomm.config(&space, "x", 0);
        assert_eq!(config.start, [0.5, 0.5, 1.0, 1.0]);
        assert!((config.sigma * 8.0 - 1.0 / 6.0).abs() < 1e-12);
        let merged = space.merge(&pool, &[9.0, -0.5, 0.0, -3.0], 0).unwrap();
        assert!(merged.values().all(|tensor| tensor.data[0] == -0.5));
        let evomm = self::evomm("merge = 'slerp'\nvariant = 'released_code'");
        let method = self::space(&evomm).method(&[1.0, 1.0]).unwrap();
        assert_eq!(method, Slerp { t: 0.5 }.into());
    }
}
