//! The figures of an experiment, drawn.

use bunch_report::{Cell, Figure, FigureSpec, Published, TableSpec};

use crate::ExperimentError;
use crate::experiment::Experiment;
use crate::measurement::Measurement;
use crate::provenance::Provenance;

/// What figures are drawn from.
pub(crate) struct Drawn<'a> {
    pub(crate) experiment: &'a Experiment,
    pub(crate) spec: &'a TableSpec,
    pub(crate) cells: &'a [Cell],
    pub(crate) published: &'a [Published],
}

impl Drawn<'_> {
    /// The files of all figures, as SVG and PNG.
    pub(crate) fn files(
        &self,
        _measurements: &[Measurement],
        _provenance: &Provenance,
    ) -> Result<Vec<(String, Vec<u8>)>, ExperimentError> {
        let mut files = Vec::new();
        if let Some(axes) = &self.experiment.figure {
            let title = self.spec.title.clone();
            let figure = FigureSpec { title, x: axes.x.clone(), y: axes.y.clone(), rows: Vec::new() };
            let figure = Figure::new(&figure, self.spec, self.cells, self.published)?;
            files.push(("figure.svg".into(), figure.svg()?.into_bytes()));
            files.push(("figure.png".into(), figure.png()?));
        }
        Ok(files)
    }
}
