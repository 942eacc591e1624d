//! Finds the model of a row and measures it.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use bunch_evolution::{Environment, FoundModel, Fronts, Members, Unkept};

use crate::ExperimentError;
use crate::declared::block::Block;
use crate::declared::column::{Column, Metric};
use crate::declared::row::Row;
use crate::objective::PoolObjective;
use crate::preference::PoolTrainer;
use crate::recording::measurement::{Sample, Score};
use crate::recording::pool_data::PoolData;
use crate::running::evaluation::Evaluation;
use crate::running::likeness::Likeness;
use crate::seed_pool::SeedPool;

/// A pool ready to be merged.
pub(crate) struct PreparedPool {
    pool: Members,
    /// Fronts that rows of the pool have found.
    fronts: Fronts,
}

impl PreparedPool {
    /// The pool of these models, which must have been trained before; the first is the base.
    pub(crate) fn load(seed_pool: &SeedPool, members: &[String]) -> Result<Self, ExperimentError> {
        let mut models = members.iter().map(|member| seed_pool.weights(member)).collect::<Result<Vec<_>, _>>()?;
        let base = models.remove(0);
        Ok(Self { pool: Members::new(base, models)?, fronts: Fronts::default() })
    }
}

/// A row of a block with one seed, and what it is scored with.
pub(crate) struct Scoring<'a> {
    pub(crate) seed_pool: &'a SeedPool,
    pub(crate) block: &'a Block,
    pub(crate) row: &'a Row,
    pub(crate) columns: &'a [Column],
    /// The tasks whose dev accuracy selects among models.
    pub(crate) tasks: &'a [String],
    pub(crate) prepared: &'a PreparedPool,
    /// What the row's search looks at, where that is generated.
    pub(crate) data: Option<&'a PoolData>,
}

impl Scoring<'_> {
    /// Finds the row's model; `progress` hears of every merge that was scored.
    pub(crate) fn find(&self, progress: &mut dyn FnMut()) -> Result<FoundModel, ExperimentError> {
        let (safety, expert) = match self.data {
            Some(data) => (data.safety_pairs(), data.expert_pairs()),
            None => Default::default(),
        };
        let environment = Environment {
            members: &self.prepared.pool,
            objective: &PoolObjective {
                seed_pool: self.seed_pool,
                safety: &safety,
                expert: &expert,
                tasks: self.tasks,
            },
            trainer: &PoolTrainer(self.seed_pool),
            fronts: &self.prepared.fronts,
            evaluations: &Unkept,
            seed: self.seed_pool.seed,
            recipe_only: false,
        };
        let name = format!("{}/{}", self.block.name, self.row.name);
        Ok(self.row.strategy.find(&environment, &name, progress)?)
    }

    /// Scores of a model by column, and some of what it said.
    pub(crate) fn measure(
        &self,
        found: &FoundModel,
    ) -> Result<(BTreeMap<String, Score>, Vec<Sample>), ExperimentError> {
        let model = self.seed_pool.model(&found.weights)?;
        let mut evaluation = Evaluation::new(self.seed_pool, &model);
        let scores = self.scores(found, &mut evaluation)?;
        Ok((scores, evaluation.samples()))
    }

    fn scores(
        &self,
        found: &FoundModel,
        evaluation: &mut Evaluation<'_>,
    ) -> Result<BTreeMap<String, Score>, ExperimentError> {
        let likeness = Likeness {
            seed_pool: self.seed_pool,
            pool: &self.prepared.pool,
            weights: &found.weights,
            model: evaluation.model(),
            part: self.block.part.clone().unwrap_or_default(),
            states: OnceCell::new(),
        };
        let mut scores = BTreeMap::new();
        for column in self.columns {
            let score = match (column.to, &column.key) {
                (Some(to), _) => likeness.score(column.metric, to)?,
                (_, Some(key)) => found.found.detail.get(key).map(|&value| Score::number(value)),
                _ => evaluation.score(self.block, column)?,
            };
            scores.extend(score.map(|score| (column.name.clone(), score)));
        }
        for column in self.columns.iter().filter(|column| column.metric == Metric::Mean) {
            let of: Vec<&Score> = column.of.iter().filter_map(|name| scores.get(name)).collect();
            let mean = Score::mean(&of).ok_or_else(|| ExperimentError::Inconsistent {
                path: format!("{}/{}", self.block.name, self.row.name).into(),
                what: format!("column `{}`: its columns have test sets of different sizes", column.name),
            })?;
            scores.insert(column.name.clone(), mean);
        }
        Ok(scores)
    }
}
