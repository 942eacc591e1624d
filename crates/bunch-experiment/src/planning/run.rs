//! An experiment about to be run: its file, at a scale, with what the options change.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bunch_checkpoint::sha256_bytes;
use bunch_evolution::Sizes;

use crate::ExperimentError;
use crate::declared::experiment::Experiment;
use crate::declared::scale::Scale;
use crate::declared::variant::{USUAL_DEVICE, Variant};

/// How an experiment is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which scale of the experiment.
    pub scale: String,
    /// Seeds instead of the scale's own.
    pub seeds: Option<Vec<u64>>,
    /// Device by name.
    pub device: String,
    /// Threads that work side by side; one for each core unless given.
    pub jobs: Option<usize>,
    /// Upper limit on every test set, dev set and on K: a quick look through the same code.
    pub limit: Option<usize>,
    /// Whether everything is made again, models included.
    pub fresh: bool,
    /// Whether results of another specification are replaced.
    pub overwrite: bool,
    /// Folder of models, data and cells.
    pub cache: PathBuf,
    /// Folder of results.
    pub results: PathBuf,
    /// Folder of models that the user fetched: a pretrained one to start from, or those of a pool.
    pub models: PathBuf,
    /// Folder of published prompts and data sets, for pools that name them.
    pub data: PathBuf,
    /// For the manifest.
    pub command_line: Vec<String>,
}

/// An experiment about to be run.
#[derive(Clone)]
pub struct Run {
    pub(crate) root: PathBuf,
    pub(crate) name: String,
    pub(crate) experiment: Experiment,
    pub(crate) scale: Scale,
    pub(crate) options: Options,
    /// The scale, and what was changed about it: the name of the results folder.
    pub(crate) variant: Variant,
}

impl Run {
    /// `<paper>/<item>`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The scale, and what was changed about it: the name of the results folder.
    pub fn variant(&self) -> &Variant {
        &self.variant
    }

    /// Reads the experiment `name` (`<paper>/<item>`) below `root` and checks the options against it.
    ///
    /// # Errors
    /// Unknown experiments and scales, options out of range, results of another specification in the way.
    pub fn new(root: &Path, name: &str, options: Options) -> Result<Self, ExperimentError> {
        let experiment = Experiment::load(root, name)?;
        let mut scale = experiment.scale(&options.scale)?.clone();
        let mut variant = Variant::of(&*options.scale);
        let refuse = |option, got: String, expected| Err(ExperimentError::Option { option, got, expected });
        if let Some(seeds) = &options.seeds {
            let mut sorted = seeds.clone();
            sorted.sort_unstable();
            sorted.dedup();
            if sorted.is_empty() || sorted.len() != seeds.len() {
                return refuse("seeds", format!("{seeds:?}"), "one or more different seeds");
            }
            if *seeds != scale.seeds {
                variant.seeds = Some(seeds.clone());
                scale.seeds = seeds.clone();
            }
        }
        if let Some(limit) = options.limit {
            if limit == 0 {
                return refuse("limit", "0".into(), "at least 1");
            }
            for size in scale.sizes() {
                *size = limit.min(*size);
            }
            variant.limit = Some(limit);
        }
        if options.device != USUAL_DEVICE {
            bunch_transformer::device(&options.device)?;
            variant.device.clone_from(&options.device);
        }
        if options.jobs == Some(0) {
            return refuse("jobs", "0".into(), "at least 1");
        }
        let mut experiment = experiment.at(&scale);
        if let Some(limit) = options.limit {
            let sizes = Sizes { max_pairs: Some(limit), ..Sizes::default() };
            experiment.rows.iter_mut().for_each(|row| row.strategy.resize(&sizes));
        }
        Ok(Self { root: root.into(), name: name.into(), experiment, scale, options, variant })
    }

    /// Hash of everything that the experiment's file and the options decide; the analysis, written after the fact, is not part of it.
    pub fn spec_sha256(&self) -> String {
        let mut experiment = self.experiment.clone();
        experiment.analysis.clear();
        let scale = Scale { analysis: None, ..self.scale.clone() };
        experiment.scale = BTreeMap::from([(self.options.scale.clone(), scale)]);
        sha256_bytes(serde_json::to_string(&(experiment, &self.variant)).expect("plain data").as_bytes())
    }
}
