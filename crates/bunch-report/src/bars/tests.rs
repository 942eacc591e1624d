//! What is drawn, and refusals.

use super::*;

fn between(low: f64, high: f64) -> Option<Interval> {
    Some(Interval { low, high })
}

fn bars() -> Bars {
    let series = |label: &str, values: [Option<(f64, Option<Interval>)>; 2]| BarSeries {
        label: label.into(),
        values: values.to_vec(),
    };
    Bars {
        title: "Safety by category".into(),
        x_label: "safe responses".into(),
        x_is_percent: true,
        categories: vec!["weapons".into(), "privacy".into()],
        series: vec![
            series("aligned", [Some((93.5, between(91.0, 96.0))), Some((99.0, between(96.0, 102.0)))]),
            series("merged", [Some((50.0, None)), None]),
            series("absent", [None, None]),
        ],
    }
}

#[test]
fn everything_a_reader_needs_is_there() {
    let svg = bars().svg().unwrap();
    for text in ["Safety by category", "safe responses (%)", "weapons", "privacy", "aligned", "merged", "95 %"] {
        assert!(svg.contains(text), "{text}");
    }
    assert!(!svg.contains("absent"), "a series without numbers is not in the legend");
    // Three marks, and two in the legend.
    assert_eq!(svg.matches("#FFFFFF\" points").count(), 5);
}

#[test]
fn percentages_end_at_100_and_other_numbers_do_not() {
    assert!(bars().axis().high < 103.0);
    let nats = Bars { x_is_percent: false, ..bars() };
    assert!(nats.axis().high >= 102.0 && nats.axis().label == "safe responses");
}

#[test]
fn more_series_and_longer_names_need_more_height() {
    let height = |change: fn(&mut Bars)| {
        let mut bars = bars();
        change(&mut bars);
        bars.size().1
    };
    let usual = height(|_| ());
    assert!(height(|bars| bars.series.extend(bars.series.clone())) > usual);
    assert!(height(|bars| bars.categories[0] = "a very long name ".repeat(9)) > usual);
}

#[test]
fn png_and_svg_have_the_same_size_and_always_the_same_bytes() {
    let (svg, png) = (bars().svg().unwrap(), bars().png().unwrap());
    let number = |at: usize| u32::from_be_bytes([png[at], png[at + 1], png[at + 2], png[at + 3]]);
    assert!(svg.starts_with(&format!("<svg width=\"{}\" height=\"{}\"", number(16) / 2, number(20) / 2)));
    assert!(bars().svg().unwrap() == svg && bars().png().unwrap() == png);
}

#[test]
fn what_cannot_be_drawn_is_refused() {
    let message = |change: fn(&mut Bars)| {
        let mut bars = bars();
        change(&mut bars);
        bars.svg().unwrap_err().to_string()
    };
    assert!(message(|bars| bars.categories.clear()).contains("`categories` is empty"));
    let short = message(|bars| bars.series[1].values.truncate(1));
    assert!(short.contains("`merged` has 1 values, expected 2"), "{short}");
    let endless = message(|bars| bars.series[0].values[0] = Some((f64::INFINITY, None)));
    assert!(endless.contains("series `aligned`: `mean` is inf"), "{endless}");
    let turned = message(|bars| bars.series[0].values[0] = Some((1.0, between(2.0, 1.0))));
    assert!(turned.contains("`width of an interval` is -1, expected at least 0"), "{turned}");
    assert!(Bars { series: vec![], ..bars() }.svg().is_ok(), "no series is an empty figure");
}
