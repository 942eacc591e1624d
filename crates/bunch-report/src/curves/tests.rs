//! What is drawn, and refusals.

use super::*;

fn series(label: &str, count: usize) -> CurveSeries {
    let point = |step: usize| CurvePoint {
        x: 1.0 + step as f64,
        y: 40.0 + (step % 20) as f64,
        interval: step
            .is_multiple_of(2)
            .then_some(Interval { low: 37.0 + (step % 20) as f64, high: 43.0 + (step % 20) as f64 }),
    };
    CurveSeries { label: label.into(), points: (0..count).map(point).collect(), published: vec![], dashed: false }
}

fn curves(series: Vec<CurveSeries>) -> Curves {
    let panel = CurvePanel {
        title: "a panel".into(),
        x_label: "step".into(),
        y_label: "alignment".into(),
        y_is_percent: true,
        series,
    };
    Curves { title: "Some curves".into(), panels: vec![panel], log_x: false }
}

fn dashes(curves: &Curves) -> Vec<Dash> {
    curves.looks().iter().filter_map(|look| look.dash).collect()
}

#[test]
fn everything_a_reader_needs_is_there() {
    let mut few = series("TIES", 4);
    few.published = vec![(2.0, 70.0)];
    let svg = curves(vec![few, series("", 0)]).svg().unwrap();
    for text in
        ["Some curves", "a panel", "step", "alignment (%)", "TIES", "bars: 95 % intervals", "open: the paper", "70"]
    {
        assert!(svg.contains(text), "{text}");
    }
    let mut plain = curves(vec![series("TIES", 4)]);
    plain.panels[0].series[0].points.iter_mut().for_each(|point| point.interval = None);
    let svg = plain.svg().unwrap();
    assert!(!svg.contains("95 %") && !svg.contains("the paper"), "only what occurs is explained");
}

#[test]
fn up_to_forty_points_are_marked_and_of_more_the_last() {
    // A filled mark has a white rim; one is in the legend.
    let marks = |count| curves(vec![series("a", count)]).svg().unwrap().matches("#FFFFFF\" points").count();
    assert_eq!([marks(1), marks(40), marks(41), marks(300)], [2, 41, 2, 2]);
}

#[test]
fn series_differ_without_colour() {
    let many = |count| curves((0..12).map(|index| series(&format!("s{index}"), count)).collect());
    let looks = many(5).looks();
    let pairs: Vec<_> = looks.iter().map(|look| (look.mark.shape, look.mark.colour)).collect();
    assert!((0..12).all(|index| !pairs[..index].contains(&pairs[index])));
    assert_eq!(dashes(&many(5)), [Dash::Solid; 12]);
    assert_eq!(dashes(&many(50))[..6], Dash::ALL);
    let mut asked = many(50);
    asked.panels[0].series[1].dashed = true;
    let found = dashes(&asked);
    assert!(found[1] == Dash::Dashed && found.iter().filter(|dash| **dash == Dash::Solid).count() == 11);
}

#[test]
fn a_label_has_one_look_in_all_panels() {
    let mut two = curves(vec![series("a", 3), series("b", 3)]);
    two.panels.push(CurvePanel { series: vec![series("b", 3), series("c", 3)], ..two.panels[0].clone() });
    let labels: Vec<String> = two.looks().into_iter().map(|look| look.mark.label).collect();
    assert_eq!(labels, ["a", "b", "c"]);
    // The same label, dashed and not, has one colour and two lines in the legend.
    two.panels[1].series[0].dashed = true;
    let looks = two.looks();
    assert_eq!(looks.len(), 4);
    assert_eq!(looks[1].mark, looks[2].mark);
}

#[test]
fn panels_stand_in_rows_of_three() {
    let one = curves(vec![series("a", 3)]);
    let size = |count: usize| Curves { panels: vec![one.panels[0].clone(); count], ..one.clone() }.size();
    assert!(size(3).0 > size(2).0 && size(3).1 == size(1).1);
    assert!(size(4).0 == size(3).0 && size(4).1 > size(3).1);
}

#[test]
fn png_and_svg_have_the_same_size_and_always_the_same_bytes() {
    let curves = Curves { log_x: true, ..curves(vec![series("a", 60)]) };
    let (svg, png) = (curves.svg().unwrap(), curves.png().unwrap());
    let number = |at: usize| u32::from_be_bytes([png[at], png[at + 1], png[at + 2], png[at + 3]]);
    assert!(svg.starts_with(&format!("<svg width=\"{}\" height=\"{}\"", number(16) / 2, number(20) / 2)));
    assert!(curves.svg().unwrap() == svg && curves.png().unwrap() == png);
}

#[test]
fn what_cannot_be_drawn_is_refused() {
    let message = |change: fn(&mut Curves)| {
        let mut curves = curves(vec![series("a", 3)]);
        change(&mut curves);
        curves.svg().unwrap_err().to_string()
    };
    assert!(message(|curves| curves.panels.clear()).contains("figure `Some curves`: `panels` is empty"));
    assert_eq!(
        message(|curves| curves.panels[0].series[0].points[1].y = f64::NAN),
        "figure `Some curves`, panel `a panel`, series `a`: `y` is NaN, expected a finite number"
    );
    assert!(message(|curves| curves.panels[0].series[0].published = vec![(f64::INFINITY, 1.0)]).contains("`x` is inf"));
    let turned = message(|curves| {
        curves.panels[0].series[0].points[0].interval = Some(Interval { low: 2.0, high: 1.0 });
    });
    assert!(turned.contains("`width of an interval` is -1, expected at least 0"), "{turned}");
    let zero = message(|curves| {
        curves.log_x = true;
        curves.panels[0].series[0].points[0].x = 0.0;
    });
    assert!(zero.contains("0 of `a` is on a logarithmic axis"), "{zero}");
    assert!(curves(vec![]).svg().is_ok(), "an empty panel is drawn");
}
