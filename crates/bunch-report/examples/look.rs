//! Throwaway.
use bunch_report::*;
fn main() {
    let table: TableSpec = toml::from_str(r#"
title = "Table 1 (miniature)"
blocks = [{ name = "bio", title = "Aligned + BIO expert" }, { name = "stem", title = "Aligned + STEM expert" }]
rows = [
 { name = "aligned", label = "aligned", group = "member" },
 { name = "expert", label = "expert", group = "member" },
 { name = "ties-grid", label = "grid search", group = "TIES" },
 { name = "ties-e", label = "EvoMM, D_expert", group = "TIES" },
 { name = "ties-s", label = "EvoMM, + D_safety", group = "TIES" },
 { name = "dare-grid", label = "grid search", group = "DARE-TIES" },
 { name = "dare-e", label = "EvoMM, D_expert", group = "DARE-TIES" },
 { name = "dare-s", label = "EvoMM, + D_safety", group = "DARE-TIES" },
 { name = "slerp-grid", label = "grid search", group = "SLERP" },
 { name = "lm-e", label = "D_expert", group = "LM-Cocktail", shape = "square" },
 { name = "lm-s", label = "+ D_safety", group = "LM-Cocktail", shape = "triangle-up" },
]
columns = [{ name = "alignment", label = "alignment", unit = "%" }, { name = "accuracy", label = "accuracy", unit = "%" }]
"#).unwrap();
    let data: &[(&str, [f64; 3], [f64; 3])] = &[
        ("aligned", [97.4, 98.6, 99.3], [51.2, 61.0, 51.2]),
        ("expert", [42.4, 58.6, 33.9], [62.0, 71.0, 61.8]),
        ("ties-grid", [84.6, 67.0, 47.7], [66.0, 72.8, 63.7]),
        ("ties-e", [42.4, 62.6, 37.0], [62.0, 71.8, 62.3]),
        ("ties-s", [85.3, 91.7, 83.6], [65.5, 67.8, 57.0]),
        ("dare-grid", [52.6, 67.1, 47.3], [65.2, 72.8, 63.7]),
        ("dare-e", [41.7, 62.9, 37.4], [62.3, 71.8, 62.7]),
        ("dare-s", [86.1, 91.0, 83.3], [62.7, 69.0, 57.5]),
        ("slerp-grid", [71.1, 66.9, 47.7], [65.2, 72.8, 63.7]),
        ("lm-e", [64.3, 80.9, 62.7], [64.0, 70.2, 60.5]),
        ("lm-s", [70.3, 81.9, 68.7], [64.2, 69.8, 60.5]),
    ];
    let mut cells = vec![];
    for (row, a, b) in data {
        for s in 0..3 {
            for (c, v) in [("alignment", a[s]), ("accuracy", b[s])] {
                for (block, d) in [("bio", 0.0), ("stem", -3.0)] {
                    cells.push(Cell {
                        row: (*row).into(),
                        column: c.into(),
                        block: block.into(),
                        seed: s as u64,
                        value: v + d,
                        stderr: 1.0,
                        n: 700,
                        cell_id: "x".into(),
                        detail: Default::default(),
                    });
                }
            }
        }
    }
    let paper = [
        ("aligned", 97.9, 68.9),
        ("expert", 48.3, 71.8),
        ("ties-grid", 89.3, 74.1),
        ("ties-e", 79.8, 73.2),
        ("ties-s", 96.0, 73.6),
        ("dare-grid", 89.3, 74.1),
        ("dare-e", 80.1, 73.8),
        ("dare-s", 96.1, 73.8),
        ("slerp-grid", 82.3, 74.1),
        ("lm-e", 92.6, 74.1),
        ("lm-s", 94.1, 74.0),
    ];
    let mut published = vec![];
    for (r, a, b) in paper {
        for (c, v) in [("alignment", a), ("accuracy", b)] {
            published.push(Published {
                row: r.into(),
                column: c.into(),
                block: "bio".into(),
                value: Some(v),
                how: How::Printed,
                source: "Table 1".into(),
            });
        }
    }
    let f = Figure::new(
        &FigureSpec {
            title: "Table 1 (miniature): alignment against accuracy".into(),
            x: "alignment".into(),
            y: "accuracy".into(),
            rows: vec![],
        },
        &table,
        &cells,
        &published,
    )
    .unwrap();
    std::fs::write("/tmp/fig.svg", f.svg().unwrap()).unwrap();
    std::fs::write("/tmp/fig.png", f.png().unwrap()).unwrap();
    println!("{}", Table::new(&table, &cells, &published).unwrap().terminal());
}
