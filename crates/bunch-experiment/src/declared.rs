//! What an experiment declares: its rows, columns, blocks, figures and scales, as read from its file.

pub(crate) mod block;
pub(crate) mod check;
pub(crate) mod column;
pub(crate) mod derived;
pub(crate) mod experiment;
pub(crate) mod experts;
pub(crate) mod figure_spec;
pub(crate) mod pool_names;
pub(crate) mod row;
pub(crate) mod scale;
pub(crate) mod table_layout;
pub(crate) mod variant;
pub(crate) mod wire_name;
