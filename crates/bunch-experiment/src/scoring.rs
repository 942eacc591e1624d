//! What a run's cells score.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::time::Instant;

use bunch_checkpoint::sha256_of_state_dict;
use bunch_evolution::{DataNeed, Environment, FoundModel, Fronts, Members};

use crate::data::PoolData;
use crate::evaluation::Evaluation;
use crate::likeness::Likeness;
use crate::measurement::{Measurement, Score};
use crate::metric::Metric;
use crate::objective::PoolObjective;
use crate::preference::WorldTrainer;
use crate::runner::model_store::ModelStore;
use crate::runner::planning::CellPlan;
use crate::runner::schedule::Worker;
use crate::workbench::Workbench;
use crate::{ExperimentError, Run};

/// A pool ready to be merged, and the data that rows look at.
pub(crate) struct PreparedPool {
    pub(crate) pool: Members,
    pub(crate) data: BTreeMap<DataNeed, PoolData>,
    pub(crate) fronts: Fronts,
}

impl Run {
    /// Finds a row's model and measures it.
    pub(crate) fn measure(
        &self,
        plan: &CellPlan<'_>,
        bench: &Workbench,
        prepared: &PreparedPool,
        models: &ModelStore,
        worker: &dyn Worker,
    ) -> Result<Measurement, ExperimentError> {
        let start = Instant::now();
        let data = plan.row.strategy.need(self.scale.pairs).map(|need| &prepared.data[&need]);
        let (safety, expert) = match data {
            Some(data) => (data.safety_pairs(), data.expert_pairs()),
            None => Default::default(),
        };
        let tasks = self.experiment.selection(plan.block);
        let environment = Environment {
            members: &prepared.pool,
            objective: &PoolObjective { bench, safety: &safety, expert: &expert, tasks: &tasks },
            trainer: &WorldTrainer(&*bench.world),
            fronts: &prepared.fronts,
            seed: bench.seed,
        };
        let merge_cost = bench.world.costs().merge;
        let all = plan.row.strategy.cost(plan.block.experts.len()).candidates;
        let mut scored = 0;
        let name = format!("{}/{}", plan.block.name, plan.row.name);
        let mut find = || {
            let mut progress = || {
                scored += 1;
                worker.progress(&format!("merge {scored} of {all}"), scored as u64 * merge_cost);
            };
            Ok(plan.row.strategy.find(&environment, &name, &mut progress)?)
        };
        let model = match &plan.trained {
            Some(id) => models.load_or_make(id, find)?,
            None => find()?,
        };
        worker.progress("evaluating", scored as u64 * merge_cost);
        let loaded = bench.model(&model.weights)?;
        let mut evaluation = Evaluation::new(bench, &loaded);
        let scores = self.scores(plan, bench, &prepared.pool, &model, &mut evaluation)?;
        Ok(Measurement {
            id: plan.id.clone(),
            block: plan.block.name.clone(),
            row: plan.row.name.clone(),
            seed: bench.seed,
            scores,
            weights_sha256: sha256_of_state_dict(&model.weights),
            detail: model.found.detail,
            trace: model.found.trace,
            samples: evaluation.samples(),
            wall_seconds: start.elapsed().as_secs_f64(),
        })
    }

    /// Scores by column.
    pub(crate) fn scores(
        &self,
        plan: &CellPlan<'_>,
        bench: &Workbench,
        pool: &Members,
        model: &FoundModel,
        evaluation: &mut Evaluation<'_>,
    ) -> Result<BTreeMap<String, Score>, ExperimentError> {
        let likeness = Likeness {
            bench,
            pool,
            weights: &model.weights,
            model: evaluation.model(),
            part: plan.block.part.clone().unwrap_or_default(),
            states: OnceCell::new(),
        };
        let mut scores = BTreeMap::new();
        for column in &self.experiment.columns {
            let score = match (column.to, &column.key) {
                (Some(to), _) => likeness.score(column.metric, to)?,
                (_, Some(key)) => model.found.detail.get(key).map(|&value| Score::number(value)),
                _ => evaluation.score(plan.block, column)?,
            };
            scores.extend(score.map(|score| (column.name.clone(), score)));
        }
        for column in self.experiment.columns.iter().filter(|column| column.metric == Metric::Mean) {
            let of: Vec<&Score> = column.of.iter().filter_map(|name| scores.get(name)).collect();
            let mean = Score::mean(&of).ok_or_else(|| ExperimentError::Inconsistent {
                path: self.name().into(),
                what: format!("column `{}`: its columns have test sets of different sizes", column.name),
            })?;
            scores.insert(column.name.clone(), mean);
        }
        Ok(scores)
    }
}
