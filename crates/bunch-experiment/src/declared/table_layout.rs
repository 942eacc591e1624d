//! The layout of an experiment's table.

use bunch_report::{BlockSpec, ColumnSpec, Missing, RowSpec, SeedGroups, TableSpec};
use bunch_zoo::miniature::trunk_of;

use crate::declared::column::{Column, Metric};
use crate::declared::experiment::Experiment;
use crate::declared::row::Row;
use crate::declared::scale::{Scale, WorldKind};

impl Experiment {
    /// Why rows have no number in columns that show what a search reports, or where a task vector points.
    fn without_number(&self) -> Vec<Missing> {
        let reason = |row: &Row, column: &Column| match column.metric {
            Metric::Detail if !row.strategy.reports_losses() => Some("no search"),
            // The base's own task vector is zero.
            Metric::TaskCosine | Metric::SignAgreement if row.strategy.is_base() => Some("no direction"),
            _ => None,
        };
        let missing = |column: &Column, row: &Row| Missing {
            row: row.name.clone(),
            column: Some(column.name.clone()),
            block: None,
            reason: reason(row, column).unwrap_or_default().into(),
        };
        let of_column = |column| self.rows.iter().filter(move |row| reason(row, column).is_some());
        self.columns.iter().flat_map(|column| of_column(column).map(move |row| missing(column, row))).collect()
    }

    /// What seeds of a scale have in common: in the miniature world, the trunk that their base is trained from.
    pub(crate) fn seed_groups(&self, scale: &str) -> SeedGroups {
        let is_trained = |scale: &&Scale| scale.world == WorldKind::Miniature && scale.pools.is_empty();
        match self.scale.get(scale).filter(is_trained) {
            Some(_) => SeedGroups { name: "trunks", of: |seed| trunk_of(seed) as u64 },
            None => SeedGroups::NONE,
        }
    }

    /// The table's layout; `scale` goes into its title.
    pub(crate) fn table_spec(&self, scale: &str) -> TableSpec {
        TableSpec {
            title: format!("{} ({scale})", self.title),
            blocks: (self.blocks.iter())
                .map(|block| BlockSpec {
                    name: block.name.clone(),
                    title: block.title.clone(),
                    rows: block.rows.clone(),
                })
                .collect(),
            rows: (self.rows.iter())
                .map(|row| RowSpec {
                    name: row.name.clone(),
                    label: row.label.clone(),
                    group: row.group.clone(),
                    baseline: row.baseline.clone(),
                    shape: row.shape,
                })
                .collect(),
            columns: (self.columns.iter())
                .map(|column| ColumnSpec {
                    name: column.name.clone(),
                    label: column.label.clone(),
                    unit: column.unit.clone(),
                    decimals: column.decimals,
                })
                .collect(),
            missing: self.without_number(),
        }
    }
}
