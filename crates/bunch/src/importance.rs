//! `bunch importance`: how much each weight of a model matters to answers.

use anyhow::{Result, bail};
use bunch_tuning::{ConversationFile, WeightScore, WeightScoring};

use crate::arguments::{ImportanceArguments, ScoreOption};
use crate::loaded_model::use_threads;
use crate::memory::check_memory;
use crate::train::{TuningBar, encoding, open, warn_cut};

/// Bytes that a weight takes: itself, its gradient in the model and in the file's layout, in f32, and its sum in f64.
const BYTES_PER_WEIGHT: u64 = 20;

/// Scores the weights and writes the folder.
pub fn importance(arguments: &ImportanceArguments) -> Result<()> {
    use_threads(&arguments.run);
    if arguments.out.exists() {
        bail!("{}: already exists", arguments.out.display());
    }
    let device = bunch_transformer::device(&arguments.run.device)?;
    let (checkpoint, tokenizer) = open(&arguments.model)?;
    let encoded = encoding(&arguments.encoding).encode(&ConversationFile::read(&arguments.data)?, &tokenizer)?;
    warn_cut(&arguments.data, "conversations", &encoded.cut_lines);
    let weights = |name| checkpoint.info(name).map_or(0, |info| info.shape.iter().map(|&size| size as u64).product());
    check_memory(&arguments.model, &arguments.run, BYTES_PER_WEIGHT * checkpoint.names().map(weights).sum::<u64>())?;
    let score = match arguments.score {
        ScoreOption::Fisher => WeightScore::Fisher,
        ScoreOption::Led => WeightScore::Led,
    };
    let scoring = WeightScoring { checkpoint: &checkpoint, examples: &encoded.examples, score, device: &device };
    let mut bar = TuningBar::new("scoring weights", encoded.examples.len(), "conversations", arguments.run.quiet)?;
    scoring.write(&arguments.out, &mut bar)?;
    bar.finish();
    println!("{}", arguments.out.display());
    Ok(())
}
