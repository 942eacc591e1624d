//! Where the boxes, arrows and labels of a diagram stand.

use super::{Arrow, BoxLine, Diagram, DiagramBox};
use crate::font;

// Sizes in points of the SVG.
pub(super) const MARGIN: f64 = 16.0;
pub(super) const TITLE_FONT: f64 = 20.0;
pub(super) const TITLE_LINE: f64 = 26.0;
pub(super) const HEAD_FONT: f64 = 16.0;
pub(super) const HEAD_LINE: f64 = 20.0;
pub(super) const LINE_FONT: f64 = 15.0;
pub(super) const LINE: f64 = 20.0;
pub(super) const LABEL_FONT: f64 = 14.0;
pub(super) const LABEL_LINE: f64 = 18.0;
pub(super) const NOTE_FONT: f64 = 14.0;
pub(super) const NOTE_LINE: f64 = 19.0;
/// Room around the text of a box.
pub(super) const PADDING: f64 = 11.0;
/// Height of a bar with what separates it from the next line.
pub(super) const BAR: f64 = 6.0;
pub(super) const BELOW_BAR: f64 = 6.0;
/// Width at which text in boxes is broken, for each column that a box takes.
const WIDEST: f64 = 235.0;
/// Width at which the labels of arrows are broken.
const WIDEST_LABEL: f64 = 160.0;
/// Least room between a label and its value.
const BESIDE: f64 = 18.0;
/// Length of an arrow on either side of its label, enough to show its head.
const ARROW: f64 = 34.0;
/// Between columns and rows without arrows.
const COLUMN_GAP: f64 = 60.0;
const ROW_GAP: f64 = 22.0;
/// Between the rows that an arrow joins.
const ARROW_GAP: f64 = 32.0;
/// Distance between the ends of arrows at one side of a box.
const APART: f64 = 28.0;
/// Least width of a diagram, for its title and its notes.
const LEAST: f64 = 460.0;

/// A rectangle by its edges.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rectangle {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
}

/// Text of a box, broken into lines.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Content {
    pub(super) head: Vec<String>,
    pub(super) lines: Vec<Line>,
}

/// A line of a box as it is drawn.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Line {
    Text(String),
    Value { label: String, value: String, share: Option<f64> },
}

/// An arrow as it is drawn.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stroke {
    pub(super) from: (f64, f64),
    pub(super) to: (f64, f64),
    /// Lines of the label, and its ground.
    pub(super) label: Vec<String>,
    pub(super) ground: Rectangle,
    pub(super) has_head: bool,
}

/// Where everything stands.
pub(super) struct Plan {
    pub(super) title: Vec<String>,
    pub(super) boxes: Vec<(Rectangle, Content)>,
    pub(super) arrows: Vec<Stroke>,
    pub(super) notes: Vec<String>,
    /// Upper edge of the notes.
    pub(super) notes_top: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Rectangle {
    pub(super) fn middle(&self) -> (f64, f64) {
        ((self.left + self.right) / 2.0, (self.top + self.bottom) / 2.0)
    }

    pub(super) fn overlaps(&self, other: &Rectangle) -> bool {
        let apart = self.right <= other.left || other.right <= self.left;
        !apart && self.top < other.bottom && other.top < self.bottom
    }

    /// Whether a part of the line from one point to another lies inside.
    pub(super) fn is_crossed(&self, from: (f64, f64), to: (f64, f64)) -> bool {
        // Liang and Barsky: the part of the line between all four edges.
        let (mut first, mut last) = (0.0_f64, 1.0_f64);
        let axes = [(from.0, to.0 - from.0, self.left, self.right), (from.1, to.1 - from.1, self.top, self.bottom)];
        for (start, step, low, high) in axes {
            if step == 0.0 {
                if start <= low || start >= high {
                    return false;
                }
                continue;
            }
            let (enters, leaves) = ((low - start) / step, (high - start) / step);
            first = first.max(enters.min(leaves));
            last = last.min(enters.max(leaves));
        }
        first < last
    }
}

impl Content {
    fn new(each: &DiagramBox) -> Self {
        let widest = WIDEST * (each.columns[1] - each.columns[0] + 1) as f64;
        let mut lines = Vec::new();
        for line in &each.lines {
            match line {
                BoxLine::Text(text) => {
                    lines.extend(font::wrapped(text, LINE_FONT, widest).into_iter().map(Line::Text));
                }
                BoxLine::Value { label, value, share } => {
                    let (label, value, share) = (label.clone(), value.clone(), *share);
                    lines.push(Line::Value { label, value, share });
                }
            }
        }
        Self { head: font::wrapped(&each.title, HEAD_FONT, widest), lines }
    }

    pub(super) fn head_height(&self) -> f64 {
        HEAD_LINE * self.head.len() as f64 + 0.8 * PADDING
    }

    pub(super) fn width(&self) -> f64 {
        let heads = self.head.iter().map(|line| font::width(line, HEAD_FONT));
        let lines = self.lines.iter().map(Line::width);
        heads.chain(lines).fold(0.0, f64::max) + 2.0 * PADDING
    }

