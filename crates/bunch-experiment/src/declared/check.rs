//! Whether every name in an experiment is declared, and nothing contradicts anything else.

use std::collections::BTreeSet;
use std::path::Path;

use bunch_evolution::{DataNeed, Source};

use crate::ExperimentError;
use crate::declared::column::Metric;
use crate::declared::experiment::Experiment;
use crate::declared::figure_spec::{Drawing, DrawingKind};
use crate::declared::pool_names::{GUARD, HARMFUL};
use crate::declared::scale::WorldKind;

impl Experiment {
    /// A derived model comes after those that it is made of, so that none is made of itself.
    fn check_derived(&self) -> Result<(), String> {
        for (index, derived) in self.derived.iter().enumerate() {
            let name = &derived.name;
            let later = &self.derived[index..];
            if let Some(of) = derived.of.iter().find(|of| later.iter().any(|later| later.name == **of)) {
                return Err(format!("model `{name}` is made of `{of}`, which is not made before it"));
            }
            if self.derived[..index].iter().any(|other| other.name == *name) {
                return Err(format!("two models are called `{name}`"));
            }
            let Some(experts) = derived.of.len().checked_sub(1) else {
                return Err(format!("model `{name}` is made of nothing"));
            };
            if !derived.merge.info().roles.is_empty() {
                return Err(format!(
                    "model `{name}`: `of` is a list, and {} knows its models by role",
                    derived.merge.info().name
                ));
            }
            derived.merge.validate(experts).map_err(|error| format!("model `{name}`: {error}"))?;
        }
        Ok(())
    }

    fn check_columns(&self) -> Result<(), String> {
        for column in &self.columns {
            let (name, metric) = (&column.name, column.metric);
            if metric.is_likeness() != column.to.is_some() {
                return Err(format!("column `{name}`: `to` belongs to metrics of likeness, which need it"));
            }
            if (metric == Metric::Detail) != column.key.is_some() {
                return Err(format!("column `{name}`: `key` belongs to metric \"detail\", which needs it"));
            }
            if (metric == Metric::Mean) == column.of.is_empty() {
                return Err(format!("column `{name}`: `of` belongs to metric \"mean\", which needs it"));
            }
            let is_plain = |of: &&String| {
                let other = self.columns.iter().find(|other| other.name == **of);
                other.is_none_or(|other| other.metric == Metric::Mean || other.metric == Metric::Detail)
            };
            if let Some(of) = column.of.iter().find(is_plain) {
                return Err(format!("column `{name}`: `{of}` is no column of scores"));
            }
            if let Some(to) = column.to
                && let Some(block) = self.blocks.iter().find(|block| to > block.experts.len())
            {
                return Err(format!("column `{name}`: block `{}` has no member {to}", block.name));
            }
            if (column.judge != GUARD || column.category.is_some()) && !metric.is_safety() {
                return Err(format!("column `{name}`: `judge` and `category` belong to metrics of safety"));
            }
            if column.prompts != HARMFUL && column.asked() != Some(&column.prompts) {
                return Err(format!("column `{name}`: `prompts` belongs to metrics of safety and to \"babble_rate\""));
            }
        }
        Ok(())
    }

    /// Refuses names that are not declared, and contradictions; `path` is where the experiment was read from.
    pub(crate) fn check(&self, path: &Path) -> Result<(), ExperimentError> {
        let fail = |what: String| Err(ExperimentError::Inconsistent { path: path.into(), what });
        if let Some(name) = self.scale.keys().find(|name| name.contains('-')) {
            return fail(format!("scale `{name}`: a hyphen, at which names of results folders are taken apart"));
        }
        let table = self.table_spec("check");
        table.validate()?;
        for claim in &self.claims {
            claim.validate(&table)?;
        }
        let has_column = |name: &String| self.columns.iter().any(|column| column.name == *name);
        for name in self.figure.iter().flat_map(|axes| [&axes.x, &axes.y]) {
            if !has_column(name) {
                return fail(format!("figure: unknown column `{name}`"));
            }
        }
        self.check_columns().or_else(fail)?;
        self.check_derived().or_else(fail)?;
        let mut names = BTreeSet::from_iter(self.figure.is_some().then_some("figure"));
        for drawing in &self.drawings {
            if !names.insert(&drawing.name) {
                return fail(format!("two drawings are called `{}`", drawing.name));
            }
            self.check_drawing(drawing).or_else(|what| fail(format!("drawing `{}`: {what}", drawing.name)))?;
        }
        for (name, scale) in &self.scale {
            if scale.seeds.is_empty() {
                return fail(format!("scale `{name}`: no seeds"));
            }
            let known = |name: &String| self.blocks.iter().any(|block| block.name == *name);
            if let Some(unknown) = scale.blocks.iter().flatten().find(|name| !known(name)) {
                return fail(format!("scale `{name}`: unknown block `{unknown}`"));
            }
            if scale.blocks.as_ref().is_some_and(Vec::is_empty) {
                return fail(format!("scale `{name}`: no blocks"));
            }
            if let Some(unknown) = scale.pools.keys().find(|name| !known(name)) {
                return fail(format!("scale `{name}`: `pools` names the unknown block `{unknown}`"));
            }
            if (scale.world == WorldKind::Small) != scale.base.is_some() {
                return fail(format!("scale `{name}`: `base` belongs to world \"small\", which needs it"));
            }
            for block in self.blocks.iter().filter(|block| scale.runs(&block.name)) {
                if !scale.pools.is_empty() && !scale.pools.contains_key(&block.name) {
                    return fail(format!("scale `{name}`: `pools` has none for block `{}`", block.name));
                }
                for model in [&block.base].into_iter().chain(&*block.experts) {
                    let is_derived = self.derived.iter().any(|derived| derived.name == *model);
                    let stands_for_itself = !scale.pools.is_empty();
                    if !is_derived && !stands_for_itself && !scale.models.contains_key(model) {
                        return fail(format!(
                            "scale `{name}` says nothing of model `{model}` of block `{}`",
                            block.name
                        ));
                    }
                }
                if let Some(task) = block.select_on.iter().find(|task| !scale.tasks.contains_key(*task)) {
                    return fail(format!("scale `{name}` says nothing of task `{task}` of block `{}`", block.name));
                }
                for column in self.columns.iter().filter(|column| column.metric == Metric::Acc) {
                    let Some(task) = block.tasks.get(&column.name) else {
                        return fail(format!("block `{}` has no task for column `{}`", block.name, column.name));
                    };
                    if !scale.tasks.contains_key(task) {
                        return fail(format!("scale `{name}` says nothing of task `{task}` of block `{}`", block.name));
                    }
                }
            }
        }
        let on_grids: BTreeSet<&str> = self.rows.iter().flat_map(|row| row.strategy.grid_parameters()).collect();
        for (name, scale) in &self.scale {
            if let Some(unknown) = scale.grid.keys().find(|parameter| !on_grids.contains(parameter.as_str())) {
                return fail(format!("scale `{name}`: no row has a grid with `{unknown}`"));
            }
            let experiment = self.at(scale);
            for (block, row) in experiment.places() {
                let place = || format!("scale `{name}`, row `{}` of block `{}`", row.name, block.name);
                row.check(block).or_else(|what| fail(format!("{}: {what}", place())))?;
            }
        }
        Ok(())
    }

