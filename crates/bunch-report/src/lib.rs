//! Cells, tables, figures, claims and manifests.
//!
//! Everything here is rendered from [`Cell`]s (one measured number each), the published values and an experiment's
//! declarations; the same input gives the same bytes. Functions return text or bytes, and the caller writes the files.

mod axis;
mod bars;
mod cell;
mod claim;
mod curves;
mod dash;
mod diagram;
mod error;
mod escape;
mod figure;
mod finding;
mod font;
mod frame;
mod heat_map;
mod interval;
mod layout;
mod legend;
mod machine;
mod manifest;
mod marker;
mod page;
mod picture;
mod published;
mod sample_page;
mod spec;
mod summary;
mod table;
mod text_page;
mod verdict;

pub use bars::{BarSeries, Bars};
pub use cell::{Cell, CellIndex, read_cells, write_cells};
pub use claim::{AgainstRow, Claim, NotBelow, Pairs, Rule};
pub use curves::{CurvePanel, CurvePoint, CurveSeries, Curves};
pub use diagram::{Arrow, BoxLine, Diagram, DiagramBox, Tone};
pub use error::ReportError;
pub use figure::{Figure, FigureSpec};
pub use finding::{
    Comparison, Finding, SeedDifference, SeedGroups, evaluate, findings_csv, findings_markdown, findings_terminal,
};
pub use heat_map::HeatMap;
pub use machine::Machine;
pub use manifest::{
    CellRun, DataUse, GitState, MANIFEST_FILE, MANIFEST_SCHEMA_VERSION, Manifest, Mismatch, ModelUse, Output,
    sha256_hex,
};
pub use marker::Shape;
pub use page::{Listing, Measured, Page, PageFigure, PageItem, PagePart};
pub use published::{How, Published};
pub use sample_page::{Sample, SampleAnswer, SamplePage, SamplePart, SampleSection};
pub use spec::{BlockSpec, ColumnSpec, Missing, RowSpec, TableSpec};
pub use summary::Summary;
pub use table::Table;
pub use text_page::{PageSection, Paragraph, TextPage};
pub use verdict::{ComparisonDecision, Verdict};

#[cfg(test)]
mod fixture;
