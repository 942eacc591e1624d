//! Fine-tuning from one folder to another.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use serde_json::json;

use bunch_checkpoint::{Checkpoint, CheckpointError, Dtype, ModelDirectory, atomic_write};
use bunch_transformer::LlamaModel;

use crate::{
    Decision, Example, Observer, PreferenceExample, PreferenceLoss, PreferenceRun, SftConfig, SftRun, Start, Trained,
    TuningError,
};

/// How the model was trained, next to its weights.
const TRAINING_FILE: &str = "bunch_training.json";

/// What is learned.
#[derive(Debug, Clone, Copy)]
pub enum TrainingData<'a> {
    /// Answers, by supervised fine-tuning.
    Answers(&'a [Example]),
    /// Preferences, by lowering this loss.
    Preferences(&'a [PreferenceExample], &'a PreferenceLoss),
}

/// Trains a checkpoint and writes the trained model, or the adapter in PEFT's layout, to a folder of its own.
///
/// While it runs, its state is in a folder next to that, called `NAME.training`: a run that was cut off, by Ctrl-C or by
/// `kill -9`, continues from the last state when it is called again, and the folder is removed in the end.
#[derive(Debug, Clone)]
pub struct FineTuning<'a> {
    /// What is trained.
    pub checkpoint: &'a Checkpoint,
    /// What it learns.
    pub data: TrainingData<'a>,
    /// How.
    pub sft: &'a SftConfig,
    /// Where it runs.
    pub device: &'a Device,
    /// The folder that is written; it must not be there yet.
    pub out: &'a Path,
    /// How the weights of a model are stored. An adapter's are f32.
    pub dtype: Dtype,
    /// Further files of a model's folder by name: its tokenizer's.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl FineTuning<'_> {
    /// The loss of each step, after the folder has been written.
    ///
    /// # Errors
    /// As [`SftRun::run`] or [`PreferenceRun::run`]; a folder that is there already; failing I/O.
    pub fn run(&self, observer: &mut dyn Observer) -> Result<Vec<f64>, TuningError> {
        if self.out.exists() {
            return Err(CheckpointError::AlreadyExists { dir: self.out.into() }.into());
        }
        let state = self.sibling("training");
        let start = Start::Checkpoint(self.checkpoint);
        let (sft, device, state_dir) = (self.sft, self.device, Some(state.as_path()));
        let mut check = |_: usize, _: &LlamaModel| Ok(Decision::Continue);
        let (outcome, count, loss) = match self.data {
            TrainingData::Answers(examples) => {
                let run = SftRun { start, examples, sft, device, state: state_dir };
                (run.run(observer, &mut check)?, examples.len(), None)
            }
            TrainingData::Preferences(examples, loss) => {
                let run = PreferenceRun { start, examples, loss, sft, device, state: state_dir };
                (run.run(observer, &mut check)?, examples.len(), Some(loss))
            }
        };
        let mut record = json!({
            "bunch": env!("CARGO_PKG_VERSION"),
            "base_model": self.checkpoint.dir(),
            "sft": sft,
            "examples": count,
            "losses": outcome.losses,
        });
        if let Some(loss) = loss {
            record["preference_loss"] = json!(loss);
        }
        let record = (serde_json::to_string_pretty(&record).expect("plain data") + "\n").into_bytes();
        match &outcome.trained {
            Trained::Weights(weights) => {
                let mut directory = ModelDirectory::new(self.checkpoint.config().clone(), weights);
                directory.dtype = self.dtype;
                directory.files = self.files.clone();
                directory.files.insert(TRAINING_FILE.into(), record);
                directory.write(self.out)?;
            }
            Trained::Adapter(adapter) => {
                // The folder is there in full or not at all.
                let partial = self.sibling("partial");
                adapter.write(&partial, &self.checkpoint.dir().display().to_string())?;
                atomic_write(&partial.join(TRAINING_FILE), &record)?;
                let io = |source| TuningError::Io { path: self.out.into(), source };
                std::fs::rename(&partial, self.out).map_err(io)?;
            }
        }
        if state.exists() {
            std::fs::remove_dir_all(&state).map_err(|source| TuningError::Io { path: state, source })?;
        }
        Ok(outcome.losses)
    }

    /// The folder called as the one that is written, with an ending.
    fn sibling(&self, ending: &str) -> PathBuf {
        let mut name = self.out.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{ending}"));
        self.out.with_file_name(name)
    }
}