    /// Refuses a figure with names that are not declared.
    fn check_drawing(&self, drawing: &Drawing) -> Result<(), String> {
        let unknown = |what: &str, known: Vec<&String>, names: Vec<&String>| {
            let unknown = names.into_iter().find(|name| !known.contains(name));
            unknown.map_or(Ok(()), |name| Err(format!("unknown {what} `{name}`")))
        };
        let (columns, rows): (Vec<&String>, Vec<&String>) = match &drawing.draw {
            DrawingKind::Scatter(axes) => (vec![&axes.x, &axes.y], axes.rows.iter().collect()),
            DrawingKind::Curve(curve) | DrawingKind::BlockCurve(curve) => (curve.columns.iter().collect(), vec![]),
            DrawingKind::Front(front) => (vec![&front.x, &front.y], front.fronts.values().flatten().collect()),
            DrawingKind::Map(all) | DrawingKind::Dots(all) | DrawingKind::Convergence(all) => {
                (all.columns.iter().collect(), all.rows.iter().collect())
            }
            DrawingKind::Plane(plane) => (vec![&plane.column], vec![]),
            DrawingKind::Pool(pool) => {
                let merges = pool.merges.iter().flat_map(|group| &group.rows);
                (pool.columns.iter().collect(), pool.members.iter().chain(merges).collect())
            }
            DrawingKind::Stages(stages) => (stages.columns.iter().collect(), vec![&stages.row]),
            DrawingKind::Vectors(all) => {
                let columns = [&all.length, &all.cosine_to_expert, &all.cosine_to_aligned];
                let rows = vec![&all.base, &all.expert, &all.aligned, &all.merge];
                (all.columns.iter().chain(columns).collect(), rows)
            }
            DrawingKind::Prompts(_) => Default::default(),
        };
        unknown("column", self.columns.iter().map(|column| &column.name).collect(), columns)?;
        unknown("row", self.rows.iter().map(|row| &row.name).collect(), rows)?;
        let blocks = match &drawing.draw {
            DrawingKind::Map(all) | DrawingKind::Dots(all) | DrawingKind::Convergence(all) => {
                all.blocks.iter().collect()
            }
            _ => vec![],
        };
        unknown("block", self.blocks.iter().map(|block| &block.name).collect(), blocks)?;
        if let DrawingKind::Pool(pool) = &drawing.draw
            && (pool.members.is_empty() || pool.merges.iter().all(|group| group.rows.is_empty()))
        {
            return Err("a pool has members and merges".into());
        }
        let generates = match &drawing.draw {
            DrawingKind::Stages(stages) => generates_data(self, Some(&stages.row)),
            DrawingKind::Prompts(_) => generates_data(self, None),
            _ => true,
        };
        if !generates {
            return Err("its merge looks at no data generated in the scale's number of pairs".into());
        }
        let (of_rows, of_blocks): (Vec<&String>, Vec<&String>) = match &drawing.draw {
            DrawingKind::Curve(curve) => (vec![&curve.x], vec![]),
            DrawingKind::BlockCurve(curve) => (vec![], vec![&curve.x]),
            DrawingKind::Plane(plane) => (vec![&plane.x, &plane.y], vec![]),
            _ => Default::default(),
        };
        unknown("coordinate of rows", self.rows.iter().flat_map(|row| row.at.keys()).collect(), of_rows)?;
        unknown("coordinate of blocks", self.blocks.iter().flat_map(|block| block.at.keys()).collect(), of_blocks)
    }
}

/// Whether every block has a row that looks at the data which the scale's K asks for.
fn generates_data(experiment: &Experiment, row: Option<&String>) -> bool {
    let usual = DataNeed { pairs: usize::MAX, source: Source::Generated };
    experiment.blocks.iter().all(|block| {
        let here = |name: &String| block.has_row(name) && row.is_none_or(|row| row == name);
        experiment.rows.iter().any(|row| here(&row.name) && row.strategy.need(usual.pairs) == Some(usual))
    })
}
