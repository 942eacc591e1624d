//! A page of the small table that the tests share.

use std::collections::BTreeSet;

use super::*;
use crate::{Claim, SeedGroups, evaluate, fixture};

const CLAIMS: &str = r#"
[[claim]]
id = "safer"
text = "Safety data <b>helps</b>."
source = "Table 1"
rule.pairs = { column = "alignment", pairs = [["ties-ours", "ties-grid"]], blocks = ["bio"] }

[[claim]]
id = "as-safe"
text = "It is as safe as the aligned model."
source = "Table 1"
rule.not_below = { column = "alignment", pairs = [["ties-ours", "aligned"]], tolerance = 1.0, blocks = ["bio"] }
"#;

fn page() -> Page {
    #[derive(serde::Deserialize)]
    struct File {
        claim: Vec<Claim>,
    }
    let claims = toml::from_str::<File>(CLAIMS).unwrap().claim;
    let (spec, cells) = (fixture::spec(), fixture::cells());
    let measured = Measured {
        analysis: "First.\n\nSecond, 1 < 2.".into(),
        table: Table::new(&spec, &cells, &fixture::published()).unwrap(),
        findings: evaluate(&claims, &spec, &cells, SeedGroups::NONE).unwrap(),
        figures: vec![PageFigure { title: "A \"figure\"".into(), svg: "<svg width=\"1\" height=\"1\"></svg>".into() }],
        listings: vec![Listing {
            title: "What models said".into(),
            columns: vec![("answer".into(), false), ("n".into(), true)],
            rows: vec![vec!["<script>alert(1)</script> & more".into(), "3".into()]],
        }],
        spec,
    };
    let item = |anchor: &str, measured| PageItem {
        anchor: anchor.into(),
        heading: format!("Table {anchor}: a table"),
        question: "Does it?".into(),
        command: format!("cargo bunch reproduce {anchor}"),
        measured,
    };
    let part = PagePart {
        name: "A paper & its items".into(),
        link: Some("https://arxiv.org/abs/2406.14563".into()),
        items: vec![item("one", Some(measured)), item("two", None)],
    };
    Page { title: "Results".into(), introduction: vec!["What this is.".into()], parts: vec![part] }
}

/// Tags of the page in order, without those that have no end.
fn tags(text: &str) -> Vec<String> {
    let body = text.split_once("</style>").expect("a style").1;
    let tags = body.split('<').skip(1).map(|part| part.split(['>', ' ', '\n']).next().unwrap_or_default().to_owned());
    tags.collect()
}

/// Values of an attribute.
fn attribute<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!(" {name}=\"");
    text.split(start.as_str()).skip(1).map(|rest| rest.split('"').next().unwrap_or_default()).collect()
}

#[test]
fn every_tag_is_closed_and_every_link_has_its_target() {
    let text = page().html();
    let mut open = vec!["html".to_owned(), "head".to_owned()];
    for tag in tags(&text) {
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop().as_deref(), Some(name), "{open:?}"),
            None => open.push(tag),
        }
    }
    assert!(open.is_empty(), "{open:?}");
    let ids = attribute(&text, "id");
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
    let (inner, outer): (Vec<&str>, Vec<&str>) =
        attribute(&text, "href").into_iter().partition(|to| to.starts_with('#'));
    assert!(inner.iter().all(|to| ids.contains(&&to[1..])), "{inner:?} {ids:?}");
    assert_eq!(outer, ["https://arxiv.org/abs/2406.14563"]);
}

#[test]
fn nothing_is_loaded_and_nothing_runs() {
    let text = page().html();
    for sign in [" src=", "<link", "<script", "@import", "url(", "<iframe", "<object"] {
        assert!(!text.contains(sign), "{sign}");
    }
    assert!(text.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; more"), "answers are text");
    assert!(text.contains("Safety data &lt;b&gt;helps&lt;/b&gt;."));
}

#[test]
fn claims_come_with_verdict_size_and_certainty() {
    let text = page().html();
    assert!(text.contains("Of 2 claims 0 hold, 0 hold partly, 0 do not hold, 2 are undecided."), "{text}");
    assert!(text.contains("<td class=\"verdict undecided\">? undecided</td>"));
    assert!(text.contains("<div class=\"claim undecided\">\n<span class=\"verdict\">? undecided</span>"));
    for verdict in [Verdict::Holds, Verdict::Partly, Verdict::DoesNotHold, Verdict::Undecided] {
        assert!(text.contains(&format!(".{} > .verdict", class(verdict))), "{verdict} has a colour");
    }
    // Means over seeds: 86.87 of the row, 66.43 and 98.43 of the others.
    assert!(text.contains("+20.4 ± "), "{text}");
    assert!(
        text.contains("−11.6 ± ")
            && text.contains("demanded ≥ −1 (bio: TIES EvoMM, safety data against member aligned)")
    );
    // One-sided t tests against the margins 0 and -1 with two degrees of freedom: t = 1.968 and -4.137, worked out apart.
    let sure: Vec<&str> = text.split("How sure: ").skip(1).filter_map(|rest| rest.lines().next()).collect();
    let of =
        |p: &str| format!("0 of 1 comparisons significant over seeds (Holm p &lt; 0.05); all together p = {p}.</p>");
    assert_eq!(sure, [of("0.094"), of("0.973")]);
    assert!(text.contains("No results yet: the command makes them."));
}
