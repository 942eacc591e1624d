//! What is kept of a run: measurements, tables, figures, listings, manifests.

pub(crate) mod figures;
pub(crate) mod front;
pub(crate) mod machine;
pub(crate) mod measurement;
pub(crate) mod prompts;
pub(crate) mod provenance;
pub(crate) mod published;
pub(crate) mod results;
pub(crate) mod supplement;
