//! Schemes: pools, vectors, stages and prompts as drawings of what was measured.

use crate::ExperimentError;
use crate::drawing::{PoolScheme, Prompts, Stages};
use crate::drawn::{Drawn, File};
use crate::provenance::Provenance;

pub(crate) fn pool(_: &Drawn<'_>, _: &str, _: &str, _: &PoolScheme) -> Result<Vec<File>, ExperimentError> {
    Ok(Vec::new())
}

pub(crate) fn vectors(_: &Drawn<'_>, _: &str, _: &str, _: &PoolScheme) -> Result<Vec<File>, ExperimentError> {
    Ok(Vec::new())
}

pub(crate) fn stages(_: &str, _: &str, _: &Stages, _: &Provenance) -> Result<Vec<File>, ExperimentError> {
    Ok(Vec::new())
}

pub(crate) fn prompts(_: &str, _: &str, _: &Prompts, _: &Provenance) -> Result<Vec<File>, ExperimentError> {
    Ok(Vec::new())
}
