//! `bunch compare`: how two checkpoints differ.

use std::path::Path;

use anyhow::{Context, Result, bail};
use bunch_checkpoint::{Checkpoint, atomic_write};
use bunch_inspection::compare::{self, Comparison, Quantity};

use crate::arguments::CompareArguments;
use crate::progress::Bar;

/// Prints the table and writes the files asked for.
pub fn compare(arguments: &CompareArguments) -> Result<()> {
    let quantity = match &arguments.quantity {
        Some(name) => name.parse()?,
        None if arguments.base.is_some() => Quantity::TaskVectorCosine,
        None => Quantity::Cosine,
    };
    let (a, b) = (Checkpoint::open(&arguments.a)?, Checkpoint::open(&arguments.b)?);
    let base = arguments.base.as_deref().map(Checkpoint::open).transpose()?;
    let available = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = arguments.threads.map_or(available, |threads| threads as usize);

    let comparison = compare::compare(&a, &b, base.as_ref(), threads, &Bar::new("bytes", false))?;

    print!("{}", comparison.table());
    if let Some(path) = &arguments.csv {
        atomic_write(path, comparison.csv()?.as_bytes())?;
    }
    if let Some(path) = &arguments.heat_map {
        atomic_write(path, &draw(&comparison, quantity, path)?)?;
    }
    Ok(())
}

/// The heat map in the format that the file's extension asks for.
fn draw(comparison: &Comparison, quantity: Quantity, path: &Path) -> Result<Vec<u8>> {
    let map = comparison.heat_map(quantity)?;
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("svg") => Ok(map.svg()?.into_bytes()),
        Some("png") => map.png().context("the heat map"),
        _ => bail!("{}: expected a file name that ends in .svg or .png", path.display()),
    }
}
