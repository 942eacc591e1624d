//! A table as LaTeX.

use super::Table;
use super::sheet::{PlaceText, Sheet};
use crate::escape::latex;

impl Table {
    /// `table.tex`: one `table` with a plain `tabular` per block, which any class compiles without a package.
    ///
    /// The caption is the title with the block's; a dash stands for what is not known, and what the signs mean stands
    /// under the last block.
    pub fn latex(&self) -> String {
        let mut text = String::new();
        for (index, block) in self.spec.blocks.iter().enumerate() {
            let caption = if block.title.is_empty() {
                self.spec.title.clone()
            } else {
                format!("{}: {}", self.spec.title, block.title)
            };
            text += "\\begin{table}[htbp]\n\\centering\n";
            text += &format!("\\caption{{{}}}\n", latex(&caption));
            // Many columns stand side by side; this is what helps without a package.
            text += "\\footnotesize\n\\setlength{\\tabcolsep}{3pt}\n";
            text += &self.tabular(&self.sheet(index));
            text += "\\end{table}\n\n";
        }
        for note in self.notes() {
            text += &format!("\\noindent {{\\footnotesize {}\\par}}\n", latex(&note));
        }
        text
    }

    fn tabular(&self, sheet: &Sheet<'_>) -> String {
        let heads = usize::from(self.grouped()) + 1;
        let numbers: usize = sheet.columns.iter().map(|(_, published)| 1 + usize::from(*published)).sum();
        let line = |cells: &[String]| format!("{} \\\\\n", cells.join(" & "));
        let above = sheet.columns.iter().map(|(label, published)| {
            // Labels of one column stand over their numbers, those of two over both.
            let (width, align) = if *published { (2, 'c') } else { (1, 'r') };
            format!("\\multicolumn{{{width}}}{{{align}}}{{{}}}", latex(label))
        });
        let below = sheet.columns.iter().flat_map(|(_, published)| {
            let paper = published.then(|| "paper".to_string());
            paper.into_iter().chain(["ours".to_string()])
        });
        let mut text = format!("\\begin{{tabular}}{{{}{}}}\n\\hline\n", "l".repeat(heads), "r".repeat(numbers));
        text += &line(&blanks(heads).chain(above).collect::<Vec<_>>());
        text += &line(&blanks(heads - 1).chain(["method".into()]).chain(below).collect::<Vec<_>>());
        text += "\\hline\n";
        for row in &sheet.lines {
            let group = self.grouped().then(|| latex(row.group));
            let places = row.places.iter().flat_map(|(paper, ours)| paper.iter().chain([ours])).map(place);
            text += &line(&group.into_iter().chain([latex(row.label)]).chain(places).collect::<Vec<_>>());
        }
        text += "\\hline\n";
        let counts = sheet.columns.iter().zip(&sheet.counts).flat_map(|((_, published), count)| {
            let paper = published.then(String::new);
            paper.into_iter().chain([latex(count)])
        });
        text += &line(&blanks(heads - 1).chain(["$n$".into()]).chain(counts).collect::<Vec<_>>());
        text + "\\hline\n\\end{tabular}\n"
    }
}

fn blanks(count: usize) -> impl Iterator<Item = String> {
    std::iter::repeat_n(String::new(), count)
}

fn place(text: &PlaceText) -> String {
    match text {
        // A hyphen would be a short dash.
        PlaceText::Known(text) => latex(&text.replace('-', "−")),
        PlaceText::Missing(_) => "---".into(),
    }
}