    pub(super) fn height(&self) -> f64 {
        let lines: f64 = self.lines.iter().map(Line::height).sum();
        self.head_height() + if self.lines.is_empty() { 0.0 } else { lines + PADDING }
    }
}

impl Line {
    fn width(&self) -> f64 {
        match self {
            Line::Text(text) => font::width(text, LINE_FONT),
            Line::Value { label, value, .. } => font::width(label, LINE_FONT) + BESIDE + font::width(value, LINE_FONT),
        }
    }

    pub(super) fn height(&self) -> f64 {
        match self {
            Line::Value { share: Some(_), .. } => LINE + BAR + BELOW_BAR,
            _ => LINE,
        }
    }
}

/// Sizes of the columns or rows of a grid, and of the gaps after them.
struct Tracks {
    sizes: Vec<f64>,
    gaps: Vec<f64>,
}

impl Tracks {
    /// Tracks that hold all `(first, last, size)`, narrower ranges first; what is missing is shared out evenly.
    fn new(mut ranges: Vec<([usize; 2], f64)>, gap: f64) -> Self {
        let count = ranges.iter().map(|([_, last], _)| last + 1).max().unwrap_or_default();
        let mut tracks = Self { sizes: vec![0.0; count], gaps: vec![gap; count] };
        ranges.sort_by_key(|([first, last], _)| last - first);
        for (range, size) in ranges {
            tracks.widen(range, size);
        }
        tracks
    }

    fn widen(&mut self, [first, last]: [usize; 2], size: f64) {
        let (start, end) = self.edges([first, last]);
        let missing = (size - (end - start)).max(0.0) / (last - first + 1) as f64;
        self.sizes[first..=last].iter_mut().for_each(|track| *track += missing);
    }

    fn widen_gap(&mut self, after: usize, size: f64) {
        self.gaps[after] = self.gaps[after].max(size);
    }

    /// Where a range starts and ends.
    fn edges(&self, [first, last]: [usize; 2]) -> (f64, f64) {
        let start: f64 = (0..first).map(|track| self.sizes[track] + self.gaps[track]).sum();
        let inner: f64 = self.gaps[first..last].iter().sum();
        (start, start + self.sizes[first..=last].iter().sum::<f64>() + inner)
    }

    fn end(&self) -> f64 {
        self.edges([0, self.sizes.len() - 1]).1
    }
}

/// Whether an arrow runs from one column to another, rather than within one.
fn is_across(from: &DiagramBox, to: &DiagramBox) -> bool {
    from.columns[1] < to.columns[0] || to.columns[1] < from.columns[0]
}

impl Diagram {
    pub(super) fn plan(&self) -> Plan {
        let contents: Vec<Content> = self.boxes.iter().map(Content::new).collect();
        let sized = || self.boxes.iter().zip(&contents);
        let mut columns =
            Tracks::new(sized().map(|(each, content)| (each.columns, content.width())).collect(), COLUMN_GAP);
        let mut rows = Tracks::new(sized().map(|(each, content)| (each.rows, content.height())).collect(), ROW_GAP);
        let labels: Vec<Vec<String>> = self.arrows.iter().map(label).collect();
        for (arrow, label) in self.arrows.iter().zip(&labels) {
            let (from, to) = (&self.boxes[arrow.from], &self.boxes[arrow.to]);
            if is_across(from, to) {
                columns.widen_gap(from.columns[1].min(to.columns[1]), label_width(label) + 2.0 * ARROW);
            } else {
                rows.widen_gap(from.rows[1].min(to.rows[1]), ARROW_GAP.max(label_height(label) + 14.0));
            }
        }
        let width = (columns.end() + 2.0 * MARGIN).max(LEAST);
        // A narrow diagram stands in the middle below a wide title.
        let left = (width - columns.end()) / 2.0;
        let title = font::wrapped(&self.title, TITLE_FONT, width - 2.0 * MARGIN);
        let top = MARGIN + TITLE_LINE * title.len() as f64 + 8.0;
        let place = |each: &DiagramBox, content: &Content| {
            let ((from, to), (upper, lower)) = (columns.edges(each.columns), rows.edges(each.rows));
            // Boxes of one row are of one height.
            let height = if each.rows[0] == each.rows[1] { lower - upper } else { content.height() };
            let first = top + (upper + lower - height) / 2.0;
            Rectangle { left: left + from, right: left + to, top: first, bottom: first + height }
        };
        let places: Vec<Rectangle> = sized().map(|(each, content)| place(each, content)).collect();
        let arrows = self.strokes(&places, labels);
        let rights = arrows.iter().filter(|arrow| !arrow.label.is_empty()).map(|arrow| arrow.ground.right + MARGIN);
        let width = rights.fold(width, f64::max);
        let notes: Vec<String> =
            self.notes.iter().flat_map(|note| font::wrapped(note, NOTE_FONT, width - 2.0 * MARGIN)).collect();
        let notes_top = top + rows.end() + MARGIN;
        let height = notes_top + NOTE_LINE * notes.len() as f64 + if notes.is_empty() { 0.0 } else { 0.6 * MARGIN };
        Plan { title, boxes: places.into_iter().zip(contents).collect(), arrows, notes, notes_top, width, height }
    }

