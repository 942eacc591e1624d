//! How a row's model comes about: a member of the pool, tuned or not, or a merge whose coefficients are given or found.

use std::collections::BTreeMap;

use bunch_checkpoint::StateDict;
use bunch_merging::{Linear, Method};
use bunch_search::{Evaluation, Grid, Search, softmax_weights};
use serde::{Deserialize, Serialize};

use crate::ExperimentError;
use crate::criterion::Criterion;
use crate::declared::experiment::Block;
use crate::declared::scale::Scale;
use crate::evomm::{Evomm, Family};
use crate::front_search::FrontSearch;
use crate::preference::Preference;

/// A kind of generated data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Data {
    /// D_expert: the experts' own questions and answers.
    Expert,
    /// D_safety: unsafe questions with safe answers.
    Safety,
}

/// Where the questions of generated data come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Models of the pool write them.
    #[default]
    Generated,
    /// They are the world's own: questions and harmful requests of the dev split. Answers are generated all the same.
    Real,
}

impl Source {
    /// Absent in files and hashes where it says nothing new.
    pub(crate) fn is_generated(&self) -> bool {
        *self == Self::Generated
    }
}

/// Which data a row looks at: K, and where its questions come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DataNeed {
    pub(crate) pairs: usize,
    pub(crate) source: Source,
}

/// Where a row's weights come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weighting {
    /// A model of the pool as it is: 0 is the base, 1 the first expert.
    Member(usize),
    /// Any merge method of the registry with the parameters given, as in `weighting.fixed.ties = { density = 0.2 }`.
    Fixed(Method),
    /// The same with the experts alone, for methods to which the base is optional.
    Full(Method),
    /// The same with all models of the pool as experts, the base among them, for methods that average.
    All(Method),
    /// All combinations of the given values; the best mean dev accuracy wins.
    Grid(GridSearch),
    /// EvoMM: CMA-ES on the loss over generated data (Hammoud et al. 2024, Eq. 4 and 5).
    Evomm(Evomm),
    /// One point of the front of both losses that NSGA-II finds.
    Front(FrontSearch),
    /// LM-Cocktail: weights by softmax of the members' log-likelihood of the data (Eq. 3).
    LmCocktail(LmCocktail),
    /// A model of the pool after preference tuning.
    Preference(Preference),
    /// Of several weightings without data the one whose model is best on dev data: the mean of accuracy, over the block's
    /// tasks, and of safety, over harmful prompts.
    Best(Vec<Weighting>),
}

/// A grid of coefficients.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GridSearch {
    /// The method.
    pub merge: Family,
    /// Values of each expert's weight (TIES and DARE-TIES).
    #[serde(default)]
    pub weight: Vec<f64>,
    /// Values of the density that all experts share (TIES and DARE-TIES).
    #[serde(default)]
    pub density: Vec<f64>,
    /// Values of t (SLERP).
    #[serde(default)]
    pub t: Vec<f64>,
}

/// A weighting by log-likelihood.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LmCocktail {
    /// Which data the members are scored on.
    pub data: Vec<Data>,
    /// Temperature of the softmax.
    pub temperature: f64,
}

/// A model found by a weighting, and how.
pub(crate) struct Weighted {
    pub(crate) weights: StateDict,
    pub(crate) found: Found,
}

/// How a model was found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Found {
    /// Coefficients and losses by name.
    pub(crate) detail: BTreeMap<String, f64>,
    /// Every point that a search evaluated.
    pub(crate) trace: Vec<Evaluation>,
}

impl Weighting {
    /// The generated data that is looked at.
    pub fn data(&self) -> &[Data] {
        match self {
            Weighting::Member(_) | Weighting::Fixed(_) | Weighting::Full(_) | Weighting::All(_) => &[],
            Weighting::Grid(_) | Weighting::Preference(_) | Weighting::Best(_) => &[],
            Weighting::Evomm(evomm) => &evomm.data,
            Weighting::Front(_) => &[Data::Expert, Data::Safety],
            Weighting::LmCocktail(cocktail) => &cocktail.data,
        }
    }

    /// The data that is needed, where any is; `pairs` is the scale's K.
    pub(crate) fn need(&self, pairs: usize) -> Option<DataNeed> {
        match self {
            Weighting::Evomm(evomm) => Some(DataNeed { pairs: evomm.pairs.unwrap_or(pairs), source: evomm.source }),
            Weighting::Front(_) | Weighting::LmCocktail(_) => Some(DataNeed { pairs, source: Source::Generated }),
            _ => None,
        }
    }

    /// Rough cost in merges that are scored, for the progress display.
    pub(crate) fn evaluations(&self, experts: usize) -> usize {
        match self {
            Weighting::Member(_) => 0,
            Weighting::Fixed(_) | Weighting::Full(_) | Weighting::All(_) => 1,
            Weighting::Grid(grid) => grid.axes(experts).iter().map(Vec::len).product(),
            Weighting::Evomm(evomm) => evomm.evaluations,
            Weighting::Front(front) => front.evaluations_of_a_point(),
            Weighting::LmCocktail(_) => 1 + experts,
            Weighting::Preference(preference) => preference.evaluations(),
            Weighting::Best(all) => all.iter().map(|weighting| weighting.evaluations(experts) + 1).sum(),
        }
    }

