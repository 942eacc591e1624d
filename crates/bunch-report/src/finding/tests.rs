//! Verdicts and snapshots.

use super::*;
use crate::fixture::{cell, cells, spec};

fn claims() -> Vec<Claim> {
    #[derive(serde::Deserialize)]
    struct File {
        claims: Vec<Claim>,
    }
    let file: File = toml::from_str(
        r#"
        [[claims]]
        id = "naive-loses"
        text = "A merge that ignores safety is less aligned than the aligned member."
        source = "Section 1"
        rule.less_than = { rows = ["ties-grid"], column = "alignment", than_row = "aligned", by = 10.0, blocks = ["bio"] }
        [[claims]]
        id = "safety-restores"
        text = "Safety data raises alignment."
        source = "Table 1"
        rule.pairs = { column = "alignment", pairs = [["ties-ours", "ties-grid"], ["ties-ours", "aligned"]], blocks = ["bio"] }
        [[claims]]
        id = "beats-aligned"
        text = "Safety data beats the aligned member."
        source = "nowhere"
        rule.greater_than = { rows = ["ties-ours"], column = "alignment", than_row = "aligned", blocks = ["bio"] }
        [[claims]]
        id = "everywhere"
        text = "Safety data costs nothing."
        source = "Table 1"
        rule.not_below = { column = "alignment", pairs = [["ties-ours", "ties-grid"]], tolerance = 1.0 }
        "#,
    )
    .unwrap();
    file.claims
}

fn findings() -> Vec<Finding> {
    evaluate(&claims(), &spec(), &cells(), SeedGroups::NONE).unwrap()
}

#[test]
fn verdicts() {
    let found: Vec<(Verdict, String)> = findings().iter().map(|f| (f.verdict, f.counts())).collect();
    // Three seeds that all hold may leave a wide interval: 32 +- 48 of the first, 20.4 +- 44.7 of the second and last.
    let counted = |decided: &str, seeds: &str| format!("comparisons: {decided} undecided; within seeds {seeds}");
    assert_eq!(
        found,
        [
            (Verdict::Undecided, counted("0 for, 0 against, 1", "3 of 3 hold (1/1, 1/1, 1/1)")),
            (Verdict::Undecided, counted("0 for, 1 against, 1", "3 of 6 hold (1/2, 1/2, 1/2)")),
            (Verdict::DoesNotHold, counted("0 for, 1 against, 0", "0 of 3 hold (0/1, 0/1, 0/1)")),
            (Verdict::NotTested, counted("0 for, 0 against, 2", "3 of 3 hold (1/1, 1/1, 1/1); 3 without cells")),
        ]
    );
}

#[test]
fn the_interval_of_the_mean_decides() {
    let values = |row: &str, values: &[f64]| -> Vec<Cell> {
        (values.iter().zip(0..)).map(|(&value, seed)| cell("bio", row, "alignment", seed, value)).collect()
    };
    let verdict = |ours: &[f64]| {
        let cells = [values("ties-ours", ours), values("aligned", &vec![50.0; ours.len()])].concat();
        evaluate(&claims()[2..3], &spec(), &cells, SeedGroups::NONE).unwrap()[0].verdict
    };
    // Without a spread the point decides, and a mean at the margin of a strict rule is against it.
    assert_eq!(verdict(&[51.0, 51.0, 51.0]), Verdict::Holds);
    assert_eq!(verdict(&[50.0, 50.0, 50.0]), Verdict::DoesNotHold);
    // t(2) = 4.303: 2 +- 2.48, 3 +- 2.48 and -3 +- 2.48.
    assert_eq!(verdict(&[51.0, 52.0, 53.0]), Verdict::Undecided);
    assert_eq!(verdict(&[52.0, 53.0, 54.0]), Verdict::Holds);
    assert_eq!(verdict(&[46.0, 47.0, 48.0]), Verdict::DoesNotHold);
    // One seed decides nothing, and no cells are no test.
    assert_eq!(verdict(&[99.0]), Verdict::Undecided);
    assert_eq!(evaluate(&claims()[2..3], &spec(), &[], SeedGroups::NONE).unwrap()[0].verdict, Verdict::NotTested);
}

