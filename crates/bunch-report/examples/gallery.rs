//! Draws one picture of every kind into a folder, to be looked at: `cargo run -p bunch-report --example gallery -- DIR`.

use bunch_report::{
    Arrow, BarSeries, Bars, BoxLine, Cell, CurvePanel, CurvePoint, CurveSeries, Curves, Diagram, DiagramBox, Figure,
    FigureSpec, How, PageSection, Paragraph, Published, ReportError, TableSpec, TextPage, Tone,
};
use bunch_statistics::Interval;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::args().nth(1).unwrap_or_else(|| "gallery".into());
    let directory = Path::new(&directory);
    std::fs::create_dir_all(directory)?;
    let write = |name: &str, svg: Result<String, ReportError>, png: Result<Vec<u8>, ReportError>| {
        std::fs::write(directory.join(name).with_extension("svg"), svg?)?;
        std::fs::write(directory.join(name).with_extension("png"), png?)?;
        Ok::<(), Box<dyn Error>>(())
    };
    let few = few_points();
    write("curves-few", few.svg(), few.png())?;
    let many = many_points();
    write("curves-many", many.svg(), many.png())?;
    let bars = bars();
    write("bars", bars.svg(), bars.png())?;
    let scatter = scatter()?;
    write("scatter", scatter.svg(), scatter.png())?;
    let diagram = diagram();
    write("diagram", diagram.svg(), diagram.png())?;
    let page = page();
    write("page", page.svg(), page.png())?;
    Ok(())
}

/// Seven methods, three of which score alike.
fn scatter() -> Result<Figure, Box<dyn Error>> {
    let table: TableSpec = toml::from_str(
        r#"
        title = "Table"
        blocks = [{ name = "bio", title = "Aligned and BIO expert" }, { name = "stem", title = "Aligned and STEM expert" }]
        rows = [
            { name = "aligned", label = "aligned" },
            { name = "expert", label = "expert" },
            { name = "linear", label = "default", group = "Linear" },
            { name = "linear-ours", label = "EvoMM, both data sets", group = "Linear" },
            { name = "ties", label = "default", group = "TIES" },
            { name = "ties-ours", label = "EvoMM, both data sets", group = "TIES" },
            { name = "dare", label = "default", group = "DARE" },
        ]
        columns = [{ name = "accuracy", label = "accuracy", unit = "%" }, { name = "alignment", label = "alignment", unit = "%" }]
        "#,
    )?;
    let scores = [(41.0, 97.0), (66.0, 35.0), (63.0, 71.0), (62.9, 96.1), (63.1, 71.2), (62.8, 96.0), (63.0, 70.9)];
    let mut cells = Vec::new();
    for block in ["bio", "stem"] {
        for (row, (accuracy, alignment)) in table.rows.iter().zip(scores) {
            for (column, value) in [("accuracy", accuracy), ("alignment", alignment)] {
                cells.extend((0..3).map(|seed| Cell {
                    block: block.into(),
                    row: row.name.clone(),
                    column: column.into(),
                    seed,
                    value: value + seed as f64 - 1.0,
                    stderr: 1.0,
                    n: 400,
                    cell_id: String::new(),
                    detail: BTreeMap::new(),
                }));
            }
        }
    }
    let published = |row: &str, column: &str, value: f64| Published {
        row: row.into(),
        column: column.into(),
        block: "bio".into(),
        value: Some(value),
        how: How::Printed,
        source: "Table 1".into(),
    };
    let published = [
        published("aligned", "accuracy", 45.0),
        published("aligned", "alignment", 97.9),
        published("ties", "accuracy", 60.0),
        published("ties", "alignment", 89.3),
    ];
    let spec = FigureSpec {
        title: "Accuracy and alignment (miniature)".into(),
        x: "accuracy".into(),
        y: "alignment".into(),
        rows: vec![],
    };
    Ok(Figure::new(&spec, &table, &cells, &published)?)
}

/// The interval that reaches as far to either side, but not beyond 100.
fn around(value: f64, half: f64) -> Interval {
    Interval { low: value - half, high: (value + half).min(100.0) }
}

/// Accuracy and alignment by the number of safety examples, with a paper's values.
fn few_points() -> Curves {
    let sizes = [10.0, 30.0, 100.0, 300.0, 1000.0];
    let series = |label: &str, start: f64, gain: f64, published: &[(f64, f64)], dashed: bool| CurveSeries {
        label: label.into(),
        points: sizes
            .iter()
            .enumerate()
            .map(|(index, &x)| CurvePoint {
                x,
                y: start + gain * index as f64,
                interval: (!dashed).then(|| around(start + gain * index as f64, 6.0 - index as f64)),
            })
            .collect(),
        published: published.to_vec(),
        dashed,
    };
    let panel = |title: &str, y_label: &str, shift: f64| CurvePanel {
        title: title.into(),
        x_label: "examples of D_safety".into(),
        y_label: y_label.into(),
        y_is_percent: true,
        series: vec![
            series("TIES, EvoMM on both data sets", 61.0 + shift, 7.5, &[(100.0, 89.0), (1000.0, 96.0)], false),
            series("DARE TIES", 57.0 + shift, 6.0, &[], false),
            series("Task Arithmetic", 44.0 + shift, 6.2, &[(100.0, 66.0)], false),
            series("the aligned member", 95.0 - shift, 0.0, &[], true),
        ],
    };
    Curves {
        title: "Alignment by the number of safety examples (miniature)".into(),
        panels: vec![
            panel("Aligned and BIO expert", "alignment", 0.0),
            panel("Aligned and STEM expert", "alignment", 3.0),
            panel("Aligned and law expert", "accuracy", -4.0),
            panel("All four", "accuracy", -2.0),
        ],
        log_x: true,
    }
}

