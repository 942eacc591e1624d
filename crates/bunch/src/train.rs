//! `bunch train`: fine-tunes a model, or an adapter to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, bail};
use bunch_checkpoint::Checkpoint;
use bunch_llama::LoraConfig;
use bunch_lm::{Tokenizer, text_files};
use bunch_tuning::{ConversationFile, Encoding, FineTuning, Format, Observer, Schedule, SftConfig, TooLong};
use indicatif::ProgressBar;

use crate::arguments::{FormatOption, SftArguments, TooLongOption};
use crate::interruption::stop_flag;
use crate::loaded_model::use_threads;
use crate::memory::check_memory;
use crate::progress;

/// AdamW's decay rates, which nobody changes.
const BETAS: [f32; 2] = [0.9, 0.999];
/// Bytes of a weight that is left as it is, in f32.
const BYTES_PER_WEIGHT: u64 = 4;
/// Bytes that a trained weight takes in f32: itself, its gradient, and AdamW's mean and square.
const BYTES_PER_TRAINED_WEIGHT: u64 = 16;

/// Fine-tunes on the answers of conversations.
pub fn sft(arguments: &SftArguments) -> Result<()> {
    use_threads(&arguments.run);
    if arguments.out.exists() {
        bail!("{}: already exists", arguments.out.display());
    }
    let device = bunch_llama::device(&arguments.run.device)?;
    let checkpoint = Checkpoint::open(&arguments.model)?;
    let gguf = checkpoint.gguf_metadata()?;
    let tokenizer = Tokenizer::from_model(checkpoint.dir(), gguf.as_ref())?;
    let encoding = Encoding {
        format: match arguments.format {
            FormatOption::ChatTemplate => Format::ChatTemplate,
            FormatOption::Plain => Format::Plain,
        },
        max_tokens: arguments.max_tokens,
        too_long: match arguments.too_long {
            TooLongOption::Refuse => TooLong::Refuse,
            TooLongOption::Cut => TooLong::Cut,
        },
    };
    let encoded = encoding.encode(&ConversationFile::read(&arguments.data)?, &tokenizer)?;
    if let [first, rest @ ..] = &encoded.cut_lines[..] {
        let lines = rest.len() + 1;
        eprintln!("note: {}: {lines} conversations were cut, the first in line {first}", arguments.data.display());
    }
    let sft = config(arguments, encoded.examples.len())?;
    check_memory(&arguments.model, &arguments.run, memory(&checkpoint, &sft))?;
    let fine_tuning = FineTuning {
        checkpoint: &checkpoint,
        examples: &encoded.examples,
        sft: &sft,
        device: &device,
        out: &arguments.out,
        dtype: arguments.dtype.into(),
        files: text_files(checkpoint.dir(), gguf.as_ref())?,
    };
    let learned: usize = encoded.examples.iter().map(|example| example.learned_tokens()).sum();
    if !arguments.run.quiet {
        println!(
            "{} conversations, {learned} tokens to learn, {} steps of {}",
            encoded.examples.len(),
            sft.schedule.steps,
            sft.batch_size
        );
    }
    let bar = progress::bar("training", sft.schedule.steps as u64, "steps", arguments.run.quiet);
    let mut bar = Bar { bar, stop: stop_flag()? };
    let losses = fine_tuning.run(&mut bar)?;
    bar.bar.finish_and_clear();
    if let (false, [first, .., last]) = (arguments.run.quiet, &losses[..]) {
        println!("loss {first:.3} at the first step, {last:.3} at the last");
    }
    println!("{}", arguments.out.display());
    Ok(())
}

/// Bytes that the weights and what is kept of each take; activations come on top, as the batch is.
fn memory(checkpoint: &Checkpoint, sft: &SftConfig) -> u64 {
    let is_trained =
        |name: &str| sft.lora.is_none() && !sft.freeze.iter().any(|module| name.split('.').any(|part| part == module));
    let bytes = |name: &str| {
        let values = checkpoint.info(name).map_or(0, |info| info.shape.iter().map(|&size| size as u64).product());
        values * if is_trained(name) { BYTES_PER_TRAINED_WEIGHT } else { BYTES_PER_WEIGHT }
    };
    checkpoint.names().map(bytes).sum()
}

/// How the arguments say that `examples` conversations are learned.
fn config(arguments: &SftArguments, examples: usize) -> Result<SftConfig> {
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
    let usual_rate = if lora.is_some() { 1e-4 } else { 2e-5 };
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
    })
}

/// The progress of a training run.
struct Bar {
    bar: ProgressBar,
    stop: Arc<AtomicBool>,
}

impl Observer for Bar {
    fn step(&mut self, step: usize, _steps: usize, loss: f64) {
        self.bar.set_position(step as u64);
        self.bar.set_prefix(format!("training, loss {loss:.3}"));
    }

    fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}
