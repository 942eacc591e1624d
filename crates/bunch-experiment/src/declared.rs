//! What an experiment declares: its rows, columns, blocks, figures and scales, as read from its file.

pub(crate) mod column;
pub(crate) mod derived;
pub(crate) mod experiment;
pub(crate) mod figure_spec;
pub(crate) mod scale;
