//! What is kept of a run: measurements, tables, figures, listings, manifests.

pub(crate) mod figures;
pub(crate) mod front;
pub(crate) mod items;
pub(crate) mod measurement;
pub(crate) mod pool_data;
pub(crate) mod prompts;
pub(crate) mod provenance;
pub(crate) mod published;
pub(crate) mod results;
pub(crate) mod supplement;
