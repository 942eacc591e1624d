//! `bunch synthesize`: generates D_safety and D_expert with the models of a pool.

use anyhow::Result;
use bunch_alignment::{OpenPool, SynthesisOutcome, SynthesisSettings, synthesize as generate};

use crate::arguments::SynthesizeArguments;
use crate::pool_loader::PoolLoader;
use crate::progress::Bar;

/// Pairs of D_safety that are shown.
const SHOWN: usize = 3;

/// Generates, and prints the counts of every stage and a few pairs.
pub fn synthesize(arguments: &SynthesizeArguments) -> Result<()> {
    let loader = PoolLoader::new(&arguments.run);
    let pool = OpenPool::open(&arguments.pool.pool, arguments.pool.choice(), &loader)?;
    let settings = SynthesisSettings {
        pairs: arguments.pairs as usize,
        seed: arguments.seed,
        questions: arguments.questions.clone(),
        collected: arguments.collected,
        exclude: arguments.exclude.clone(),
        out: arguments.out.clone(),
        replace: arguments.overwrite,
    };
    let bar = Bar::new("pairs", arguments.run.quiet);
    let outcome = generate(&pool, &settings, &bar)?;
    drop(bar);
    if !arguments.run.quiet {
        print!("{}", describe(&outcome));
    }
    println!("{}", arguments.out.display());
    Ok(())
}

/// What each stage kept, and some pairs.
pub fn describe(outcome: &SynthesisOutcome) -> String {
    let mut text = format!("D_safety: {} pairs\n{}", outcome.safety.pairs.len(), outcome.safety.stages);
    for (expert, stages) in &outcome.expert.stages {
        text += &format!("D_expert of {expert}: {} pairs\n{stages}", stages.kept());
    }
    let safety = outcome.safety.pairs.iter().map(|pair| &pair.pair).take(SHOWN);
    for pair in safety.chain(outcome.expert.pairs.iter().map(|pair| &pair.pair).take(SHOWN)) {
        text += &format!("  {}\n    {}\n", pair.question.replace('\n', " "), pair.answer.replace('\n', " "));
    }
    text
}
