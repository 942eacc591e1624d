//! `bunch train`: fine-tunes a model, or an adapter to it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail};
use bunch_checkpoint::{Checkpoint, names_module};
use bunch_lm::{Tokenizer, text_files};
use bunch_transformer::LoraConfig;
use bunch_tuning::{
    ConversationFile, Encoding, FineTuning, Format, Observer, PreferenceFile, PreferenceLoss, Schedule, SftConfig,
    TooLong, TrainingData,
};
use indicatif::ProgressBar;

use crate::arguments::{
    EncodingOptions, FormatOption, PreferenceArguments, SftArguments, TooLongOption, TrainingArguments,
};
use crate::interruption::stop_flag;
use crate::loaded_model::{check_config, use_threads};
use crate::memory::check_memory;
use crate::model_place::model_place;
use crate::progress;

/// AdamW's decay rates, which nobody changes.
const BETAS: [f32; 2] = [0.9, 0.999];
/// Bytes of a weight that is left as it is, in f32.
const BYTES_PER_WEIGHT: u64 = 4;
/// Bytes that a trained weight takes in f32: itself, its gradient, and AdamW's mean and square.
const BYTES_PER_TRAINED_WEIGHT: u64 = 16;

/// Usual learning rates, of all weights and of an adapter. Those of preferences are TRL's and ten times that.
const ANSWER_RATES: [f64; 2] = [2e-5, 1e-4];
const PREFERENCE_RATES: [f64; 2] = [1e-6, 1e-5];

/// Fine-tunes on the answers of conversations.
pub fn sft(arguments: &SftArguments) -> Result<()> {
    let training = Training::open(&arguments.training)?;
    let encoded = training.encoding.encode(&ConversationFile::read(&arguments.data)?, &training.tokenizer)?;
    warn_cut(&arguments.data, "conversations", &encoded.cut_lines);
    let learned: usize = encoded.examples.iter().map(|example| example.learned_tokens()).sum();
    let size = format!("{} conversations, {learned} tokens to learn", encoded.examples.len());
    let sft = config(&arguments.training, encoded.examples.len(), ANSWER_RATES)?;
    training.run(&sft, TrainingData::Answers(&encoded.examples), &size)
}

/// Trains on preferences by direct preference optimisation.
pub fn dpo(arguments: &PreferenceArguments) -> Result<()> {
    preferences(arguments, &PreferenceLoss::Dpo { beta: arguments.beta })
}

/// Trains on preferences by odds ratio preference optimisation.
pub fn orpo(arguments: &PreferenceArguments) -> Result<()> {
    preferences(arguments, &PreferenceLoss::Orpo { beta: arguments.beta })
}

fn preferences(arguments: &PreferenceArguments, loss: &PreferenceLoss) -> Result<()> {
    let training = Training::open(&arguments.training)?;
    let encoded = training.encoding.encode_pairs(&PreferenceFile::read(&arguments.data)?, &training.tokenizer)?;
    warn_cut(&arguments.data, "pairs", &encoded.cut_lines);
    let size = format!("{} pairs", encoded.examples.len());
    let sft = config(&arguments.training, encoded.examples.len(), PREFERENCE_RATES)?;
    training.run(&sft, TrainingData::Preferences(&encoded.examples, loss), &size)
}

/// Says that sequences were cut.
pub fn warn_cut(data: &Path, what: &str, cut_lines: &[usize]) {
    if let [first, ..] = cut_lines {
        eprintln!("note: {}: {} {what} were cut, the first in line {first}", data.display(), cut_lines.len());
    }
}

/// What a training begins with.
struct Training<'a> {
    arguments: &'a TrainingArguments,
    checkpoint: Checkpoint,
    tokenizer: Tokenizer,
    encoding: Encoding,
}

impl<'a> Training<'a> {
    fn open(arguments: &'a TrainingArguments) -> Result<Self> {
        use_threads(&arguments.run);
        if arguments.out.exists() {
            bail!("{}: already exists", arguments.out.display());
        }
        // Fail before any data are read.
        bunch_transformer::device(&arguments.run.device)?;
        let (checkpoint, tokenizer) = open(&arguments.model)?;
        let encoding = encoding(&arguments.encoding);
        Ok(Self { arguments, checkpoint, tokenizer, encoding })
    }