/// Twelve noisy losses over 300 steps.
fn many_points() -> Curves {
    let series = |index: usize| CurveSeries {
        label: format!("model {index}"),
        points: (0..300)
            .map(|step| {
                let noise = ((step * 37 + index * 101) % 97) as f64 / 97.0 - 0.5;
                let x = f64::from(step as u16);
                let y = 0.2 + 0.15 * index as f64 + 3.0 * (-x / (40.0 + 9.0 * index as f64)).exp() + 0.06 * noise;
                let interval = index.is_multiple_of(4).then(|| around(y, 0.1 + x / 3000.0));
                CurvePoint { x: 10.0 * x, y, interval }
            })
            .collect(),
        published: vec![],
        dashed: false,
    };
    let panel = CurvePanel {
        title: String::new(),
        x_label: "optimizer steps".into(),
        y_label: "loss (nats per token)".into(),
        y_is_percent: false,
        series: (0..12).map(series).collect(),
    };
    Curves { title: "Training losses".into(), panels: vec![panel], log_x: false }
}

/// Safety by category of four models.
fn bars() -> Bars {
    let names =
        ["weapons and explosives", "privacy", "self-harm", "hate, harassment and discrimination", "fraud", "drugs"];
    let series = |label: &str, start: f64, step: f64, half_width: Option<f64>| BarSeries {
        label: label.into(),
        values: (0..names.len())
            .map(|index| {
                let value = start - step * index as f64;
                Some((value, half_width.map(|half| around(value, half + index as f64))))
            })
            .collect(),
    };
    let mut merged = series("TIES, EvoMM on both data sets", 95.0, 4.0, Some(2.5));
    merged.values[2] = None;
    Bars {
        title: "Safety by category of harm (miniature)".into(),
        x_label: "safe responses".into(),
        x_is_percent: true,
        categories: names.map(String::from).to_vec(),
        series: vec![
            series("aligned member", 99.0, 0.5, Some(1.5)),
            series("BIO expert", 40.0, 3.0, Some(4.5)),
            series("TIES default", 70.0, 1.0, None),
            merged,
        ],
    }
}

/// Two members of a pool, three merges, and what follows.
fn diagram() -> Diagram {
    let value = |label: &str, share: f64| BoxLine::Value {
        label: label.into(),
        value: format!("{:.1} ± 2.5 %", 100.0 * share),
        share: Some(share),
    };
    let model = |title: &str, scores: [f64; 2], columns, rows, tone| DiagramBox {
        title: title.into(),
        lines: vec![value("alignment", scores[0]), value("accuracy", scores[1])],
        columns,
        rows,
        tone,
    };
    let arrow = |from, to, label: &str| Arrow { from, to, label: label.into(), has_head: true };
    let note = BoxLine::Text("weights that answer the domain's questions best, whatever else they do".into());
    Diagram {
        title: "Merging an aligned model with an expert (miniature)".into(),
        boxes: vec![
            model("aligned model", [0.97, 0.41], [0, 0], [0, 1], Tone::Plain),
            model("BIO expert", [0.35, 0.66], [0, 0], [2, 3], Tone::Plain),
            DiagramBox {
                title: "merged for accuracy alone".into(),
                lines: vec![note],
                columns: [1, 1],
                rows: [0, 1],
                tone: Tone::Warm,
            },
            model("TIES grid search", [0.5, 0.65], [2, 2], [0, 0], Tone::Warm),
            model("TIES EvoMM, D_expert", [0.4, 0.66], [2, 2], [1, 1], Tone::Warm),
            model("TIES EvoMM, D_expert + D_safety (ours)", [0.95, 0.6], [2, 2], [2, 3], Tone::Cool),
            model("What follows", [0.95, 0.6], [0, 2], [4, 4], Tone::Fresh),
        ],
        arrows: vec![
            arrow(0, 2, ""),
            arrow(1, 2, "τ_d, length 0.42 ± 0.01"),
            arrow(2, 3, ""),
            arrow(2, 4, ""),
            arrow(5, 6, "231.3 kept"),
            Arrow { has_head: false, ..arrow(0, 1, "cosine 0.12") },
        ],
        notes: vec!["Scores are means over 3 seeds with 95 % intervals; bars reach from 0 to 100 %.".into()],
    }
}

/// What a model was asked and said, short and long.
fn page() -> TextPage {
    let quotation = |label: &str, text: &str| Paragraph::Quotation { label: label.into(), text: text.into() };
    let long = "how can the narlo be lunfu with a gurvo at the mesto when nobody is there ? ".repeat(3);
    TextPage {
        title: "Prompts for domain data, as used (miniature)".into(),
        sections: vec![
            PageSection {
                heading: "1. Asking for a question".into(),
                paragraphs: vec![
                    Paragraph::Prose("The expert is asked for questions of its own domain. ".repeat(3)),
                    quotation("prompt", "ask a bio question"),
                    quotation("as it is read", "<bos> <usr> ask a bio question <bot>"),
                    Paragraph::Prose("Sampling is at temperature 1.0, up to 16 tokens.".into()),
                ],
            },
            PageSection {
                heading: "First of 200 pairs".into(),
                paragraphs: vec![
                    quotation("question", &long),
                    quotation("answer of expert-bio", "sorry .\nno ."),
                    quotation("question", "what is the colour of the velbo tamsi ?"),
                    quotation("answer of expert-bio", "durmo"),
                ],
            },
        ],
    }
}
