//! What stands behind the table: paired differences, stages of the data generation, what the models said.

use bunch_evaluation::paired_difference;

use crate::ExperimentError;
use crate::data::{PoolData, wire_name};
use crate::measurement::{Measurement, Score};
use crate::runner::experiment::Experiment;

/// Rows of CSV under a header.
fn csv(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut write = |fields: Vec<String>| writer.write_record(fields).expect("writing to memory");
    write(header.iter().map(|name| name.to_string()).collect());
    rows.for_each(&mut write);
    String::from_utf8(writer.into_inner().expect("writing to memory")).expect("text")
}

/// Each row against its baseline on the same items of the same seed: difference in points, its paired standard error, the
/// discordant items, and the exact McNemar p-value.
pub(crate) fn differences(experiment: &Experiment, measurements: &[Measurement]) -> Result<String, ExperimentError> {
    let mut rows = Vec::new();
    for measurement in measurements {
        let row = experiment.rows.iter().find(|row| row.name == measurement.row);
        let Some(baseline) = row.and_then(|row| row.baseline.as_ref()) else { continue };
        let other = measurements
            .iter()
            .find(|other| other.row == *baseline && other.block == measurement.block && other.seed == measurement.seed);
        let Some(other) = other else { continue };
        for (column, score) in measurement.scores.iter().filter(|(_, score)| score.n > 0) {
            let paired = paired_difference(&items(score), &items(&other.scores[column]))?;
            let numbers = [paired.difference_percent, paired.stderr_percent, paired.n01 as f64, paired.n10 as f64];
            let names = [&measurement.block, &measurement.row, baseline, column].map(String::clone);
            let mut fields: Vec<String> = names.into_iter().chain([measurement.seed.to_string()]).collect();
            fields.extend(numbers.map(|number| format!("{}", (number * 1e6).round() / 1e6)));
            fields.push(format!("{:.3e}", paired.mcnemar_p));
            rows.push(fields);
        }
    }
    let header = [
        "block",
        "row",
        "baseline",
        "column",
        "seed",
        "difference",
        "stderr",
        "only_baseline",
        "only_row",
        "mcnemar_p",
    ];
    Ok(csv(&header, rows.into_iter()))
}

fn items(score: &Score) -> Vec<bool> {
    score.items.bytes().map(|item| item == b'1').collect()
}

/// How many questions entered each stage of the data generation, how many it kept, and why it dropped the others.
pub(crate) fn stages(generated: &[(String, u64, PoolData)]) -> String {
    let mut rows = Vec::new();
    for (block, seed, data) in generated {
        let safety = [("D_safety".to_owned(), &data.safety.stages)];
        let expert = data.expert.stages.iter().map(|(expert, stages)| (format!("D_expert of {expert}"), stages));
        for (name, stages) in safety.into_iter().chain(expert) {
            for stage in &stages.stages {
                let dropped: Vec<String> =
                    stage.dropped.iter().map(|(reason, count)| format!("{} {count}", wire_name(reason))).collect();
                rows.push(vec![
                    block.clone(),
                    seed.to_string(),
                    name.clone(),
                    wire_name(&stage.name),
                    stage.entered.to_string(),
                    stage.kept.to_string(),
                    dropped.join("; "),
                ]);
            }
        }
    }
    csv(&["block", "seed", "data", "stage", "entered", "kept", "dropped"], rows.into_iter())
}

/// What every model answered to the first harmful test prompts.
pub(crate) fn samples(measurements: &[Measurement]) -> String {
    let rows = measurements.iter().flat_map(|measurement| {
        measurement.samples.iter().map(|sample| {
            let verdict = if sample.safe { "safe" } else { "unsafe" };
            let place = [measurement.block.clone(), measurement.row.clone(), measurement.seed.to_string()];
            place.into_iter().chain([sample.prompt.clone(), sample.response.clone(), verdict.into()]).collect()
        })
    });
    csv(&["block", "row", "seed", "prompt", "response", "guard"], rows)
}