    /// Arrows from edge to edge; those that meet at one side of a box are spread out, in the order of their other ends.
    fn strokes(&self, places: &[Rectangle], labels: Vec<Vec<String>>) -> Vec<Stroke> {
        let mut strokes = Vec::new();
        for (index, (arrow, label)) in self.arrows.iter().zip(labels).enumerate() {
            let (from, to) = (&places[arrow.from], &places[arrow.to]);
            let has_head = arrow.has_head;
            if is_across(&self.boxes[arrow.from], &self.boxes[arrow.to]) {
                let is_right = from.right < to.left;
                let x = |place: &Rectangle, right: bool| if right { place.right } else { place.left };
                let start = (x(from, is_right), self.height_of_end(places, index, arrow.from));
                let end = (x(to, !is_right), self.height_of_end(places, index, arrow.to));
                let middle = ((start.0 + end.0) / 2.0, (start.1 + end.1) / 2.0);
                let (width, height) = (label_width(&label), label_height(&label));
                let ground = Rectangle {
                    left: middle.0 - width / 2.0,
                    right: middle.0 + width / 2.0,
                    top: middle.1 - height / 2.0,
                    bottom: middle.1 + height / 2.0,
                };
                strokes.push(Stroke { from: start, to: end, label, ground, has_head });
            } else {
                let x = (from.left.max(to.left) + from.right.min(to.right)) / 2.0;
                let (start, end) = if from.top < to.top { (from.bottom, to.top) } else { (from.top, to.bottom) };
                let (middle, height) = ((start + end) / 2.0, label_height(&label));
                let ground = Rectangle {
                    left: x + 6.0,
                    right: x + 6.0 + label_width(&label),
                    top: middle - height / 2.0,
                    bottom: middle + height / 2.0,
                };
                strokes.push(Stroke { from: (x, start), to: (x, end), label, ground, has_head });
            }
        }
        strokes
    }

    /// At which height the arrow at `index` meets a side of the box at `at`.
    fn height_of_end(&self, places: &[Rectangle], index: usize, at: usize) -> f64 {
        let other = |arrow: &Arrow| if arrow.from == at { arrow.to } else { arrow.from };
        let is_right = |arrow: &Arrow| places[other(arrow)].left > places[at].left;
        let mut ends: Vec<usize> = (0..self.arrows.len())
            .filter(|&each| {
                let arrow = &self.arrows[each];
                (arrow.from == at || arrow.to == at)
                    && is_across(&self.boxes[arrow.from], &self.boxes[arrow.to])
                    && is_right(arrow) == is_right(&self.arrows[index])
            })
            .collect();
        ends.sort_by(|&a, &b| {
            let height = |each: usize| places[other(&self.arrows[each])].middle().1;
            height(a).total_cmp(&height(b))
        });
        let rank = ends.iter().position(|&each| each == index).unwrap_or_default();
        let place = &places[at];
        let apart = APART.min((place.bottom - place.top) / (ends.len() + 1) as f64);
        place.middle().1 + apart * (rank as f64 - (ends.len() - 1) as f64 / 2.0)
    }
}

impl Plan {
    /// What lies on what, if anything does.
    pub(super) fn collision(&self, diagram: &Diagram) -> Option<String> {
        let title = |index: usize| format!("`{}`", diagram.boxes[index].title);
        for (index, (place, _)) in self.boxes.iter().enumerate() {
            if let Some(other) = self.boxes[..index].iter().position(|(other, _)| other.overlaps(place)) {
                return Some(format!("{} lies on {}", title(index), title(other)));
            }
        }
        for (index, (stroke, arrow)) in self.arrows.iter().zip(&diagram.arrows).enumerate() {
            let name = format!("the arrow from {} to {}", title(arrow.from), title(arrow.to));
            let crosses = |(at, (place, _)): (usize, &(Rectangle, Content))| {
                let is_end = at == arrow.from || at == arrow.to;
                let is_crossed = !is_end && place.is_crossed(stroke.from, stroke.to);
                is_crossed || (!stroke.label.is_empty() && place.overlaps(&stroke.ground))
            };
            if let Some(at) = self.boxes.iter().enumerate().position(crosses) {
                return Some(format!("{name} crosses {}", title(at)));
            }
            let mut labels = self.arrows[..index].iter().filter(|other| !other.label.is_empty());
            if !stroke.label.is_empty() && labels.any(|other| other.ground.overlaps(&stroke.ground)) {
                return Some(format!("the label of {name} lies on another"));
            }
        }
        None
    }
}

fn label(arrow: &Arrow) -> Vec<String> {
    if arrow.label.is_empty() {
        return Vec::new();
    }
    arrow.label.split('\n').flat_map(|line| font::wrapped(line, LABEL_FONT, WIDEST_LABEL)).collect()
}

fn label_width(label: &[String]) -> f64 {
    label.iter().map(|line| font::width(line, LABEL_FONT) + 8.0).fold(0.0, f64::max)
}

fn label_height(label: &[String]) -> f64 {
    LABEL_LINE * label.len() as f64
}
