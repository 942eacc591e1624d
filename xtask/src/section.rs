//! The section of the page that one benchmark writes.

use crate::comparison::Comparison;
use crate::measurement::Measurement;
use crate::merge::Merge;
use crate::table::{cell, digits, markdown_table, mebibytes, part, target};

/// The findings of one benchmark.
#[derive(Debug)]
pub struct Section {
    /// Name of the models' size.
    pub size: String,
    /// Values in a model.
    pub parameters: u64,
    /// Bytes of a model's weight files.
    pub model_bytes: u64,
    /// How the numbers were taken: machine, versions, number of runs.
    pub conditions: Vec<String>,
    /// The commands: this one, and those that were measured.
    pub commands: Vec<String>,
    /// Each merge, the number of models it reads, and what it took.
    pub merges: Vec<(Merge, usize, Comparison)>,
    /// Showing the options.
    pub start_up: Comparison,
    /// Copying a model and flushing it to the disk.
    pub copy: Option<Measurement>,
}

impl Section {
    /// The section in Markdown.
    pub fn markdown(&self) -> String {
        let Self { size, parameters, model_bytes, conditions, commands, .. } = self;
        let conditions: String = conditions.iter().map(|line| format!("- {line}\n")).collect();
        let commands: String = commands.iter().map(|line| format!("{line}\n")).collect();
        format!(
            "## {size}: {:.1} M parameters, {:.1} MB a model\n\n{conditions}\n```sh\n{commands}```\n\n\
            Time in seconds:\n\n{}\nMemory in MiB:\n\n{}\nStart-up (`--help`) in seconds:\n\n{}{}",
            *parameters as f64 / 1e6,
            *model_bytes as f64 / 1e6,
            self.time_table(),
            self.memory_table(),
            self.start_up_table(),
            self.copy_sentence(),
        )
    }

    fn time_table(&self) -> String {
        let header = [
            "merge",
            "input MB",
            "CPU bunch",
            "CPU mergekit",
            "ratio",
            "target",
            "wall bunch",
            "wall mergekit",
            "ratio",
            "target",
        ];
        let row = |(merge, models, comparison): &(Merge, usize, Comparison)| {
            let input = *models as f64 * self.model_bytes as f64 / 1e6;
            let mut cells = vec![merge.name().to_owned(), format!("{input:.0}")];
            cells.extend(against_target(comparison, |run| run.cpu_seconds, merge.cpu_target()));
            cells.extend(against_target(comparison, |run| run.wall_seconds, merge.wall_target()));
            cells
        };
        markdown_table(&header, &self.merges.iter().map(row).collect::<Vec<_>>())
    }

    fn memory_table(&self) -> String {
        let header =
            ["merge", "peak RSS bunch", "peak RSS mergekit", "ratio", "anonymous bunch", "anonymous mergekit", "ratio"];
        let row = |(merge, _, comparison): &(Merge, usize, Comparison)| {
            let mut cells = vec![merge.name().to_owned()];
            for bytes in [|run: &Measurement| run.peak_resident, |run: &Measurement| run.peak_anonymous] {
                let (ours, theirs) = comparison.numbers(|run| bytes(run) as f64);
                let text = |bytes: f64| mebibytes(bytes as u64);
                cells.extend([cell(ours, text), cell(theirs, text), part(ours, theirs)]);
            }
            cells
        };
        markdown_table(&header, &self.merges.iter().map(row).collect::<Vec<_>>())
    }

    fn start_up_table(&self) -> String {
        let row = |name: &str, number: fn(&Measurement) -> f64| {
            let (ours, theirs) = self.start_up.numbers(number);
            vec![name.to_owned(), cell(ours, digits), cell(theirs, digits), part(ours, theirs)]
        };
        let rows = [row("CPU", |run| run.cpu_seconds), row("wall", |run| run.wall_seconds)];
        markdown_table(&["start-up", "bunch", "mergekit", "ratio"], &rows)
    }

    fn copy_sentence(&self) -> String {
        let Some(copy) = self.copy else { return String::new() };
        let (wall, cpu) = (digits(copy.wall_seconds), digits(copy.cpu_seconds));
        format!("\nCopying one model (cp, then sync): {wall} s wall, {cpu} s CPU.\n")
    }
}

/// The cells bunch, mergekit, ratio and target of a number of seconds.
fn against_target(comparison: &Comparison, seconds: fn(&Measurement) -> f64, one_in: u32) -> [String; 4] {
    let (ours, theirs) = comparison.numbers(seconds);
    [cell(ours, digits), cell(theirs, digits), part(ours, theirs), target(ours, theirs, one_in)]
}

#[cfg(test)]
mod tests {
    use super::Section;
    use crate::comparison::Comparison;
    use crate::measurement::Measurement;
    use crate::merge::Merge;

    #[test]
    fn a_section_has_the_numbers_and_what_they_mean() {
        let ours = Measurement { wall_seconds: 0.5, cpu_seconds: 1.0, peak_resident: 9 << 20, peak_anonymous: 4 << 20 };
        let theirs =
            Measurement { wall_seconds: 3.9, cpu_seconds: 11.0, peak_resident: 36 << 20, peak_anonymous: 8 << 20 };
        let section = Section {
            size: "tiny".to_owned(),
            parameters: 123_456,
            model_bytes: 250_000,
            conditions: vec!["one".to_owned(), "two".to_owned()],
            commands: vec!["cargo xtask benchmark".to_owned()],
            merges: vec![
                (Merge::Linear, 2, Comparison { bunch: Some(ours), mergekit: Some(theirs) }),
                (Merge::Ties, 3, Comparison { bunch: Some(ours), mergekit: None }),
            ],
            start_up: Comparison { bunch: None, mergekit: Some(theirs) },
            copy: Some(ours),
        };
        let expected = "\
## tiny: 0.1 M parameters, 0.2 MB a model

- one
- two

```sh
cargo xtask benchmark
```

Time in seconds:

| merge | input MB | CPU bunch | CPU mergekit | ratio | target | wall bunch | wall mergekit | ratio | target |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
| linear | 0 | 1.00 | 11.0 | 1/11.0 | 1/10, met | 0.500 | 3.90 | 1/7.80 | 1/8, missed |
| ties | 1 | 1.00 | - | - | 1/20 | 0.500 | - | - | 1/8 |

Memory in MiB:

| merge | peak RSS bunch | peak RSS mergekit | ratio | anonymous bunch | anonymous mergekit | ratio |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |
| linear | 9 | 36 | 1/4.00 | 4 | 8 | 1/2.00 |
| ties | 9 | - | - | 4 | - | - |

Start-up (`--help`) in seconds:

| start-up | bunch | mergekit | ratio |
| --- | ---: | ---: | ---: |
| CPU | - | 11.0 | - |
| wall | - | 3.90 | - |

Copying one model (cp, then sync): 0.500 s wall, 1.00 s CPU.
";
        assert_eq!(section.markdown(), expected);
    }
}
