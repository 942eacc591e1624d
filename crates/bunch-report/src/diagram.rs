//! Boxes with numbers in them, and arrows between them: how something was done, and what was measured on the way.

use crate::ReportError;
use crate::picture::{PIXELS, Picture, pictures};

mod canvas;
mod plan;

/// Boxes with numbers in them, and arrows between them.
///
/// Boxes stand on a grid whose columns and rows are as large as what is in them. A diagram in which something would lie on
/// something else is refused.
///
/// ```
/// use bunch_report::{Arrow, BoxLine, Diagram, DiagramBox, Tone};
/// let line = BoxLine::Value { label: "alignment".into(), value: "93.5 %".into(), share: Some(0.935) };
/// let member = |row, lines| DiagramBox { title: format!("model {row}"), lines, columns: [0, 0], rows: [row, row], tone: Tone::Plain };
/// let diagram = Diagram {
///     title: "A pool".into(),
///     boxes: vec![member(0, vec![line]), member(1, vec![BoxLine::Text("not measured".into())])],
///     arrows: vec![Arrow { from: 0, to: 1, label: "fine-tuned".into(), has_head: true }],
///     notes: vec!["Means over three seeds.".into()],
/// };
/// assert!(diagram.svg()?.contains("93.5 %"));
/// # Ok::<(), bunch_report::ReportError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Diagram {
    /// Title, which names the scale the numbers were measured at.
    pub title: String,
    /// The boxes; at least one.
    pub boxes: Vec<DiagramBox>,
    /// The arrows.
    pub arrows: Vec<Arrow>,
    /// Paragraphs below, which say what the numbers are.
    pub notes: Vec<String>,
}

/// A box of a [`Diagram`].
#[derive(Debug, Clone, PartialEq)]
pub struct DiagramBox {
    /// What it is, in its head.
    pub title: String,
    /// What is in it, from above.
    pub lines: Vec<BoxLine>,
    /// First and last column of the grid that it takes, all of whose width it has.
    pub columns: [usize; 2],
    /// First and last row of the grid that it takes: it fills a row, and stands in the middle of several.
    pub rows: [usize; 2],
    /// Its colour.
    pub tone: Tone,
}

/// A line in a box.
#[derive(Debug, Clone, PartialEq)]
pub enum BoxLine {
    /// Text, over as many lines as it takes.
    Text(String),
    /// A number and what it is.
    Value {
        /// What it is, on the left.
        label: String,
        /// The number with its unit, on the right.
        value: String,
        /// Drawn as a bar below, from 0 to 1, where it is a share.
        share: Option<f64>,
    },
}

/// Colours of boxes: those of Okabe and Ito, distinguishable with every common form of colour vision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Grey, for what is given.
    Plain,
    /// Orange, for one kind of thing.
    Warm,
    /// Blue, for another.
    Cool,
    /// Green, for a third.
    Fresh,
}

/// A line from one box to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrow {
    /// Position of the box where it starts.
    pub from: usize,
    /// Position of the box where it ends.
    pub to: usize,
    /// What it says, its own line ends kept; nothing if empty.
    pub label: String,
    /// Whether it points at its end.
    pub has_head: bool,
}

pictures!(Diagram);

impl Diagram {
    /// Fails if there are no boxes, an arrow joins no two of them, a range ends before it starts, a share is not from
    /// 0 to 1, something lies on a box or on a label.
    fn check(&self) -> Result<(), ReportError> {
        if self.boxes.is_empty() {
            return Err(ReportError::Empty { place: format!("figure `{}`", self.title), field: "boxes" });
        }
        for each in &self.boxes {
            if each.columns[0] > each.columns[1] || each.rows[0] > each.rows[1] {
                return Err(self.failed(format_args!("the place of `{}` ends before it starts", each.title)));
            }
            for line in &each.lines {
                let BoxLine::Value { label, share: Some(share), .. } = line else { continue };
                if !(0.0..=1.0).contains(share) {
                    let place = format!("`{label}` of `{}`", each.title);
                    return Err(self.failed(format_args!("{place} is a share of {share}, expected one from 0 to 1")));
                }
            }
        }
        for arrow in &self.arrows {
            if arrow.from.max(arrow.to) >= self.boxes.len() || arrow.from == arrow.to {
                let Arrow { from, to, .. } = arrow;
                return Err(self.failed(format_args!("an arrow from box {from} to box {to} of {}", self.boxes.len())));
            }
        }
        match self.plan().collision(self) {
            Some(collision) => Err(self.failed(collision)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
