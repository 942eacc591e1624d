//! A table as a fragment of HTML.

use super::sheet::{PlaceText, Sheet};
use super::{DASH, Table};
use crate::escape::html;

impl Table {
    /// The table as a fragment of HTML: one `<table class="results">` per block, then what its signs mean.
    ///
    /// The paper's numbers have columns of their own, of class `paper` next to `ours`; where a number is missing, a dash has
    /// the reason as its `title`. The fragment has no styles: numbers are aligned by the page, by their class `number`.
    pub fn html(&self) -> String {
        let mut text = String::new();
        for (index, block) in self.spec.blocks.iter().enumerate() {
            let title = if block.title.is_empty() { &self.spec.title } else { &block.title };
            text += "<div class=\"scroll\">\n<table class=\"results\">\n";
            text += &format!("<caption>{}</caption>\n", html(title));
            text += &self.html_sheet(&self.sheet(index));
            text += "</table>\n</div>\n";
        }
        for note in self.notes() {
            text += &format!("<p class=\"note\">{}</p>\n", html(&note));
        }
        text
    }

    fn html_sheet(&self, sheet: &Sheet<'_>) -> String {
        let heads = usize::from(self.grouped()) + 1;
        let mut text = "<thead>\n<tr>".to_string();
        if self.grouped() {
            text += "<th rowspan=\"2\" scope=\"col\">group</th>";
        }
        text += "<th rowspan=\"2\" scope=\"col\">method</th>";
        for (label, published) in &sheet.columns {
            let width = 1 + usize::from(*published);
            text += &format!("<th class=\"number\" colspan=\"{width}\" scope=\"colgroup\">{}</th>", html(label));
        }
        text += "</tr>\n<tr>";
        for (_, published) in &sheet.columns {
            if *published {
                text += "<th class=\"number paper\" scope=\"col\">paper</th>";
            }
            text += "<th class=\"number ours\" scope=\"col\">ours</th>";
        }
        text += "</tr>\n</thead>\n<tbody>\n";
        for (position, line) in sheet.lines.iter().enumerate() {
            let starts_group = position > 0 && !line.group.is_empty();
            text += if starts_group { "<tr class=\"group\">" } else { "<tr>" };
            if self.grouped() {
                text += &format!("<th scope=\"row\">{}</th>", html(line.group));
            }
            text += &format!("<th scope=\"row\">{}</th>", html(line.label));
            for (paper, ours) in &line.places {
                text += &paper.iter().map(|paper| cell(paper, "paper")).collect::<String>();
                text += &cell(ours, "ours");
            }
            text += "</tr>\n";
        }
        text += &format!("</tbody>\n<tfoot>\n<tr><th colspan=\"{heads}\" scope=\"row\">n</th>");
        for ((_, published), count) in sheet.columns.iter().zip(&sheet.counts) {
            let width = 1 + usize::from(*published);
            text += &format!("<td class=\"number\" colspan=\"{width}\">{}</td>", html(count));
        }
        text + "</tr>\n</tfoot>\n"
    }
}

fn cell(text: &PlaceText, whose: &str) -> String {
    match text {
        // A minus as wide as a plus, and one that no line is broken after.
        PlaceText::Known(text) => format!("<td class=\"number {whose}\">{}</td>", html(&text.replace('-', "−"))),
        PlaceText::Missing(reason) => {
            format!("<td class=\"number {whose} empty\" title=\"{}\">{DASH}</td>", html(reason))
        }
    }
}
