//! What is drawn, and refusals.

use super::*;

fn map() -> HeatMap {
    HeatMap {
        title: "A map".into(),
        rows: vec!["layer 0".into(), "layer 1".into()],
        columns: vec!["q_proj".into(), "up".into(), "down".into()],
        values: vec![vec![Some(0.0), Some(0.25), None], vec![Some(0.5), Some(0.75), Some(1.0)]],
        legend: "cosine of the weights".into(),
        range: None,
    }
}

#[test]
fn everything_a_reader_needs_is_there() {
    let svg = map().svg().unwrap();
    for text in ["A map", "layer 1", "q_proj", "0.25", "0.75", "cosine of the weights"] {
        assert!(svg.contains(text), "{text}");
    }
    // The cells of 0, of 0.5 and of 1.
    for colour in ["#440154", "#21908C", "#FDE725"] {
        assert!(svg.contains(&format!("fill=\"{colour}\"")), "{colour}");
    }
    let hatching = |map: &HeatMap| map.svg().unwrap().matches("#A0A0A0").count();
    let mut full = map();
    full.values[0][2] = Some(0.1);
    assert!(hatching(&map()) > 3);
    assert_eq!(hatching(&full), 0);
}

#[test]
fn the_range_decides_the_colours() {
    let colours = |range| {
        let svg = HeatMap { range, ..map() }.svg().unwrap();
        // The text in a cell is as dark as its ground is light.
        svg.matches("fill=\"#FFFFFF\"").count()
    };
    assert!(colours(Some([0.0, 100.0])) > colours(None));
    let fixed = HeatMap { range: Some([0.0, 1.0]), ..map() };
    assert_eq!(fixed.svg().unwrap(), map().svg().unwrap(), "0 and 1 are round");
}

#[test]
fn png_and_svg_have_the_same_size_and_always_the_same_bytes() {
    let map = map();
    let (svg, png) = (map.svg().unwrap(), map.png().unwrap());
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    let number = |at: usize| u32::from_be_bytes([png[at], png[at + 1], png[at + 2], png[at + 3]]);
    let size = format!("<svg width=\"{}\" height=\"{}\"", number(16) / 2, number(20) / 2);
    assert!(svg.starts_with(&size), "{size}");
    assert!(map.svg().unwrap() == svg && map.png().unwrap() == png);
}

#[test]
fn numbers_that_need_too_much_room_are_left_out() {
    let mut map = map();
    map.values[1][2] = Some(1e9);
    map.values[0][0] = Some(1.5);
    assert!(map.svg().unwrap().contains("1000000000"));
    map.values[1][2] = Some(1e12);
    let svg = map.svg().unwrap();
    // Once on the colour bar.
    assert_eq!(svg.matches("1000000000000").count(), 1);
}

#[test]
fn large_and_empty_maps_are_drawn() {
    let rows: Vec<String> = (0..80).map(|row| format!("layer {row}")).collect();
    let values = vec![vec![None; 3]; 80];
    let svg = HeatMap { rows, values, ..map() }.svg().unwrap();
    assert!(svg.contains("layer 79"));
}

#[test]
fn what_cannot_be_drawn_is_refused() {
    let message = |map: HeatMap| map.svg().unwrap_err().to_string();
    assert!(message(HeatMap { rows: vec![], ..map() }).contains("`rows` is empty"));
    assert!(message(HeatMap { columns: vec![], ..map() }).contains("`columns` is empty"));
    let found = message(HeatMap { values: vec![vec![None; 3]], ..map() });
    assert!(found.contains("expected 2 rows of 3 values, got 1 rows of [3]"), "{found}");
    assert!(message(HeatMap { range: Some([1.0, 1.0]), ..map() }).contains("from 1 to 1 is empty"));
    assert!(message(HeatMap { range: Some([0.0, f64::NAN]), ..map() }).contains("`range` is NaN"));
    let mut infinite = map();
    infinite.values[1][0] = Some(f64::INFINITY);
    let found = infinite.png().unwrap_err().to_string();
    assert!(found.contains("heat map `A map`: `values` is inf"), "{found}");
}
