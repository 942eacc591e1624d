//! Placement, bytes and refusals.

use super::*;
use crate::fixture::{cell, cells, published, spec};

fn figure_spec() -> FigureSpec {
    FigureSpec { title: "Table 1 (miniature)".into(), x: "alignment".into(), y: "over_refusal".into(), rows: vec![] }
}

fn figure() -> Figure {
    let table = spec();
    Figure::new(&figure_spec(), &table, &cells(), &published()).unwrap()
}

#[test]
fn axes_hold_marks_and_bars_between_round_numbers() {
    let estimate = |mean, half_width| Estimate { seeds: 3, mean, half_width: Some(half_width), min: mean, max: mean };
    let mark = marks(&spec().rows)[0].clone();
    let point = |x, y, paper| Point { mark: mark.clone(), ours: Some((x, y)), paper };
    let points = [
        point(estimate(90.0, 30.0), estimate(55.0, 3.0), Some((48.3, 71.8))),
        point(estimate(60.0, 2.0), estimate(61.0, 1.0), None),
    ];
    let columns = spec().columns;
    let x = axis(&columns[0], &points, |pair| pair.0);
    assert_eq!((x.label.as_str(), x.low), ("alignment (%)", 40.0));
    assert!(x.high > 100.0 && x.high < 103.0, "{}", x.high);
    let y = axis(&columns[1], &points, |pair| pair.1);
    assert_eq!((y.low, y.high, y.ticks), (50.0, 75.0, vec![50.0, 55.0, 60.0, 65.0, 70.0, 75.0]));
    let nats = ColumnSpec { unit: "nats".into(), ..columns[0].clone() };
    assert!(axis(&nats, &points, |pair| pair.0).high >= 120.0, "only percentages end at 100");
    assert!(axis(&nats, &[], |pair| pair.0).high > axis(&nats, &[], |pair| pair.0).low);
}

#[test]
fn steps_are_round() {
    assert_eq!([0.3, 1.0, 1.1, 2.5, 7.0].map(round_step), [0.5, 1.0, 2.0, 5.0, 10.0]);
}

#[test]
fn groups_share_a_colour_and_rows_of_a_group_differ_in_shape() {
    let mut rows = spec().rows;
    let looks = |rows: &[RowSpec]| marks(rows).into_iter().map(|mark| (mark.colour, mark.shape)).collect::<Vec<_>>();
    let found = looks(&rows);
    assert_eq!(found[1].0, found[2].0);
    assert_eq!((found[1].1, found[2].1), (Shape::Circle, Shape::Square));
    assert!(found[0].0 != found[1].0 && found[3].0 != found[1].0 && found[3].0 != found[0].0);
    rows[3].shape = Some(Shape::Star);
    assert_eq!(looks(&rows)[3].1, Shape::Star);
    rows.iter_mut().for_each(|row| row.group.clear());
    let colours: Vec<RGBColor> = looks(&rows).into_iter().map(|look| look.0).collect();
    assert_eq!(colours, PALETTE[..4]);
}

#[test]
fn unknown_names_are_refused() {
    let message = |figure: FigureSpec| Figure::new(&figure, &spec(), &[], &[]).unwrap_err().to_string();
    assert!(message(FigureSpec { x: "accuracy".into(), ..figure_spec() }).contains("unknown column `accuracy`"));
    assert!(message(FigureSpec { rows: vec!["x".into()], ..figure_spec() }).contains("unknown row `x`"));
}

#[test]
fn svg_names_everything_a_reader_needs() {
    let svg = figure().svg().unwrap();
    for text in [
        "Table 1 (miniature)",
        "Aligned and BIO expert",
        "alignment (%)",
        "over-refusal (%)",
        "TIES grid search",
        "filled: ours",
        "font-family=\"DejaVu Sans, sans-serif\"",
    ] {
        assert!(svg.contains(text), "{text}");
    }
    assert!(svg.starts_with("<svg width=\"") && svg.trim_end().ends_with("</svg>"));
    assert!(!svg.contains("LM-Cocktail"), "a method without a point is not in the legend");
    assert!(!svg.contains("open: the paper"), "the paper has no over-refusal");
}

#[test]
fn bytes_do_not_depend_on_the_run_or_the_order_of_cells() {
    let (svg, png) = (figure().svg().unwrap(), figure().png().unwrap());
    let mut reversed = cells();
    reversed.reverse();
    let again = Figure::new(&figure_spec(), &spec(), &reversed, &published()).unwrap();
    assert_eq!(again.svg().unwrap(), svg);
    assert_eq!(again.png().unwrap(), png);
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    let chunks: Vec<&[u8]> = [b"tIME", b"tEXt"].iter().map(|kind| kind.as_slice()).collect();
    assert!(!png.windows(4).any(|window| chunks.contains(&window)), "no time or text in the file");
    let mut moved = cells();
    moved.push(cell("bio", "cocktail", "alignment", 0, 70.0));
    moved.push(cell("bio", "cocktail", "over_refusal", 0, 0.1));
    assert_ne!(Figure::new(&figure_spec(), &spec(), &moved, &published()).unwrap().png().unwrap(), png);
}

#[test]
fn an_empty_figure_is_drawn() {
    let empty = Figure::new(&figure_spec(), &spec(), &[], &[]).unwrap();
    assert!(empty.svg().unwrap().contains("alignment (%)") && !empty.png().unwrap().is_empty());
}
