//! Placement, bytes and refusals.

use super::*;
use crate::fixture::{cells, published, spec};
use bunch_statistics::Interval;
use plotters::style::RGBColor;

fn figure_spec() -> FigureSpec {
    FigureSpec { title: "Table 1 (miniature)".into(), x: "alignment".into(), y: "over_refusal".into(), rows: vec![] }
}

fn figure() -> Figure {
    let table = spec();
    Figure::new(&figure_spec(), &table, &cells(), &published()).unwrap()
}

#[test]
fn axes_hold_marks_and_bars_between_round_numbers() {
    let estimate = |mean, half_width| Estimate {
        seeds: 3,
        mean,
        interval: Some(Interval { low: mean - half_width, high: mean + half_width }),
        min: mean,
        max: mean,
    };
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
    let (svg, png) = (figure().svg().unwrap(), figure().to_png(1).unwrap());
    let mut changed = cells();
    changed.reverse();
    let again = Figure::new(&figure_spec(), &spec(), &changed, &published()).unwrap();
    assert!(again.svg().unwrap() == svg && again.to_png(1).unwrap() == png);
    let moved = changed.iter_mut().find(|cell| cell.row == "aligned").unwrap();
    moved.value -= 10.0;
    let other = Figure::new(&figure_spec(), &spec(), &changed, &published()).unwrap();
    assert!(other.svg().unwrap() != svg && other.to_png(1).unwrap() != png);
}

#[test]
fn a_png_is_twice_as_large_as_the_svg_and_says_nothing_of_its_making() {
    let mut table = spec();
    table.blocks.truncate(1);
    let figure = Figure::new(&figure_spec(), &table, &[], &[]).unwrap();
    let (svg, png) = (figure.svg().unwrap(), figure.png().unwrap());
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    let number = |at: usize| u32::from_be_bytes([png[at], png[at + 1], png[at + 2], png[at + 3]]);
    let size = format!("<svg width=\"{}\" height=\"{}\"", number(16) / 2, number(20) / 2);
    assert!(svg.starts_with(&size), "{size}");
    // Chunks: length, kind, contents, checksum.
    let (mut at, mut kinds) = (8, Vec::new());
    while at < png.len() {
        kinds.push(String::from_utf8_lossy(&png[at + 4..at + 8]).into_owned());
        at += 12 + number(at) as usize;
    }
    kinds.dedup();
    assert_eq!(kinds, ["IHDR", "IDAT", "IEND"]);
}

#[test]
fn an_empty_figure_is_drawn() {
    let empty = Figure::new(&figure_spec(), &spec(), &[], &[]).unwrap();
    assert!(empty.svg().unwrap().contains("alignment (%)") && !empty.to_png(1).unwrap().is_empty());
}

#[test]
fn many_panels_stand_in_rows_of_about_as_many() {
    let one = figure();
    let with = |count: usize| Figure {
        panels: one.panels.iter().cycle().take(count).cloned().collect(),
        title: one.title.clone(),
        legend: one.legend.clone(),
    };
    for (count, rows) in [(1, &[1][..]), (4, &[4]), (5, &[3, 2]), (8, &[4, 4]), (9, &[3, 3, 3])] {
        assert_eq!(with(count).rows().map(<[Panel]>::len).collect::<Vec<_>>(), rows, "{count}");
    }
    let [four, five] = [4, 5].map(|count| crate::picture::Picture::size(&with(count)));
    assert!(five.0 < four.0 && five.1 > four.1, "{four:?}, {five:?}");
}
