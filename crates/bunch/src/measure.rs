//! `bunch measure`: compares a merge with every member of its pool.

use anyhow::Result;
use bunch_alignment::{MeasureSettings, Measurement, OpenPool, measure as compare};

use crate::arguments::MeasureArguments;
use crate::pool_loader::PoolLoader;
use crate::progress::Bar;

/// Measures, and prints what the card says.
pub fn measure(arguments: &MeasureArguments) -> Result<()> {
    let loader = PoolLoader::new(&arguments.run);
    let pool = OpenPool::open(&arguments.pool, arguments.choice(), &loader)?;
    let settings = MeasureSettings {
        merged: arguments.merged.clone(),
        out: arguments.out.clone(),
        second_judge: arguments.second_judge.clone(),
        tasks: arguments.tasks.clone(),
        limit: arguments.limit.map(|limit| limit as usize),
        keep_card: arguments.keep_card,
        replace: arguments.overwrite,
    };
    let bar = Bar::new("items", arguments.run.quiet);
    let outcome = compare(&pool, &settings, &bar)?;
    drop(bar);
    print!("{}", describe(&outcome.measurement));
    outcome.files.iter().for_each(|file| println!("{}", file.display()));
    Ok(())
}

/// The numbers of every model, and what is doubtful about them.
pub fn describe(measurement: &Measurement) -> String {
    let mut text = measurement.terminal_table();
    measurement.finding().into_iter().for_each(|finding| text += &format!("{finding}\n"));
    measurement.notes.iter().for_each(|note| text += &format!("note: {note}\n"));
    text
}