#[test]
fn decisions_in_opposite_ways_hold_partly() {
    let at = |row: &str, value: f64| (0..3).map(move |seed| cell("bio", row, "alignment", seed, value)).collect();
    let cells: Vec<Vec<Cell>> = vec![at("ties-ours", 60.0), at("ties-grid", 50.0), at("aligned", 70.0)];
    let found = evaluate(&claims()[1..2], &spec(), &cells.concat(), SeedGroups::NONE).unwrap();
    assert_eq!(found[0].verdict, Verdict::Partly);
    assert!(found[0].counts().starts_with("comparisons: 1 for, 1 against, 0 undecided;"), "{}", found[0].counts());
}

#[test]
fn seeds_are_nested_in_groups() {
    // Two trunks: seeds 0 and 2 have differences 1 and 3, seeds 1 and 3 have 7 and 9; items have variance 1 + 1 by the cells.
    let ours =
        (0..).zip([51.0, 57.0, 53.0, 59.0]).map(|(seed, value)| cell("bio", "ties-ours", "alignment", seed, value));
    let aligned = (0..4).map(|seed| cell("bio", "aligned", "alignment", seed, 50.0));
    let cells: Vec<Cell> = ours.chain(aligned).collect();
    let groups = SeedGroups { name: "trunks", of: |seed| seed % 2 };
    let found = evaluate(&claims()[2..3], &spec(), &cells, groups).unwrap();
    let nested = found[0].comparisons[0].nested.unwrap();
    // Within trunks the mean square is 2, all of it items; between them 36 is 2 seeds times their variance, plus the 2 of items.
    assert!((nested.items - 2.0).abs() < 1e-9 && nested.seeds.abs() < 1e-9, "{nested:?}");
    assert_eq!((nested.groups.map(|groups| groups.round()), nested.degrees_of_freedom), (Some(17.0), 1));
    let line = found[0].variance(&spec()).unwrap();
    assert_eq!(
        line,
        "Variance of the weakest comparison: at most 11 % items, 0 % seeds, 89 % trunks; its mean over trunks is +5.0 [-33.1, \
         +43.1] (degrees of freedom: 1). Detectable in every comparison: 7.6 beyond the margin"
    );
    // With seeds 0 and 1 in one trunk the squares within trunks are 36, or 34 without items, on two degrees of freedom. Trunks
    // differ by less than that explains, and have no mean of their own.
    let other = SeedGroups { name: "trunks", of: |seed| seed / 2 };
    let found_other = evaluate(&claims()[2..3], &spec(), &cells, other).unwrap();
    let line = found_other[0].variance(&spec()).unwrap();
    assert!(
        line.starts_with("Variance of the weakest comparison: at most 11 % items, 89 % seeds, 0 % trunks. D"),
        "{line}"
    );
    let csv = findings_csv(&found);
    assert!(csv.lines().last().unwrap().ends_with(",1,10.526316,0,89.473684"), "{csv}");
    assert!(csv.lines().all(|line| line.matches(',').count() == 26), "{csv}");
}

#[test]
fn two_claims_of_one_id_are_refused() {
    let twice = [claims(), claims()].concat();
    assert_eq!(
        evaluate(&twice, &spec(), &cells(), SeedGroups::NONE).unwrap_err().to_string(),
        "claim appears twice: naive-loses"
    );
}

