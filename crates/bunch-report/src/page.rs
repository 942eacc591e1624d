//! All results on one HTML page.

use crate::escape::html;
use crate::layout::{Align, TextGrid, signed};
use crate::{Finding, Table, TableSpec, Verdict};

/// The page's looks; it names nothing outside of the page.
const STYLE: &str = include_str!("page/style.css");

/// Everything that was measured, for a reader who has the page and nothing else.
#[derive(Debug, Clone)]
pub struct Page {
    /// Title.
    pub title: String,
    /// Paragraphs before everything else: what was done, and what the words mean.
    pub introduction: Vec<String>,
    /// Papers, in order.
    pub parts: Vec<PagePart>,
}

/// What belongs to one paper.
#[derive(Debug, Clone)]
pub struct PagePart {
    /// Heading.
    pub name: String,
    /// Address of the paper; none unless there is one.
    pub link: Option<String>,
    /// Its tables and figures, in order.
    pub items: Vec<PageItem>,
}

/// One table or figure of a paper.
#[derive(Debug, Clone)]
pub struct PageItem {
    /// Unique name on the page, of letters, digits and hyphens.
    pub anchor: String,
    /// Heading.
    pub heading: String,
    /// What the item asks.
    pub question: String,
    /// The command that makes it.
    pub command: String,
    /// What was measured; `None` where nothing was yet.
    pub measured: Option<Measured>,
}

/// What was measured for an item.
#[derive(Debug, Clone)]
pub struct Measured {
    /// What came out, in words: paragraphs with empty lines between them.
    pub analysis: String,
    /// Layout of the table, for the names in the findings.
    pub spec: TableSpec,
    /// The table.
    pub table: Table,
    /// The claims and what the cells say about them.
    pub findings: Vec<Finding>,
    /// Figures.
    pub figures: Vec<PageFigure>,
    /// What stands behind the numbers; shown when it is asked for.
    pub listings: Vec<Listing>,
}

/// A figure on the page.
#[derive(Debug, Clone)]
pub struct PageFigure {
    /// What it shows.
    pub title: String,
    /// An SVG document without a declaration; it must not have ids, scripts or references.
    pub svg: String,
}

/// A list of anything, as a table.
#[derive(Debug, Clone)]
pub struct Listing {
    /// What it lists.
    pub title: String,
    /// Header, and whether the column has numbers.
    pub columns: Vec<(String, bool)>,
    /// Rows, each as long as the header.
    pub rows: Vec<Vec<String>>,
}

/// The beginning of a page, up to its contents; `style` is for what only this page has.
pub(crate) fn document(title: &str, introduction: &[String], style: &str) -> String {
    let mut text = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{STYLE}{style}</style>\n</head>\n<body>\n<header>\n<h1>{title}</h1>\n",
        title = html(title)
    );
    introduction.iter().for_each(|paragraph| text += &format!("<p>{}</p>\n", html(paragraph)));
    text + "</header>\n<main>\n"
}

/// The end of a page.
pub(crate) fn footer() -> &'static str {
    "</main>\n</body>\n</html>\n"
}

impl Page {
    /// The page: no script, no reference to anything that a browser would load; text from data is escaped.
    pub fn html(&self) -> String {
        let mut text = document(&self.title, &self.introduction, "");
        text += &self.contents();
        text += &self.glance();
        for (index, part) in self.parts.iter().enumerate() {
            text += &format!("<section>\n<h2 id=\"part-{index}\">{}</h2>\n", html(&part.name));
            if let Some(link) = &part.link {
                text += &format!("<p><a href=\"{0}\">{0}</a></p>\n", html(link));
            }
            part.items.iter().for_each(|item| text += &item.html());
            text += "</section>\n";
        }
        text + footer()
    }

    fn contents(&self) -> String {
        let mut text = "<nav class=\"contents\" aria-label=\"contents\">\n".to_string();
        text += "<p><a href=\"#glance\">All claims at a glance</a></p>\n";
        for (index, part) in self.parts.iter().enumerate() {
            text += &format!("<p><a href=\"#part-{index}\">{}</a></p>\n<ol>\n", html(&part.name));
            for item in &part.items {
                text += &format!("<li><a href=\"#{}\">{}</a></li>\n", html(&item.anchor), html(&item.heading));
            }
            text += "</ol>\n";
        }
        text + "</nav>\n"
    }

    /// Every claim in one line.
    fn glance(&self) -> String {
        let mut text = "<section>\n<h2 id=\"glance\" class=\"running\">All claims at a glance</h2>\n".to_string();
        for part in &self.parts {
            let of_item = |item: &PageItem| item.measured.iter().map(|m| m.findings.len()).sum::<usize>();
            if part.items.iter().all(|item| of_item(item) == 0) {
                continue;
            }
            let findings = part.items.iter().filter_map(|item| item.measured.as_ref()).flat_map(|m| &m.findings);
            let verdicts: Vec<Verdict> = findings.map(|finding| finding.verdict).collect();
            let count = |verdict| verdicts.iter().filter(|other| **other == verdict).count();
            text += &format!("<h3>{}</h3>\n<p>Of {} claims ", html(&part.name), verdicts.len());
            text += &format!("{} hold, {} hold partly, ", count(Verdict::Holds), count(Verdict::Partly));
            text +=
                &format!("{} do not hold, {} are undecided", count(Verdict::DoesNotHold), count(Verdict::Undecided));
            match count(Verdict::NotTested) {
                0 => text += ".</p>\n",
                untested => text += &format!(", {untested} could not be tested.</p>\n"),
            }
            text += "<div class=\"scroll\">\n<table>\n<thead>\n<tr>";
            for title in ["item", "claim", "here", "at the least", "how sure"] {
                text += &format!("<th scope=\"col\">{title}</th>");
            }
            text += "</tr>\n</thead>\n<tbody>\n";
            for item in &part.items {
                item.measured.iter().for_each(|measured| text += &item.glance(measured));
            }
            text += "</tbody>\n</table>\n</div>\n";
        }
        text + "</section>\n"
    }
}

