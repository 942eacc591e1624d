//! Where text stands, and what is drawn.

use super::canvas::{Piece, WIDTH};
use super::*;

fn quotation(label: &str, text: &str) -> Paragraph {
    Paragraph::Quotation { label: label.into(), text: text.into() }
}

fn page() -> TextPage {
    TextPage {
        title: "Prompts for domain data".into(),
        sections: vec![
            PageSection {
                heading: "A question".into(),
                paragraphs: vec![
                    Paragraph::Prose("The expert is asked for a question of its own domain. ".repeat(4)),
                    quotation("prompt", "ask a bio question"),
                    quotation("it reads", &"<bos> <usr> ask a bio question <bot> ".repeat(5)),
                ],
            },
            PageSection { heading: "Pairs".into(), paragraphs: vec![quotation("question", "first line\nsecond line")] },
        ],
    }
}

#[test]
fn text_stays_on_the_page_and_lines_do_not_overlap() {
    let layout = page().layout();
    let mut ends: Vec<(f64, f64, f64, f64)> = Vec::new();
    for piece in &layout.pieces {
        let Piece::Line { face, size, text, place, .. } = piece else { continue };
        let right = place.0 + face.width(text, *size);
        assert!(right <= WIDTH && place.1 + size / 2.0 <= layout.bottom, "{text}");
        let (top, bottom) = (place.1 - size / 2.0, place.1 + size / 2.0);
        let overlaps = |&(left, end, upper, lower): &(f64, f64, f64, f64)| {
            place.0 < end && left < right && top < lower && upper < bottom
        };
        assert!(!ends.iter().any(overlaps), "{text}");
        ends.push((place.0, right, top, bottom));
    }
    let grounds = layout.pieces.iter().filter(|piece| matches!(piece, Piece::Ground { .. }));
    assert_eq!(grounds.count(), 2, "quotations that follow one another share theirs");
}

#[test]
fn quotations_keep_their_words_and_lines() {
    let svg = page().svg().unwrap();
    for text in ["Prompts for domain data", "A question", "ask a bio question", "first line", "second line"] {
        assert!(svg.contains(text), "{text}");
    }
    assert!(svg.contains("DejaVu Sans Mono") && svg.contains("&lt;bos&gt;"), "special tokens are text");
    assert!(!svg.contains("first line second"));
}

#[test]
fn the_same_page_is_the_same_picture() {
    assert_eq!(page().svg().unwrap(), page().svg().unwrap());
    assert_eq!(page().png().unwrap(), page().png().unwrap());
}

#[test]
fn an_empty_page_is_refused() {
    let empty = TextPage { title: "t".into(), sections: vec![] };
    assert!(empty.svg().unwrap_err().to_string().contains("`sections` is empty") && empty.png().is_err());
}
