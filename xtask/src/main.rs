//! Tasks of the project's developers: `cargo xtask generate | benchmark | memory`.

mod benchmark;
mod byte_size;
mod comparison;
mod generate;
mod machine;
mod measurement;
mod memory;
mod merge;
mod model_set;
mod model_size;
mod page;
mod section;
mod table;
mod tool;

use anyhow::Result;
use clap::Parser;

/// Tasks of the project's developers.
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Task {
    /// Write synthetic Llama checkpoints: DIR/base, DIR/e1, DIR/e2, ...
    Generate(generate::Options),
    /// Measure `bunch merge` and mergekit: time, processor time, memory.
    Benchmark(benchmark::Options),
    /// Check that merging large models needs little memory.
    Memory(memory::Options),
}

fn main() -> Result<()> {
    match Task::parse() {
        Task::Generate(options) => generate::run(&options),
        Task::Benchmark(options) => benchmark::run(&options),
        Task::Memory(options) => memory::run(&options),
    }
}
