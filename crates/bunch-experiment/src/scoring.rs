//! What a run needs, and what its cells score.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use bunch_recipe::Pool;

use crate::evaluation::Evaluation;
use crate::experiment::Block;
use crate::likeness::Likeness;
use crate::measurement::Score;
use crate::metric::Metric;
use crate::planning::{CellPlan, helpers, members};
use crate::weighting::{DataNeed, Weighted};
use crate::workbench::Workbench;
use crate::world::{in_order, line};
use crate::{ExperimentError, Run};

impl Run {
    /// Scores by column.
    pub(crate) fn scores(
        &self,
        plan: &CellPlan<'_>,
        bench: &Workbench,
        pool: &Pool,
        found: &Weighted,
        evaluation: &mut Evaluation<'_>,
    ) -> Result<BTreeMap<String, Score>, ExperimentError> {
        let likeness = Likeness {
            bench,
            pool,
            weights: &found.weights,
            model: evaluation.model(),
            part: plan.block.part.clone().unwrap_or_default(),
            states: OnceCell::new(),
        };
        let mut scores = BTreeMap::new();
        for column in &self.experiment.columns {
            let score = match (column.to, &column.key) {
                (Some(to), _) => likeness.score(column.metric, to)?,
                (_, Some(key)) => found.detail.get(key).map(|&value| Score::number(value)),
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

    /// The data that rows look at, block by block.
    pub(crate) fn data_needs(&self) -> Vec<(&Block, DataNeed)> {
        let mut needs: Vec<(&Block, DataNeed)> = Vec::new();
        for (block, row) in self.experiment.places() {
            let need = row.weighting.need(self.scale.pairs).map(|need| (block, need));
            needs
                .extend(need.filter(|(_, need)| !needs.iter().any(|(other, n)| other.name == block.name && n == need)));
        }
        needs
    }

    /// The models of the world that the cells need, each with the position of its seed's workbench.
    ///
    /// Parents of all seeds come first: children of one seed then train beside parents of another.
    pub(crate) fn wanted(
        &self,
        benches: &[Workbench],
        plans: &[&CellPlan<'_>],
    ) -> Result<Vec<(String, usize)>, ExperimentError> {
        let mut by_bench = vec![Vec::new(); benches.len()];
        for plan in plans {
            let bench = &benches[plan.bench];
            let pool = members(plan.block, &self.scale);
            let pool = pool.iter().flat_map(|member| bench.ingredients(member));
            for member in pool.chain(helpers(&self.experiment, plan.row)) {
                by_bench[plan.bench].extend(line(&*bench.world, &member)?);
            }
        }
        let Some(first) = benches.first() else { return Ok(Vec::new()) };
        let order = in_order(&*first.world, &by_bench.concat());
        let pairs = order.into_iter().flat_map(|member| (0..benches.len()).map(move |bench| (member.clone(), bench)));
        Ok(pairs.filter(|(member, bench)| by_bench[*bench].contains(member)).collect())
    }
}