    /// Takes the sizes of searches and grids that the scale has of its own.
    pub(crate) fn resize(&mut self, scale: &Scale) {
        match self {
            Weighting::Evomm(evomm) => evomm.evaluations = scale.evaluations.unwrap_or(evomm.evaluations),
            Weighting::Front(front) => front.evaluations = scale.evaluations.unwrap_or(front.evaluations),
            Weighting::Grid(grid) => {
                let Some(values) = &scale.grid else { return };
                match grid.merge {
                    Family::Slerp => grid.t.clone_from(&values.t),
                    _ => (grid.weight, grid.density) = (values.weight.clone(), values.density.clone()),
                }
            }
            Weighting::Preference(preference) => preference.pairs = scale.preferences.unwrap_or(preference.pairs),
            Weighting::Best(all) => all.iter_mut().for_each(|weighting| weighting.resize(scale)),
            _ => {}
        }
    }

    /// Takes no more pairs than `limit`, whatever the row says.
    pub(crate) fn limit_pairs(&mut self, limit: usize) {
        match self {
            Weighting::Evomm(evomm) => evomm.pairs = evomm.pairs.map(|pairs| pairs.min(limit)),
            Weighting::Preference(preference) => preference.pairs = preference.pairs.min(limit),
            Weighting::Best(all) => all.iter_mut().for_each(|weighting| weighting.limit_pairs(limit)),
            _ => {}
        }
    }

    /// Whether finding the model trains one, which takes longer than anything else and is kept.
    pub(crate) fn trains(&self) -> bool {
        match self {
            Weighting::Preference(_) => true,
            Weighting::Best(all) => all.iter().any(Weighting::trains),
            _ => false,
        }
    }

    /// Refuses what cannot be run on a block's pool.
    pub(crate) fn check(&self, block: &Block) -> Result<(), String> {
        let experts = block.experts.len();
        let slerp = |family: Family| match family {
            Family::Slerp if experts != 1 => {
                Err(format!("SLERP takes one expert, block `{}` has {experts}", block.name))
            }
            _ => Ok(()),
        };
        match self {
            Weighting::Member(index) if *index > experts => {
                Err(format!("member {index} of block `{}`, which has {} members", block.name, experts + 1))
            }
            Weighting::Member(_) => Ok(()),
            Weighting::Fixed(method) | Weighting::Full(method) => {
                method.validate(experts).map_err(|error| error.to_string())
            }
            Weighting::All(method) => method.validate(experts + 1).map_err(|error| error.to_string()),
            Weighting::Grid(grid) => {
                slerp(grid.merge)?;
                let empty = grid.axes(experts).iter().any(Vec::is_empty);
                if empty {
                    Err("the grid is empty: ties and dare_ties need weight and density, slerp needs t".into())
                } else {
                    Ok(())
                }
            }
            Weighting::Evomm(evomm) => {
                slerp(evomm.merge)?;
                if !evomm.data.contains(&Data::Expert) {
                    return Err("data must contain \"expert\"".into());
                }
                if evomm.layer_granularity == Some(0) || evomm.pairs == Some(0) {
                    return Err("layer_granularity and pairs are at least 1".into());
                }
                Ok(())
            }
            Weighting::Front(front) => {
                slerp(front.merge)?;
                front.check()
            }
            Weighting::LmCocktail(cocktail) if cocktail.data.is_empty() => Err("data is empty".into()),
            Weighting::LmCocktail(_) => Ok(()),
            Weighting::Preference(preference) => preference.check(experts + 1),
            Weighting::Best(all) if all.is_empty() => Err("best of nothing".into()),
            Weighting::Best(all) => all.iter().try_for_each(|weighting| match weighting {
                Weighting::Best(_) => Err("best of bests".into()),
                other if !other.data().is_empty() => {
                    Err("best looks at dev data, not at generated data: no evomm, no front, no lm_cocktail".into())
                }
                other => other.check(block),
            }),
        }
    }