/// Name of the verdict as a class.
fn class(verdict: Verdict) -> String {
    verdict.to_string().replace(' ', "-")
}

impl Finding {
    /// How much there is of what the claim says, at the least: the mean over seeds that is closest to refuting it, or refutes
    /// it most.
    fn at_the_least(&self, spec: &TableSpec) -> String {
        let Some((comparison, estimate)) = self.weakest() else { return "nothing measured".into() };
        let column = spec.columns.iter().find(|column| column.name == self.claim.rule.column());
        let (decimals, unit) = column.map_or((1, ""), |column| (column.decimals, column.unit.as_str()));
        let unit = if unit == "%" { " points" } else { unit };
        let width = estimate.half_width().map(|width| format!(" ± {width:.decimals$}")).unwrap_or_default();
        let mean = signed(estimate.mean, decimals).replace('-', "−");
        let condition = self.claim.rule.condition().replace('-', "−");
        let label = |name: &str| {
            let row = spec.rows.iter().find(|row| row.name == name);
            row.map_or_else(|| name.to_owned(), |row| row.full_label())
        };
        let (row, other) = (label(&comparison.row), label(&comparison.other));
        format!("{mean}{width}{unit}, demanded {condition} ({}: {row} against {other})", comparison.block)
    }
}

impl PageItem {
    fn glance(&self, measured: &Measured) -> String {
        let short = self.heading.split(':').next().unwrap_or(&self.heading);
        let line = |finding: &Finding| {
            let verdict = finding.verdict;
            format!(
                "<tr><td><a href=\"#{anchor}\">{}</a></td><td class=\"claim-text\">{}</td>\
                 <td class=\"verdict {}\">{} {verdict}</td><td>{}</td><td>{}</td></tr>\n",
                html(short),
                html(&finding.claim.text),
                class(verdict),
                verdict.sign(),
                html(&finding.at_the_least(&measured.spec)),
                html(&finding.certainty()),
                anchor = html(&self.anchor),
            )
        };
        measured.findings.iter().map(line).collect()
    }

    fn html(&self) -> String {
        let mut text = format!("<article>\n<h3 id=\"{}\">{}</h3>\n", html(&self.anchor), html(&self.heading));
        text += &format!("<p class=\"question\">{}</p>\n", html(self.question.trim()));
        text += &format!("<p><code>{}</code></p>\n", html(&self.command));
        match &self.measured {
            Some(measured) => text += &measured.html(),
            None => text += "<p>No results yet: the command makes them.</p>\n",
        }
        text + "</article>\n"
    }
}

impl Measured {
    fn html(&self) -> String {
        let mut text = String::new();
        for paragraph in self.analysis.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty()) {
            text += &format!("<p>{}</p>\n", html(paragraph));
        }
        self.figures.iter().for_each(|figure| text += &figure.html());
        text += &self.table.html();
        if !self.findings.is_empty() {
            text += "<h4>Claims</h4>\n";
        }
        self.findings.iter().for_each(|finding| text += &self.claim(finding));
        let shown = self.listings.iter().filter(|listing| !listing.rows.is_empty());
        shown.for_each(|listing| text += &listing.html());
        text
    }

    fn claim(&self, finding: &Finding) -> String {
        let verdict = finding.verdict;
        format!(
            "<div class=\"claim {class}\">\n<span class=\"verdict\">{} {verdict}</span>\n<p>{}</p>\n\
             <p class=\"source\">{}</p>\n<p>{}; {}. At the least: {}.</p>\n<p>How sure: {}.</p>\n\
             <details class=\"comparisons\">\n<summary>Every comparison</summary>\n{}</details>\n</div>\n",
            verdict.sign(),
            html(&finding.claim.text),
            html(&finding.claim.source),
            html(&finding.demand(&self.spec)),
            html(&finding.counts()),
            html(&finding.at_the_least(&self.spec)),
            html(&finding.certainty()),
            finding.grid(&self.spec).html(""),
            class = class(verdict),
        )
    }
}

impl PageFigure {
    pub(crate) fn html(&self) -> String {
        let title = html(&self.title);
        let svg = self.svg.replacen("<svg ", &format!("<svg role=\"img\" aria-label=\"{title}\" "), 1);
        format!("<figure>\n{svg}\n<figcaption>{title}</figcaption>\n</figure>\n")
    }
}

impl Listing {
    /// The list, shown when it is asked for.
    fn html(&self) -> String {
        format!("<details>\n<summary>{}</summary>\n{}</details>\n", html(&self.title), self.grid().html(""))
    }

    /// The list, with its title above it.
    pub(crate) fn table(&self) -> String {
        self.grid().html(&self.title)
    }

    /// The list, for a terminal.
    pub fn terminal(&self) -> String {
        self.grid().terminal()
    }

    fn grid(&self) -> TextGrid {
        let align = |numeric: bool| if numeric { Align::Right } else { Align::Left };
        let mut grid = TextGrid::new(self.columns.iter().map(|(title, n)| (title.clone(), align(*n))).collect());
        self.rows.iter().for_each(|row| grid.push(row.clone()));
        grid
    }
}

#[cfg(test)]
mod tests;
