//! Markdown tables of measurements.

use crate::byte_size::MIB;

/// A Markdown table whose first column is text and whose others are numbers; one row of `rows` per line.
pub fn markdown_table(header: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let alignments: Vec<String> =
        (0..header.len()).map(|i| if i == 0 { "---".to_owned() } else { "---:".to_owned() }).collect();
    let header: Vec<String> = header.iter().map(|&cell| cell.to_owned()).collect();
    let rows: String = rows.iter().map(|cells| line(cells)).collect();
    format!("{}{}{rows}", line(&header), line(&alignments))
}

/// The text of a number, or `-` where it was not measured.
pub fn cell<T>(number: Option<T>, text: impl Fn(T) -> String) -> String {
    number.map_or_else(|| "-".to_owned(), text)
}

/// Three digits, or all before the point.
pub fn digits(number: f64) -> String {
    let decimals = [(100.0, 0), (10.0, 1), (1.0, 2)].into_iter().find(|(least, _)| number.abs() >= *least);
    format!("{number:.*}", decimals.map_or(3, |(_, decimals)| decimals))
}

/// Bytes as whole MiB.
pub fn mebibytes(bytes: u64) -> String {
    format!("{:.0}", bytes as f64 / MIB as f64)
}

/// What part of `theirs` `ours` is, as in `1/12.5`; `-` unless both were measured.
pub fn part(ours: Option<f64>, theirs: Option<f64>) -> String {
    cell(ours.zip(theirs), |(ours, theirs)| format!("1/{}", digits(theirs / ours)))
}

/// A target of one part in `target`, and whether it is met where both were measured.
pub fn target(ours: Option<f64>, theirs: Option<f64>, target: u32) -> String {
    let verdict = match ours.zip(theirs) {
        Some((ours, theirs)) if ours * f64::from(target) <= theirs => ", met",
        Some(_) => ", missed",
        None => "",
    };
    format!("1/{target}{verdict}")
}

#[cfg(test)]
mod tests {
    use super::{cell, digits, markdown_table, mebibytes, part, target};

    #[test]
    fn a_table_has_a_line_per_row() {
        let rows = [vec!["linear".to_owned(), "1.50".to_owned()], vec!["ties".to_owned(), "-".to_owned()]];
        let expected = "| merge | s |\n| --- | ---: |\n| linear | 1.50 |\n| ties | - |\n";
        assert_eq!(markdown_table(&["merge", "s"], &rows), expected);
    }

    #[test]
    fn numbers_have_three_digits() {
        for (number, text) in [(0.0, "0.000"), (0.0123, "0.012"), (1.0, "1.00"), (12.34, "12.3"), (1234.5, "1234")] {
            assert_eq!(digits(number), text);
        }
        assert_eq!(mebibytes(3 * 1024 * 1024 + 600 * 1024), "4");
        assert_eq!(cell(None::<f64>, digits), "-");
        assert_eq!(cell(Some(2.0), digits), "2.00");
    }

    #[test]
    fn parts_and_targets() {
        assert_eq!(part(Some(2.0), Some(25.0)), "1/12.5");
        assert_eq!(part(Some(2.0), None), "-");
        assert_eq!(target(Some(2.0), Some(20.0), 10), "1/10, met");
        assert_eq!(target(Some(2.0), Some(19.9), 10), "1/10, missed");
        assert_eq!(target(None, Some(19.9), 10), "1/10");
    }
}
