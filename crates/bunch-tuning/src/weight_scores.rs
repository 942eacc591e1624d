//! How much each weight matters to a model's answers: scores for merges that read them.

use std::path::Path;
use std::sync::Arc;

use burn::optim::GradientsParams;
use burn::tensor::Device;
use serde::Serialize;
use serde_json::json;

use bunch_checkpoint::{Checkpoint, CheckpointError, ModelDirectory, StateDict, Tensor};
use bunch_transformer::{Llama, LlamaConfig, gradients};

use crate::loss::loss_share;
use crate::{Example, Observer, TuningError};

/// How the scores came about, next to them.
const RECORD: &str = "bunch_importance.json";

/// What a weight's score is. The gradient is that of an answer's log-likelihood, in nats, summed over its tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WeightScore {
    /// The mean square of the gradient: the diagonal of the empirical Fisher information (Matena and Raffel 2022).
    Fisher,
    /// The weight's magnitude times the mean magnitude of the gradient, as SNIP has it (LED-Merging, Ma et al. 2025).
    Led,
}

/// Computes a score for each weight of a model and writes them to a folder like the model's, in f32.
///
/// Examples go through the model one by one, in their order: the result does not depend on the number of threads.
#[derive(Debug, Clone, Copy)]
pub struct WeightScoring<'a> {
    /// The model.
    pub checkpoint: &'a Checkpoint,
    /// The answers that the weights matter to.
    pub examples: &'a [Example],
    /// What a score is.
    pub score: WeightScore,
    /// Where the model runs; without recording of gradients, which is turned on.
    pub device: &'a Device,
}

impl WeightScoring<'_> {
    /// Writes the folder `out`, which must not be there yet; `observer` sees each example as a step, with its loss.
    ///
    /// # Errors
    /// As [`scores`](Self::scores); a folder that is there already; failing I/O.
    pub fn write(&self, out: &Path, observer: &mut dyn Observer) -> Result<(), TuningError> {
        if out.exists() {
            return Err(CheckpointError::AlreadyExists { dir: out.into() }.into());
        }
        let scores = self.scores(observer)?;
        let record = json!({
            "bunch": env!("CARGO_PKG_VERSION"),
            "model": self.checkpoint.dir(),
            "score": self.score,
            "examples": self.examples.len(),
        });
        let mut directory = ModelDirectory::new(self.checkpoint.config().clone(), &scores);
        let record = serde_json::to_string_pretty(&record).expect("plain data") + "\n";
        directory.files.insert(RECORD.into(), record.into_bytes());
        Ok(directory.write(out)?)
    }

    /// The scores by tensor, in the layout of the file.
    ///
    /// # Errors
    /// No examples, or some that the model cannot read; weights that do not fit their configuration; a loss that is not
    /// finite; an interruption.
    pub fn scores(&self, observer: &mut dyn Observer) -> Result<StateDict, TuningError> {
        let config = LlamaConfig::from_json(self.checkpoint.config())?;
        if self.examples.is_empty() {
            return Err(TuningError::Example { index: 0, what: "there are no examples".into() });
        }
        self.examples.iter().enumerate().try_for_each(|(index, example)| example.check(index, &config))?;
        let model = Llama::from_checkpoint(self.checkpoint, &self.device.clone().autodiff())?;
        let weights = model.to_state_dict();
        let count = self.examples.len() as f64;
        let mut sums: Vec<Vec<f64>> = weights.values().map(|tensor| vec![0.0; tensor.data.len()]).collect();
        for (step, example) in self.examples.iter().enumerate() {
            let loss = loss_share(&model, &[example], 1);
            let found = gradients(&model, &GradientsParams::from_grads(loss.backward(), &model));
            let loss = f64::from(loss.into_scalar::<f32>());
            if !loss.is_finite() {
                return Err(TuningError::Diverged { step, loss });
            }
            for (sums, gradient) in sums.iter_mut().zip(weights.keys().map(|name| found.get(name))) {
                for (sum, value) in sums.iter_mut().zip(gradient.iter().flat_map(|tensor| tensor.data.iter())) {
                    let value = f64::from(*value);
                    *sum += if self.score == WeightScore::Fisher { value * value } else { value.abs() };
                }
            }
            observer.step(step + 1, self.examples.len(), loss);
            if observer.is_stopping() {
                return Err(TuningError::Interrupted { step: step + 1, saved: false });
            }
        }
        let scored = |((name, weights), sums): ((String, Tensor), Vec<f64>)| {
            let factor = |weight: f32| if self.score == WeightScore::Fisher { 1.0 } else { f64::from(weight.abs()) };
            let scores = weights.data.iter().zip(sums).map(|(weight, sum)| (factor(*weight) * sum / count) as f32);
            (name, Tensor { shape: weights.shape, data: Arc::new(scores.collect()) })
        };
        Ok(weights.into_iter().zip(sums).map(scored).collect())
    }
}
