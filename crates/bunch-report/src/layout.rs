//! Text in rows and columns: Markdown, terminal, HTML, CSV.

use crate::escape::html;

/// Alignment of a text column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// A header and rows of text, every row as long as the header.
#[derive(Debug, Clone)]
pub(crate) struct TextGrid {
    header: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

impl TextGrid {
    pub(crate) fn new(header: Vec<(String, Align)>) -> Self {
        Self { header, rows: Vec::new() }
    }

    pub(crate) fn push(&mut self, row: Vec<String>) {
        debug_assert_eq!(row.len(), self.header.len());
        self.rows.push(row);
    }

    /// A GitHub Markdown table, padded so that it reads as text too.
    pub(crate) fn markdown(&self) -> String {
        let escaped = |text: &str| text.replace('|', "\\|").replace('\n', " ");
        let header: Vec<String> = self.header.iter().map(|(title, _)| escaped(title)).collect();
        let rows: Vec<Vec<String>> =
            self.rows.iter().map(|row| row.iter().map(|text| escaped(text)).collect()).collect();
        let widths: Vec<usize> = widths(&header, &rows).into_iter().map(|width| width.max(3)).collect();
        let line = |row: &[String]| format!("| {} |\n", self.padded(row, &widths).join(" | "));
        let mut text = line(&header);
        let rules = self.header.iter().zip(&widths).map(|((_, align), &width)| match align {
            Align::Left => "-".repeat(width),
            Align::Right => format!("{}:", "-".repeat(width - 1)),
        });
        text += &format!("| {} |\n", rules.collect::<Vec<_>>().join(" | "));
        rows.iter().for_each(|row| text += &line(row));
        text
    }

    /// Aligned text with a rule under the header; a title like `alignment (%): paper` takes two lines.
    pub(crate) fn terminal(&self) -> String {
        let split = |(title, _): &(String, Align)| match title.split_once(": ") {
            Some((above, below)) => (above.to_owned(), below.to_owned()),
            None => (String::new(), title.clone()),
        };
        let (above, below): (Vec<String>, Vec<String>) = self.header.iter().map(split).unzip();
        let widths: Vec<usize> =
            widths(&above, &self.rows).into_iter().zip(widths(&below, &[])).map(|(a, b)| a.max(b)).collect();
        let line = |row: &[String]| format!("{}\n", self.padded(row, &widths).join("  ").trim_end());
        let mut text = if above.iter().all(String::is_empty) { String::new() } else { line(&above) };
        text += &line(&below);
        text += &format!("{}\n", "─".repeat(widths.iter().sum::<usize>() + 2 * (widths.len() - 1)));
        self.rows.iter().for_each(|row| text += &line(row));
        text
    }

    /// A table of HTML, in a `<div class="scroll">` so that a wide one does not widen the page; numbers have class `number`.
    pub(crate) fn html(&self, caption: &str) -> String {
        let class = |align: Align| if align == Align::Right { " class=\"number\"" } else { "" };
        let mut text = "<div class=\"scroll\">\n<table>\n".to_string();
        if !caption.is_empty() {
            text += &format!("<caption>{}</caption>\n", html(caption));
        }
        text += "<thead>\n<tr>";
        for (title, align) in &self.header {
            text += &format!("<th scope=\"col\"{}>{}</th>", class(*align), html(title));
        }
        text += "</tr>\n</thead>\n<tbody>\n";
        for row in &self.rows {
            text += "<tr>";
            for (field, (_, align)) in row.iter().zip(&self.header) {
                text += &format!("<td{}>{}</td>", class(*align), html(field));
            }
            text += "</tr>\n";
        }
        text + "</tbody>\n</table>\n</div>\n"
    }