    /// Finds the model. `name` keys the random streams, `progress` hears of every merge that was scored.
    pub(crate) fn find(
        &self,
        criterion: &Criterion<'_>,
        name: &str,
        seed: u64,
        progress: &mut dyn FnMut(),
    ) -> Result<Weighted, ExperimentError> {
        let pool = criterion.pool;
        let experts = pool.experts().len();
        match self {
            Weighting::Member(index) => {
                let weights = (*pool.members()[*index]).clone();
                Ok(Weighted { weights, found: Found::default() })
            }
            Weighting::Fixed(method) | Weighting::Full(method) | Weighting::All(method) => {
                let weights = match self {
                    Weighting::Full(_) => pool.merge_without_base(method, seed)?,
                    Weighting::All(_) => pool.merge_members(method, seed)?,
                    _ => pool.merge(method, seed)?,
                };
                progress();
                Ok(Weighted { weights, found: Found::default() })
            }
            Weighting::Grid(grid) => {
                let mut search = Grid::new(grid.axes(experts))?;
                let mut score = |point: &[f64]| {
                    let merged = pool.merge(&grid.merge.method(point, experts)?, seed)?;
                    progress();
                    // A search minimises.
                    Ok(-criterion.dev_accuracy(&criterion.model(&merged)?)?)
                };
                let best = run_search(&mut search, &mut score)?;
                let mut detail = named(&grid.names(experts), &best);
                detail.insert("dev_accuracy".into(), -search.best().map_or(f64::NAN, |(_, loss)| loss));
                let weights = pool.merge(&grid.merge.method(&best, experts)?, seed)?;
                Ok(Weighted { weights, found: Found { detail, trace: search.trace().to_vec() } })
            }
            Weighting::Evomm(evomm) => evomm.find(criterion, name, seed, progress),
            Weighting::Front(front) => front.find(criterion, seed, progress),
            Weighting::LmCocktail(cocktail) => {
                let mut scores = Vec::new();
                for member in pool.members() {
                    let model = criterion.model(&member)?;
                    let losses = cocktail.data.iter().map(|&data| criterion.loss(&model, data));
                    let losses = losses.collect::<Result<Vec<_>, _>>()?;
                    progress();
                    // Every kind of data has K pairs, so the mean over all pairs is the mean of the means.
                    scores.push(-losses.iter().sum::<f64>() / losses.len() as f64);
                }
                let weights = softmax_weights(&scores, cocktail.temperature)?;
                let names: Vec<String> = (0..=experts).map(|index| format!("weight_{index}")).collect();
                let detail = named(&names, &weights);
                let weights = weights.iter().map(|&weight| weight as f32).collect();
                let method = Linear { weights, ..Linear::default() }.into();
                let weights = pool.merge_members(&method, seed)?;
                Ok(Weighted { weights, found: Found { detail, trace: Vec::new() } })
            }
            Weighting::Preference(preference) => {
                let start = &pool.members()[preference.member];
                let (weights, loss) = preference.tune(start, &*criterion.bench.world, seed, progress)?;
                let numbers = [("learning_rate", preference.learning_rate), ("final_loss", loss)];
                let detail = numbers.map(|(name, number)| (name.to_owned(), number)).into();
                Ok(Weighted { weights, found: Found { detail, trace: Vec::new() } })
            }
            Weighting::Best(all) => best(all, criterion, name, seed, progress),
        }
    }
}

/// The first of the weightings whose model has the highest mean of dev accuracy and dev safety.
fn best(
    all: &[Weighting],
    criterion: &Criterion<'_>,
    name: &str,
    seed: u64,
    progress: &mut dyn FnMut(),
) -> Result<Weighted, ExperimentError> {
    let mut best: Option<(f64, Weighted)> = None;
    let mut trace = Vec::new();
    for (index, weighting) in all.iter().enumerate() {
        let mut weighted = weighting.find(criterion, &format!("{name}/{index}"), seed, progress)?;
        let model = criterion.model(&weighted.weights)?;
        let (accuracy, safety) = (criterion.dev_accuracy(&model)?, criterion.dev_safety(&model)?);
        progress();
        let score = (accuracy + safety) / 2.0;
        // A search minimises.
        trace.push(Evaluation { step: index, point: vec![index as f64], loss: -score, generation: 0, restart: 0 });
        let numbers = [("choice", index as f64), ("dev_accuracy", accuracy), ("dev_safety", safety)];
        weighted.found.detail.extend(numbers.map(|(name, number)| (name.to_owned(), number)));
        if best.as_ref().is_none_or(|(other, _)| score > *other) {
            best = Some((score, weighted));
        }
    }
    let (_, mut weighted) = best.expect("checked: not of nothing");
    weighted.found.trace = trace;
    Ok(weighted)
}

impl GridSearch {
    fn axes(&self, experts: usize) -> Vec<Vec<f64>> {
        match self.merge {
            Family::Slerp => vec![self.t.clone()],
            _ => (0..experts).map(|_| self.weight.clone()).chain([self.density.clone()]).collect(),
        }
    }

    fn names(&self, experts: usize) -> Vec<String> {
        match self.merge {
            Family::Slerp => vec!["t".into()],
            _ => (1..=experts).map(|i| format!("weight_{i}")).chain(["density".into()]).collect(),
        }
    }
}

/// Coordinates by name.
pub(crate) fn named(names: &[String], values: &[f64]) -> BTreeMap<String, f64> {
    names.iter().cloned().zip(values.iter().copied()).collect()
}

/// Runs a search to its end and returns the best point.
pub(crate) fn run_search(
    search: &mut dyn Search,
    score: &mut dyn FnMut(&[f64]) -> Result<f64, ExperimentError>,
) -> Result<Vec<f64>, ExperimentError> {
    while let Some(points) = search.propose() {
        let losses = points.iter().map(|point| score(point)).collect::<Result<Vec<_>, _>>()?;
        search.observe(&losses);
    }
    Ok(search.best().map(|(point, _)| point.to_vec()).unwrap_or_default())
}
