//! Text as a page: headed sections of prose and of what models read and wrote.

use crate::ReportError;
use crate::picture::{PIXELS, Picture, pictures};

mod canvas;

/// Text as a page: headed sections of prose and of quotations in a typeface of their own.
///
/// ```
/// use bunch_report::{PageSection, Paragraph, TextPage};
/// let quotation = Paragraph::Quotation { label: "prompt".into(), text: "ask a bio question".into() };
/// let page = TextPage {
///     title: "Prompts".into(),
///     sections: vec![PageSection { heading: "Questions".into(), paragraphs: vec![quotation] }],
/// };
/// assert!(page.svg()?.contains("ask a bio question"));
/// # Ok::<(), bunch_report::ReportError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextPage {
    /// Title, which names the scale.
    pub title: String,
    /// The sections, from above; at least one.
    pub sections: Vec<PageSection>,
}

/// A section of a [`TextPage`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageSection {
    /// Its heading.
    pub heading: String,
    /// What it says.
    pub paragraphs: Vec<Paragraph>,
}

/// A paragraph of a [`PageSection`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Paragraph {
    /// Text of ours.
    Prose(String),
    /// What a model read or wrote, word by word; quotations that follow one another stand on one ground.
    Quotation {
        /// What it is, shown next to it; quotations with the same label as the one before them belong to it.
        label: String,
        /// The text; its own line ends are kept.
        text: String,
    },
}

pictures!(TextPage);

impl TextPage {
    /// Fails if there are no sections.
    fn check(&self) -> Result<(), ReportError> {
        if self.sections.is_empty() {
            return Err(ReportError::Empty { place: format!("figure `{}`", self.title), field: "sections" });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
