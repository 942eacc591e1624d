//! Synthetic checkpoints: a base and experts that differ from it as fine-tuned models do.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use bunch_checkpoint::{CheckpointWriter, Dtype, WriterOptions};
use bunch_random::stream;
use clap::Args;
use rand::Rng;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use crate::byte_size::parse_byte_size;
use crate::model_size::ModelSize;

/// Values that are generated and written at a time.
const BLOCK: usize = 1 << 16;
/// Standard deviation of the base's values; norms have it around 1.
const BASE_DEVIATION: f32 = 0.02;
/// Standard deviation of an expert's difference from the base, where it differs.
const DELTA_DEVIATION: f32 = 0.002;
/// 16-bit numbers below this, a third of all, leave an expert's value at the base's.
const UNCHANGED_BELOW: u64 = 21_845;

/// What to generate.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Folder of the models; created if missing.
    pub dir: PathBuf,
    /// Size of the models.
    #[arg(long, value_enum)]
    pub size: ModelSize,
    /// Number of models: the base and one expert less than this.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub models: u32,
    /// Seed of all values.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Largest shard, as in 1GB; by default 1GB for models of up to 1.5B parameters, otherwise 5GB.
    #[arg(long, value_parser = parse_byte_size)]
    pub max_shard_size: Option<u64>,
    /// How values are stored: bfloat16, float16 or float32.
    #[arg(long, default_value = "bfloat16", value_parser = parse_dtype)]
    pub dtype: Dtype,
}

impl Options {
    /// `models` models of `size` in `dir`, with the defaults for everything else.
    pub fn new(dir: &Path, size: ModelSize, models: u32) -> Self {
        Self { dir: dir.to_path_buf(), size, models, seed: 0, max_shard_size: None, dtype: Dtype::BF16 }
    }
}

/// Folder names of `models` models: base, e1, e2, ...
pub fn model_names(models: u32) -> Vec<String> {
    (0..models).map(|i| if i == 0 { "base".to_owned() } else { format!("e{i}") }).collect()
}

/// Writes every model.
///
/// # Errors
/// Fails if one of them exists already, or on an I/O error.
pub fn run(options: &Options) -> Result<()> {
    for name in model_names(options.models) {
        write_model(options, &name)?;
        println!("{}: {:.1} M parameters", options.dir.join(&name).display(), options.size.parameters() as f64 / 1e6);
    }
    Ok(())
}

/// Writes the model `name`; equal seeds, sizes and names give equal bytes, whatever the number of threads.
///
/// # Errors
/// Fails if the model exists already, or on an I/O error.
pub fn write_model(options: &Options, name: &str) -> Result<()> {
    let Options { dir, size, seed, dtype, .. } = options;
    fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
    let max_shard_size = options.max_shard_size.unwrap_or_else(|| size.max_shard_size());
    let writer_options = WriterOptions { max_shard_size, replace: false };
    let writer = CheckpointWriter::create(&dir.join(name), size.tensors(*dtype), writer_options)?;

    let lengths = writer.layout().iter().map(|tensor| tensor.shape.iter().product::<usize>()).enumerate();
    let blocks: Vec<(usize, usize, usize)> = lengths
        .flat_map(|(i, length)| (0..length).step_by(BLOCK).map(move |start| (i, start, BLOCK.min(length - start))))
        .collect();
    blocks.par_iter().try_for_each(|&(i, start, length)| {
        let tensor = &writer.layout()[i].name;
        writer.write_values(i, start, &values(*seed, name, tensor, start, length))
    })?;
    Ok(writer.finish(&size.config(*dtype), &BTreeMap::new())?)
}

/// The values `start..start + length` of a tensor.
fn values(seed: u64, model: &str, tensor: &str, start: usize, length: usize) -> Vec<f32> {
    let mean = if tensor.ends_with("norm.weight") { 1.0 } else { 0.0 };
    let base = words(seed, "base", tensor, start, length).map(|word| mean + BASE_DEVIATION * bell_of_4(word));
    if model == "base" {
        return base.collect();
    }
    let deltas = words(seed, model, tensor, start, length)
        .map(|word| if word & 0xffff < UNCHANGED_BELOW { 0.0 } else { DELTA_DEVIATION * bell_of_3(word) });
    base.zip(deltas).map(|(base, delta)| base + delta).collect()
}

/// The random words that decide the values `start..start + length` of a tensor.
fn words(seed: u64, model: &str, tensor: &str, start: usize, length: usize) -> impl Iterator<Item = u64> {
    let mut stream = stream(seed, &["generate", model, tensor]);
    // The stream counts in words of 32 bits.
    stream.set_word_pos(2 * start as u128);
    (0..length).map(move |_| stream.next_u64())
}

/// A nearly normal number of mean 0 and variance 1: the sum of the word's four 16-bit numbers, standardised.
fn bell_of_4(word: u64) -> f32 {
    let sum = (word & 0xffff) + (word >> 16 & 0xffff) + (word >> 32 & 0xffff) + (word >> 48);
    (sum as f32 - 131_070.0) / 37_837.227
}

/// The same from the upper three 16-bit numbers, which leaves the lowest for another choice.
fn bell_of_3(word: u64) -> f32 {
    let sum = (word >> 16 & 0xffff) + (word >> 32 & 0xffff) + (word >> 48);
    (sum as f32 - 98_302.5) / 32_768.0
}

fn parse_dtype(text: &str) -> Result<Dtype> {
    match [Dtype::F32, Dtype::F16, Dtype::BF16].into_iter().find(|dtype| dtype.name() == text) {
        Some(dtype) => Ok(dtype),
        None => bail!("expected bfloat16, float16 or float32, got `{text}`"),
    }
}

#[cfg(test)]
mod tests;