#[test]
fn markdown_snapshot() {
    assert_eq!(
        findings_markdown(&findings()[1..], &spec()),
        r#"### safety-restores: undecided

Safety data raises alignment. (Table 1)

Tested as: difference of alignment (%) > 0; comparisons: 0 for, 1 against, 1 undecided; within seeds 3 of 6 hold (1/2, 1/2, 1/2).

How sure: 0 of 2 comparisons significant over seeds (Holm p < 0.05); all together p = 0.977.

Variance of the weakest comparison: at most 10 % items, 90 % seeds. Detectable in every comparison: 55.7 beyond the margin.

| block | comparison                                 |  mean | ± 95 % |   min |   max | decided   | seeds |     p | Holm p | effect |
| ----- | ------------------------------------------ | ----: | -----: | ----: | ----: | --------- | ----: | ----: | -----: | -----: |
| bio   | TIES EvoMM, safety data − TIES grid search | +20.4 |   44.7 |  +0.7 | +35.9 | undecided |   3/3 | 0.094 |  0.188 |   +1.1 |
| bio   | TIES EvoMM, safety data − member aligned   | -11.6 |   11.0 | -15.7 |  -6.9 | against   |   0/3 | 0.977 |  0.977 |   -2.6 |

### beats-aligned: does not hold

Safety data beats the aligned member. (nowhere)

Tested as: difference of alignment (%) > 0; comparisons: 0 for, 1 against, 0 undecided; within seeds 0 of 3 hold (0/1, 0/1, 0/1).

How sure: 0 of 1 comparisons significant over seeds (Holm p < 0.05); all together p = 0.977.

Variance of the weakest comparison: at most 10 % items, 90 % seeds. Detectable in every comparison: 13.7 beyond the margin.

| block | comparison                               |  mean | ± 95 % |   min |  max | decided | seeds |     p | Holm p | effect |
| ----- | ---------------------------------------- | ----: | -----: | ----: | ---: | ------- | ----: | ----: | -----: | -----: |
| bio   | TIES EvoMM, safety data − member aligned | -11.6 |   11.0 | -15.7 | -6.9 | against |   0/3 | 0.977 |  0.977 |   -2.6 |

### everywhere: not tested

Safety data costs nothing. (Table 1)

Tested as: difference of alignment (%) ≥ -1; comparisons: 0 for, 0 against, 2 undecided; within seeds 3 of 3 hold (1/1, 1/1, 1/1); 3 without cells.

How sure: 0 of 1 comparisons significant over seeds (Holm p < 0.05); 1 without a test, their seeds too few or all alike.

Variance of the weakest comparison: at most 1 % items, 99 % seeds. Detectable in every comparison: 55.7 beyond the margin.

| block | comparison                                 |  mean | ± 95 % |  min |   max | decided   | seeds |     p | Holm p | effect |
| ----- | ------------------------------------------ | ----: | -----: | ---: | ----: | --------- | ----: | ----: | -----: | -----: |
| bio   | TIES EvoMM, safety data − TIES grid search | +20.4 |   44.7 | +0.7 | +35.9 | undecided |   3/3 | 0.088 |  0.088 |   +1.2 |
| stem  | TIES EvoMM, safety data − TIES grid search |     — |      — |    — |     — | undecided |   0/0 |     — |      — |      — |

p: one-sided t test over seeds that the mean difference is on the claim's side of its margin; Holm p: corrected for all comparisons of the claim; effect: distance of the mean from the margin in standard deviations over seeds. Detectable: the distance of the true mean from the margin, for the comparison that needs the largest, that so many seeds with this spread would have shown with 80 % power. Items are an upper bound: rows are right about the same ones.
"#
    );
}

#[test]
fn terminal_snapshot() {
    assert_eq!(
        findings_terminal(&findings()[..1], &spec()),
        r#"? naive-loses: undecided
  A merge that ignores safety is less aligned than the aligned member. (Section 1)
  Tested as: difference of alignment (%) < -10; comparisons: 0 for, 0 against, 1 undecided; within seeds 3 of 3 hold (1/1, 1/1, 1/1).
  How sure: 0 of 1 comparisons significant over seeds (Holm p < 0.05); all together p = 0.094.
"#
    );
}

#[test]
fn csv_snapshot() {
    assert_eq!(
        findings_csv(&findings()[..1]),
        r#"claim,verdict,rule,condition,block,column,row,other,seed,difference,min,max,holds,decision,half_width,t,p,holm_p,effect,detectable,nested_mean,nested_low,nested_high,nested_df,items_percent,seeds_percent,groups_percent
naive-loses,undecided,less_than,< -10,bio,alignment,ties-grid,aligned,0,-12.8,,,true,,,,,,,,,,,,,,
naive-loses,undecided,less_than,< -10,bio,alignment,ties-grid,aligned,1,-31.6,,,true,,,,,,,,,,,,,,
naive-loses,undecided,less_than,< -10,bio,alignment,ties-grid,aligned,2,-51.6,,,true,,,,,,,,,,,,,,
naive-loses,undecided,less_than,< -10,bio,alignment,ties-grid,aligned,mean,-32,-51.6,-12.8,true,undecided,48.199954,1.963868,9.426e-2,9.426e-2,1.13384,60.081873,-32,-80.199954,16.199954,2,0.531237,99.468763,
"#
    );
}