    /// Trains on `data`, whose `size` is printed, and writes the folder.
    fn run(&self, sft: &SftConfig, data: TrainingData<'_>, size: &str) -> Result<()> {
        let Self { arguments, checkpoint, .. } = self;
        let device = bunch_transformer::device(&arguments.run.device)?;
        check_memory(&arguments.model, &arguments.run, memory(checkpoint, sft))?;
        let fine_tuning = FineTuning {
            checkpoint,
            data,
            sft,
            device: &device,
            out: &arguments.out,
            dtype: arguments.dtype.into(),
            files: text_files(checkpoint.dir(), checkpoint.gguf_metadata()?.as_ref())?,
        };
        if !arguments.run.quiet {
            println!("{size}, {} steps of {}", sft.schedule.steps, sft.batch_size);
        }
        let mut bar = TuningBar::new("training", sft.schedule.steps, "steps", arguments.run.quiet)?;
        let losses = fine_tuning.run(&mut bar)?;
        bar.finish();
        if let (false, [first, .., last]) = (arguments.run.quiet, &losses[..]) {
            println!("loss {first:.3} at the first step, {last:.3} at the last");
        }
        println!("{}", arguments.out.display());
        Ok(())
    }
}

/// A model's files and its tokenizer.
pub fn open(model: &Path) -> Result<(Checkpoint, Tokenizer)> {
    let checkpoint = Checkpoint::open(&model_place(model))?;
    check_config(model, &checkpoint)?;
    let tokenizer = Tokenizer::from_model(checkpoint.dir(), checkpoint.gguf_metadata()?.as_ref());
    let tokenizer = tokenizer.with_context(|| format!("{}: tokenizer", model.display()))?;
    Ok((checkpoint, tokenizer))
}

/// What the options say of how conversations become tokens.
pub fn encoding(options: &EncodingOptions) -> Encoding {
    Encoding {
        format: match options.format {
            FormatOption::ChatTemplate => Format::ChatTemplate,
            FormatOption::Plain => Format::Plain,
        },
        max_tokens: options.max_tokens,
        too_long: match options.too_long {
            TooLongOption::Refuse => TooLong::Refuse,
            TooLongOption::Cut => TooLong::Cut,
        },
    }
}

/// Bytes that the weights and what is kept of each take; activations come on top, as the batch is.
fn memory(checkpoint: &Checkpoint, sft: &SftConfig) -> u64 {
    let is_trained = |name: &str| sft.lora.is_none() && !sft.freeze.iter().any(|module| names_module(name, module));
    let bytes = |name: &str| {
        let values = checkpoint.info(name).map_or(0, |info| info.shape.iter().map(|&size| size as u64).product());
        values * if is_trained(name) { BYTES_PER_TRAINED_WEIGHT } else { BYTES_PER_WEIGHT }
    };
    checkpoint.names().map(bytes).sum()
}

/// How the arguments say that `examples` conversations are learned; `usual_rates` are those of all weights and of an adapter.
fn config(arguments: &TrainingArguments, examples: usize, usual_rates: [f64; 2]) -> Result<SftConfig> {
    for (name, share) in [("--warmup-ratio", arguments.warmup_ratio), ("--final-ratio", arguments.final_ratio)] {
        if !(0.0..=1.0).contains(&share) {
            bail!("{name}: expected a number from 0 to 1, got {share}");
        }
    }
    if arguments.batch_size == 0 {
        bail!("--batch-size: expected at least 1, got 0");
    }
    let steps = match arguments.steps {
        Some(steps) => steps as usize,
        None => (examples * arguments.epochs as usize).div_ceil(arguments.batch_size),
    };
    let lora = arguments.lora_rank.map(|rank| LoraConfig {
        rank: rank as usize,
        alpha: arguments.lora_alpha.unwrap_or(2.0 * f64::from(rank)),
        use_rslora: false,
        target_modules: arguments.target_modules.iter().cloned().collect(),
    });
    let usual_rate = usual_rates[usize::from(lora.is_some())];
    Ok(SftConfig {
        schedule: Schedule {
            peak: arguments.learning_rate.unwrap_or(usual_rate),
            warmup: (arguments.warmup_ratio * steps as f64).round() as usize,
            steps,
            floor: arguments.final_ratio,
        },
        batch_size: arguments.batch_size,
        micro_batch_size: arguments.micro_batch_size,
        betas: BETAS,
        weight_decay: arguments.weight_decay,
        max_grad_norm: arguments.max_grad_norm,
        check_every: 0,
        save_every: arguments.save_every,
        seed: arguments.seed,
        lora,
        freeze: arguments.freeze.clone(),
        average: None,
    })
}

/// The progress of a training run.
pub struct TuningBar {
    title: &'static str,
    bar: ProgressBar,
    stop: Arc<AtomicBool>,
}

impl TuningBar {
    /// Of so many steps, which Ctrl-C ends in order.
    pub fn new(title: &'static str, steps: usize, unit: &str, quiet: bool) -> Result<Self> {
        Ok(Self { title, bar: progress::bar(title, steps as u64, unit, quiet), stop: stop_flag()? })
    }

    /// Removes it.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Observer for TuningBar {
    fn step(&mut self, step: usize, _steps: usize, loss: f64) {
        self.bar.set_position(step as u64);
        self.bar.set_prefix(format!("{}, loss {loss:.3}", self.title));
    }

    fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}
