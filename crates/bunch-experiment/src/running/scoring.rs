//! What a run's cells score.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::time::Instant;

use bunch_checkpoint::sha256_of_state_dict;
use bunch_recipe::Pool;

use crate::criterion::Criterion;
use crate::declared::column::Metric;
use crate::front_search::Fronts;
use crate::planning::cells::CellPlan;
use crate::recording::measurement::{Measurement, Score};
use crate::running::data::PoolData;
use crate::running::evaluation::Evaluation;
use crate::running::likeness::Likeness;
use crate::running::model_store::ModelStore;
use crate::running::schedule::Worker;
use crate::weighting::{DataNeed, Weighted};
use crate::workbench::Workbench;
use crate::{ExperimentError, Run};

/// A pool ready to be merged, and the data that rows look at.
pub(crate) struct PreparedPool {
    pub(crate) pool: Pool,
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
        let data = plan.row.weighting.need(self.scale.pairs).map(|need| &prepared.data[&need]);
        let (safety, expert) = match data {
            Some(data) => (data.safety_pairs(), data.expert_pairs()),
            None => Default::default(),
        };
        let tasks = self.experiment.selection(plan.block);
        let criterion = Criterion {
            pool: &prepared.pool,
            bench,
            safety: &safety,
            expert: &expert,
            tasks: &tasks,
            fronts: &prepared.fronts,
        };
        let merge_cost = bench.world.costs().merge;
        let all = plan.row.weighting.evaluations(plan.block.experts.len());
        let mut scored = 0;
        let name = format!("{}/{}", plan.block.name, plan.row.name);
        let mut find = || {
            plan.row.weighting.find(&criterion, &name, bench.seed, &mut || {
                scored += 1;
                worker.progress(&format!("merge {scored} of {all}"), scored as u64 * merge_cost);
            })
        };
        let weighted = match &plan.trained {
            Some(id) => models.load_or_make(id, find)?,
            None => find()?,
        };
        worker.progress("evaluating", scored as u64 * merge_cost);
        let model = bench.model(&weighted.weights)?;
        let mut evaluation = Evaluation::new(bench, &model);
        let scores = self.scores(plan, bench, &prepared.pool, &weighted, &mut evaluation)?;
        Ok(Measurement {
            id: plan.id.clone(),
            block: plan.block.name.clone(),
            row: plan.row.name.clone(),
            seed: bench.seed,
            scores,
            weights_sha256: sha256_of_state_dict(&weighted.weights),
            detail: weighted.found.detail,
            trace: weighted.found.trace,
            samples: evaluation.samples(),
            wall_seconds: start.elapsed().as_secs_f64(),
        })
    }

    /// Scores by column.
    pub(crate) fn scores(
        &self,
        plan: &CellPlan<'_>,
        bench: &Workbench,
        pool: &Pool,
        weighted: &Weighted,
        evaluation: &mut Evaluation<'_>,
    ) -> Result<BTreeMap<String, Score>, ExperimentError> {
        let likeness = Likeness {
            bench,
            pool,
            weights: &weighted.weights,
            model: evaluation.model(),
            part: plan.block.part.clone().unwrap_or_default(),
            states: OnceCell::new(),
        };
        let mut scores = BTreeMap::new();
        for column in &self.experiment.columns {
            let score = match (column.to, &column.key) {
                (Some(to), _) => likeness.score(column.metric, to)?,
                (_, Some(key)) => weighted.found.detail.get(key).map(|&value| Score::number(value)),
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
