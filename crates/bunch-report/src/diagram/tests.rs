//! Where boxes stand, what is drawn, and refusals.

use super::plan::{HEAD_FONT, LINE_FONT, Line, MARGIN, PADDING, Rectangle};
use super::*;
use crate::font;
use proptest::prelude::*;

fn a_box(title: &str, columns: [usize; 2], rows: [usize; 2], lines: Vec<BoxLine>) -> DiagramBox {
    DiagramBox { title: title.into(), lines, columns, rows, tone: Tone::Cool }
}

fn value(label: &str, value: &str, share: Option<f64>) -> BoxLine {
    BoxLine::Value { label: label.into(), value: value.into(), share }
}

fn arrow(from: usize, to: usize, label: &str) -> Arrow {
    Arrow { from, to, label: label.into(), has_head: true }
}

/// Two members, a merge of both, and a wide box below.
fn diagram() -> Diagram {
    Diagram {
        title: "Merging as measured".into(),
        boxes: vec![
            a_box("aligned model", [0, 0], [0, 0], vec![value("alignment", "97.3 ± 0.5 %", Some(0.973))]),
            a_box("expert", [0, 0], [1, 1], vec![value("alignment", "31.0 ± 4.5 %", Some(0.31))]),
            a_box("merge", [1, 1], [0, 1], vec![BoxLine::Text("as the grid found it best ".repeat(4))]),
            a_box("what follows", [0, 1], [2, 2], vec![]),
        ],
        arrows: vec![arrow(0, 2, "1.0\nof tau"), arrow(1, 2, "0.5 of tau"), arrow(1, 3, "200 questions")],
        notes: vec!["Means over three seeds, with 95 % intervals.".into()],
    }
}

#[test]
fn everything_a_reader_needs_is_there() {
    let svg = diagram().svg().unwrap();
    for text in ["Merging as measured", "aligned model", "97.3 ± 0.5 %", "of tau", "200 questions", "95 % intervals"] {
        assert!(svg.contains(text), "{text}");
    }
    assert!(diagram().png().unwrap().starts_with(b"\x89PNG"));
}

#[test]
fn the_same_diagram_is_the_same_picture() {
    assert_eq!(diagram().svg().unwrap(), diagram().svg().unwrap());
    assert_eq!(diagram().png().unwrap(), diagram().png().unwrap());
}

/// Nothing lies on anything else, and text ends before its box does.
fn assert_tidy(diagram: &Diagram) {
    let plan = diagram.plan();
    assert_eq!(plan.collision(diagram), None);
    for (index, (place, content)) in plan.boxes.iter().enumerate() {
        assert!(plan.boxes[..index].iter().all(|(other, _)| !other.overlaps(place)), "{place:?}");
        assert!(place.left >= MARGIN - 1e-9 && place.right <= plan.width - MARGIN + 1e-9, "{place:?}");
        assert!(place.bottom <= plan.notes_top, "{place:?}");
        let room = place.right - place.left - 2.0 * PADDING + 1e-9;
        assert!(content.head.iter().all(|line| font::width(line, HEAD_FONT) <= room), "{:?}", content.head);
        for line in &content.lines {
            let width = match line {
                Line::Text(text) => font::width(text, LINE_FONT),
                Line::Value { label, value, .. } => font::width(label, LINE_FONT) + font::width(value, LINE_FONT),
            };
            assert!(width <= room, "{line:?}");
        }
        let lines: f64 = content.lines.iter().map(Line::height).sum();
        assert!(content.head_height() + lines <= place.bottom - place.top + 1e-9);
    }
    for stroke in &plan.arrows {
        assert!(stroke.ground.right <= plan.width || stroke.label.is_empty());
    }
}

#[test]
fn boxes_and_labels_do_not_overlap() {
    assert_tidy(&diagram());
    let plan = diagram().plan();
    let places: Vec<&Rectangle> = plan.boxes.iter().map(|(place, _)| place).collect();
    assert_eq!((places[0].left, places[0].right), (places[1].left, places[1].right), "one column, one width");
    assert_eq!((places[3].left, places[3].right), (places[0].left, places[2].right), "a wide box takes both columns");
    let ends: Vec<f64> = plan.arrows[..2].iter().map(|stroke| stroke.to.1).collect();
    assert!(ends[0] < ends[1], "arrows do not cross where they meet");
}

proptest! {
    #[test]
    fn whatever_is_written_fits(titles in prop::collection::vec("[a-z ]{1,80}", 4), label in "[a-z ]{0,60}") {
        let mut diagram = diagram();
        for (each, title) in diagram.boxes.iter_mut().zip(titles) {
            each.lines.push(BoxLine::Text(title.repeat(2)));
            each.lines.push(value(&title, "12.3 %", Some(1.0)));
            each.title = title;
        }
        diagram.arrows[0].label = label.trim().into();
        assert_tidy(&diagram);
    }
}

#[test]
fn what_cannot_be_drawn_is_refused() {
    let refused = |change: fn(&mut Diagram), message: &str| {
        let mut diagram = diagram();
        change(&mut diagram);
        let error = diagram.svg().unwrap_err().to_string();
        assert!(error.contains(message) && diagram.png().is_err(), "{error}");
    };
    refused(|diagram| diagram.boxes.clear(), "`boxes` is empty");
    refused(|diagram| diagram.boxes[3].rows = [3, 2], "the place of `what follows` ends before it starts");
    refused(
        |diagram| diagram.boxes[0].lines = vec![value("a", "b", Some(1.5))],
        "share of 1.5, expected one from 0 to 1",
    );
    refused(|diagram| diagram.boxes[0].lines = vec![value("a", "b", Some(f64::NAN))], "share of NaN");
    refused(|diagram| diagram.arrows[0].to = 9, "an arrow from box 0 to box 9 of 4");
    refused(|diagram| diagram.arrows[0].to = 0, "an arrow from box 0 to box 0");
    refused(|diagram| diagram.boxes[1].rows = [0, 0], "`expert` lies on `aligned model`");
    refused(|diagram| diagram.arrows[0].to = 3, "the arrow from `aligned model` to `what follows` crosses `expert`");
    refused(|diagram| diagram.arrows.push(arrow(2, 0, &"and back ".repeat(20))), "lies on another");
}

#[test]
fn lines_through_a_rectangle_are_found() {
    let place = Rectangle { left: 0.0, top: 0.0, right: 10.0, bottom: 10.0 };
    assert!(place.is_crossed((-5.0, 5.0), (15.0, 5.0)) && place.is_crossed((5.0, -1.0), (5.0, 3.0)));
    assert!(place.is_crossed((-1.0, 8.0), (3.0, 12.0)), "a corner is cut");
    assert!(!place.is_crossed((-5.0, 5.0), (0.0, 5.0)), "an edge is touched");
    assert!(!place.is_crossed((-1.0, 10.0), (11.0, 10.0)) && !place.is_crossed((-3.0, 8.0), (3.0, 14.0)));
}