    fn padded(&self, row: &[String], widths: &[usize]) -> Vec<String> {
        let pad = |((text, &width), (_, align)): ((&String, &usize), &(String, Align))| match align {
            Align::Left => format!("{text:<width$}"),
            Align::Right => format!("{text:>width$}"),
        };
        row.iter().zip(widths).zip(&self.header).map(pad).collect()
    }
}

fn widths(header: &[String], rows: &[Vec<String>]) -> Vec<usize> {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| &row[column]);
        cells.chain([&header[column]]).map(|text| text.chars().count()).max().unwrap_or(0)
    };
    (0..header.len()).map(width).collect()
}

/// Rows as CSV with `\n` line ends; fields are quoted only where they must be.
pub(crate) fn csv_text(rows: &[Vec<String>]) -> String {
    // A field is quoted as RFC 4180 says; written out because the writer's errors cannot occur in memory.
    let field = |text: &String| {
        if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.clone() }
    };
    rows.iter().map(|row| row.iter().map(field).collect::<Vec<_>>().join(",") + "\n").collect()
}

/// `value` with that many digits after the point, never as a negative zero.
pub(crate) fn fixed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        Some(rest) if rest.chars().all(|c| matches!(c, '0' | '.')) => rest.into(),
        _ => text,
    }
}

/// A difference with its sign, as in `+1.9` and `-11.1`; one that rounds to zero has none.
pub(crate) fn signed(value: f64, decimals: usize) -> String {
    let text = fixed(value, decimals);
    let zero = text.chars().all(|c| matches!(c, '0' | '.'));
    if text.starts_with('-') || zero { text } else { format!("+{text}") }
}

/// A derived number for a CSV field, rounded to 1e-6 so that the last bit of a sum never shows.
pub(crate) fn rounded(value: f64) -> String {
    let text = fixed(value, 6);
    text.trim_end_matches('0').trim_end_matches('.').into()
}

/// A p-value for a reader: three digits, never a bare zero.
pub(crate) fn p_text(p: f64) -> String {
    if p < 0.001 { "< 0.001".into() } else { format!("{p:.3}") }
}

/// A p-value for a CSV field: four significant digits, in the notation that every reader of numbers takes.
pub(crate) fn p_field(p: f64) -> String {
    format!("{p:.3e}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_a_reader_expects() {
        assert_eq!([fixed(-0.04, 1), fixed(61.6, 1), fixed(-0.06, 1), fixed(2.0, 0)], ["0.0", "61.6", "-0.1", "2"]);
        assert_eq!(
            [signed(-11.1, 1), signed(1.94, 1), signed(0.04, 1), signed(-0.04, 1)],
            ["-11.1", "+1.9", "0.0", "0.0"]
        );
        assert_eq!(
            [rounded(75.60000000000001), rounded(100.0), rounded(-0.0), rounded(1.0 / 3.0)],
            ["75.6", "100", "0", "0.333333"]
        );
    }

    #[test]
    fn p_values_keep_their_size() {
        assert_eq!([p_text(0.0), p_text(0.0123), p_text(1.0)], ["< 0.001", "0.012", "1.000"]);
        assert_eq!([p_field(0.0), p_field(4.768e-7), p_field(1.0)], ["0.000e0", "4.768e-7", "1.000e0"]);
    }

    #[test]
    fn grids_are_aligned_and_escaped() {
        let mut grid = TextGrid::new(vec![("method".into(), Align::Left), ("α".into(), Align::Right)]);
        grid.push(vec!["a|b".into(), "1.0".into()]);
        grid.push(vec!["±".into(), "— (no)".into()]);
        assert_eq!(
            grid.markdown(),
            "| method |      α |\n| ------ | -----: |\n| a\\|b   |    1.0 |\n| ±      | — (no) |\n"
        );
        assert_eq!(grid.terminal(), "method       α\n──────────────\na|b        1.0\n±       — (no)\n");
    }

    #[test]
    fn csv_quotes_only_where_needed() {
        let rows = [vec!["a".into(), "b,\"c\"".into(), String::new()], vec!["x\ny".into()]];
        assert_eq!(csv_text(&rows), "a,\"b,\"\"c\"\"\",\n\"x\ny\"\n");
    }
}
