//! What stands behind the table: paired differences, stages of the data generation, what the models said.

use std::collections::BTreeSet;

use bunch_statistics::{PairedCounts, holm};

use crate::ExperimentError;
use crate::declared::experiment::Experiment;
use crate::declared::wire_name::wire_name;
use crate::recording::measurement::Measurement;
use crate::recording::pool_data::PoolData;

/// Rows of CSV under a header.
fn csv(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut write = |fields: Vec<String>| writer.write_record(fields).expect("writing to memory");
    write(header.iter().map(|name| name.to_string()).collect());
    rows.for_each(&mut write);
    String::from_utf8(writer.into_inner().expect("writing to memory")).expect("text")
}

/// A row against its baseline on the same items of one seed.
struct Difference {
    block: String,
    row: String,
    baseline: String,
    column: String,
    seed: u64,
    counts: PairedCounts,
}

/// `differences.csv`: each row against its baseline on the same items of the same seed.
///
/// Difference in points, its paired standard error and 95 % interval ([`PairedCounts::interval`]), Cohen's h, items, the
/// discordant ones, and the p-value of McNemar's exact test, as it is and after Holm's correction for all lines of its column.
pub(crate) fn differences(experiment: &Experiment, measurements: &[Measurement]) -> Result<String, ExperimentError> {
    let mut found = Vec::new();
    for measurement in measurements {
        let row = experiment.rows.iter().find(|row| row.name == measurement.row);
        let Some(baseline) = row.and_then(|row| row.baseline.as_ref()) else { continue };
        let other = measurements
            .iter()
            .find(|other| other.row == *baseline && other.block == measurement.block && other.seed == measurement.seed);
        let Some(other) = other else { continue };
        for (column, score) in measurement.scores.iter().filter(|(_, score)| score.n > 0) {
            let (row, other) = (&score.items.0, &other.scores[column].items.0);
            found.push(Difference {
                block: measurement.block.clone(),
                row: measurement.row.clone(),
                baseline: baseline.clone(),
                column: column.clone(),
                seed: measurement.seed,
                counts: PairedCounts::of(row, other)?,
            });
        }
    }
    let p: Vec<f64> = found.iter().map(|difference| difference.counts.mcnemar_p()).collect();
    let mut corrected = p.clone();
    let columns: BTreeSet<&str> = found.iter().map(|difference| difference.column.as_str()).collect();
    for column in columns {
        let lines: Vec<usize> = (0..found.len()).filter(|&line| found[line].column == column).collect();
        let of_column = holm(&lines.iter().map(|&line| p[line]).collect::<Vec<_>>());
        lines.into_iter().zip(of_column).for_each(|(line, p)| corrected[line] = p);
    }
    let lines = found.iter().zip(p.iter().zip(&corrected)).map(|(difference, (p, corrected))| {
        let counts = &difference.counts;
        let (low, high) = counts.interval();
        let numbers = [counts.difference(), counts.stderr(), low, high, counts.cohens_h()];
        let names = [&difference.block, &difference.row, &difference.baseline, &difference.column].map(String::clone);
        let mut fields: Vec<String> = names.into_iter().chain([difference.seed.to_string()]).collect();
        fields.extend(numbers.map(|number| format!("{}", (number * 1e6).round() / 1e6)));
        fields.extend([counts.n, counts.only_other, counts.only_row].map(|count| count.to_string()));
        fields.extend([p, corrected].map(|p| format!("{p:.3e}")));
        fields
    });
    let header = [
        "block",
        "row",
        "baseline",
        "column",
        "seed",
        "difference",
        "stderr",
        "low",
        "high",
        "cohens_h",
        "n",
        "only_baseline",
        "only_row",
        "mcnemar_p",
        "holm_p",
    ];
    Ok(csv(&header, lines))
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

/// What a reader has to know of verdicts that are neither safe nor unsafe, if there are any.
pub(crate) fn unparsed(measurements: &[Measurement]) -> Option<String> {
    let scores = measurements.iter().flat_map(|measurement| {
        let place = format!("{}/{} seed {}", measurement.block, measurement.row, measurement.seed);
        measurement.scores.iter().map(move |(column, score)| (format!("{place} {column}"), score))
    });
    let places: Vec<String> = scores
        .filter(|(_, score)| score.unparsed > 0)
        .map(|(place, score)| format!("{place}: {} of {}", score.unparsed, score.n))
        .collect();
    let text = "Unparsed verdicts: a judge said neither safe nor unsafe, which is counted as not safe, in";
    (!places.is_empty()).then(|| format!("{text} {}.", places.join("; ")))
}

/// What every model answered to the first harmful test prompts.
pub(crate) fn samples(measurements: &[Measurement]) -> String {
    let rows = measurements.iter().flat_map(|measurement| {
        measurement.samples.iter().map(|sample| {
            let place = [measurement.block.clone(), measurement.row.clone(), measurement.seed.to_string()];
            place
                .into_iter()
                .chain([sample.prompt.clone(), sample.response.clone(), sample.verdict.name().into()])
                .collect()
        })
    });
    csv(&["block", "row", "seed", "prompt", "response", "guard"], rows)
}

#[cfg(test)]
mod tests;
