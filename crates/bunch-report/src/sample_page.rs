//! A page of tables and of samples of what models said.

use crate::escape::html;
use crate::page::{document, footer};
use crate::{Listing, PageFigure};

/// The looks of samples.
const STYLE: &str = include_str!("page/samples.css");

/// A page for a reader who has the page and nothing else.
#[derive(Debug, Clone)]
pub struct SamplePage {
    /// Title.
    pub title: String,
    /// Paragraphs before everything else.
    pub introduction: Vec<String>,
    /// Its sections, in order.
    pub sections: Vec<SampleSection>,
}

/// A section of a [`SamplePage`].
#[derive(Debug, Clone)]
pub struct SampleSection {
    /// Heading.
    pub heading: String,
    /// What is in it, in order.
    pub parts: Vec<SamplePart>,
}

/// A part of a [`SampleSection`].
#[derive(Debug, Clone)]
pub enum SamplePart {
    /// A paragraph.
    Text(String),
    /// A paragraph that says how to read what is before it.
    Note(String),
    /// A table with its title.
    Table(Listing),
    /// A figure.
    Figure(PageFigure),
    /// What models said to one prompt.
    Sample(Sample),
}

/// What models said to one prompt.
#[derive(Debug, Clone)]
pub struct Sample {
    /// What they were asked.
    pub prompt: String,
    /// What is known of the prompt; empty if nothing.
    pub about: String,
    /// What they said.
    pub answers: Vec<SampleAnswer>,
    /// Answers that are shown at once; those behind them are shown when asked for.
    pub shown: usize,
}

/// What one model said.
#[derive(Debug, Clone)]
pub struct SampleAnswer {
    /// The model.
    pub model: String,
    /// Its answer.
    pub text: String,
    /// What was judged of it, in words.
    pub judged: String,
    /// Whether that is good; an answer that is not is marked. None where it is neither.
    pub is_good: Option<bool>,
}

impl SamplePage {
    /// The page: no script, no reference to anything that a browser would load; text from data is escaped.
    pub fn html(&self) -> String {
        let mut text = document(&self.title, &self.introduction, STYLE);
        text += "<nav class=\"contents\" aria-label=\"contents\">\n<ol>\n";
        for (index, section) in self.sections.iter().enumerate() {
            text += &format!("<li><a href=\"#section-{index}\">{}</a></li>\n", html(&section.heading));
        }
        text += "</ol>\n</nav>\n";
        for (index, section) in self.sections.iter().enumerate() {
            let heading = html(&section.heading);
            text += &format!("<section>\n<h2 id=\"section-{index}\" class=\"running\">{heading}</h2>\n");
            section.parts.iter().for_each(|part| text += &part.html());
            text += "</section>\n";
        }
        text + footer()
    }
}

impl SamplePart {
    fn html(&self) -> String {
        match self {
            Self::Text(text) => format!("<p>{}</p>\n", html(text)),
            Self::Note(text) => format!("<p class=\"note\">{}</p>\n", html(text)),
            Self::Table(listing) => listing.table(),
            Self::Figure(figure) => figure.html(),
            Self::Sample(sample) => sample.html(),
        }
    }
}

impl Sample {
    fn html(&self) -> String {
        let mut text = format!("<div class=\"sample\">\n<p class=\"asked\">{}</p>\n", html(&self.prompt));
        if !self.about.is_empty() {
            text += &format!("<p class=\"note\">{}</p>\n", html(&self.about));
        }
        let (shown, others) = self.answers.split_at(self.shown.min(self.answers.len()));
        shown.iter().for_each(|answer| text += &answer.html());
        if !others.is_empty() {
            text += &format!("<details>\n<summary>Other models ({})</summary>\n", others.len());
            others.iter().for_each(|answer| text += &answer.html());
            text += "</details>\n";
        }
        text + "</div>\n"
    }
}

impl SampleAnswer {
    fn html(&self) -> String {
        let (class, said) = match self.is_good {
            Some(true) => (" good", html(&self.text)),
            Some(false) => (" bad", format!("<mark>{}</mark>", html(&self.text))),
            None => ("", html(&self.text)),
        };
        format!(
            "<div class=\"answer{class}\">\n<p class=\"who\">{}: <b>{}</b></p>\n<p class=\"said\">{said}</p>\n</div>\n",
            html(&self.model),
            html(&self.judged),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> SamplePage {
        let answer = |model: &str, is_good| SampleAnswer {
            model: model.into(),
            text: "<script>no</script>".into(),
            judged: if is_good { "safe" } else { "unsafe" }.into(),
            is_good: Some(is_good),
        };
        let sample = Sample {
            prompt: "a < b?".into(),
            about: "fraud".into(),
            answers: vec![answer("merged", false), answer("base", true), answer("c", true)],
            shown: 2,
        };
        let listing = Listing {
            title: "Numbers".into(),
            columns: vec![("model".into(), false), ("safe".into(), true)],
            rows: vec![vec!["merged".into(), "1.0".into()]],
        };
        let figure = PageFigure { title: "A figure".into(), svg: "<svg width=\"1\" height=\"1\"></svg>".into() };
        let parts = vec![
            SamplePart::Text("Text & more.".into()),
            SamplePart::Table(listing),
            SamplePart::Note("How to read it.".into()),
            SamplePart::Figure(figure),
            SamplePart::Sample(sample),
        ];
        let sections = vec![SampleSection { heading: "All".into(), parts }];
        SamplePage { title: "A merge".into(), introduction: vec!["What this is.".into()], sections }
    }

    #[test]
    fn what_is_bad_is_marked_and_nothing_of_the_data_is_html() {
        let text = page().html();
        assert_eq!(text.matches("<mark>&lt;script&gt;no&lt;/script&gt;</mark>").count(), 1, "{text}");
        assert!(text.contains("<div class=\"answer bad\">\n<p class=\"who\">merged: <b>unsafe</b></p>"), "{text}");
        assert!(text.contains("<summary>Other models (1)</summary>") && !text.contains("<script"), "{text}");
        assert!(text.contains("<caption>Numbers</caption>") && text.contains("Text &amp; more."), "{text}");
    }

    #[test]
    fn every_tag_is_closed() {
        let text = page().html();
        let body = text.split_once("</style>").expect("a style").1;
        // What was opened before the style.
        let mut open: Vec<String> = ["html", "head"].map(str::to_owned).into();
        for part in body.split('<').skip(1) {
            let tag = part.split(['>', ' ', '\n']).next().unwrap_or_default();
            match tag.strip_prefix('/') {
                Some(tag) => assert_eq!(open.pop().as_deref(), Some(tag), "{text}"),
                None => open.push(tag.to_owned()),
            }
        }
        assert_eq!(open, [""; 0], "{text}");
        assert!(text.ends_with("</html>\n"));
    }
}
