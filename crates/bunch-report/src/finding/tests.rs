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
    evaluate(&claims(), &spec(), &cells()).unwrap()
}

#[test]
fn verdicts() {
    let found: Vec<(Verdict, String)> = findings().iter().map(|f| (f.verdict, f.counts())).collect();
    assert_eq!(
        found,
        [
            (Verdict::Holds, "holds in 3 of 3 comparisons; per seed 1/1, 1/1, 1/1".to_string()),
            (Verdict::Partly, "holds in 3 of 6 comparisons; per seed 1/2, 1/2, 1/2".into()),
            (Verdict::DoesNotHold, "holds in 0 of 3 comparisons; per seed 0/1, 0/1, 0/1".into()),
            (Verdict::NotTested, "holds in 3 of 3 comparisons; per seed 1/1, 1/1, 1/1; 3 without cells".into()),
        ]
    );
}

#[test]
fn a_mean_that_fails_does_not_hold_even_if_a_seed_does() {
    let values = |row: &str, values: [f64; 3]| -> Vec<Cell> {
        (0..3).map(|seed| cell("bio", row, "alignment", seed as u64, values[seed])).collect()
    };
    let verdict = |ours: [f64; 3]| {
        let cells = [values("ties-ours", ours), values("aligned", [50.0; 3])].concat();
        evaluate(&claims()[2..3], &spec(), &cells).unwrap()[0].verdict
    };
    assert_eq!(verdict([51.0, 51.0, 51.0]), Verdict::Holds);
    assert_eq!(verdict([51.0, 40.0, 40.0]), Verdict::DoesNotHold);
    assert_eq!(verdict([71.0, 40.0, 45.0]), Verdict::Partly);
    assert_eq!(verdict([50.0, 50.0, 50.0]), Verdict::DoesNotHold);
    assert_eq!(evaluate(&claims()[2..3], &spec(), &[]).unwrap()[0].verdict, Verdict::NotTested);
}

#[test]
fn two_claims_of_one_id_are_refused() {
    let twice = [claims(), claims()].concat();
    assert_eq!(evaluate(&twice, &spec(), &cells()).unwrap_err().to_string(), "claim appears twice: naive-loses");
}

#[test]
fn markdown_snapshot() {
    assert_eq!(
        findings_markdown(&findings()[1..], &spec()),
        r#"### safety-restores: partly

Safety data raises alignment. (Table 1)

Tested as: difference of alignment (%) > 0; holds in 3 of 6 comparisons; per seed 1/2, 1/2, 1/2.

How sure: 0 of 2 comparisons significant over seeds (Holm p < 0.05); all together p = 0.977.

| block | comparison                                 |  mean | ± 95 % |   min |   max | seeds |     p | Holm p | effect |
| ----- | ------------------------------------------ | ----: | -----: | ----: | ----: | ----: | ----: | -----: | -----: |
| bio   | TIES EvoMM, safety data − TIES grid search | +20.4 |   44.7 |  +0.7 | +35.9 |   3/3 | 0.094 |  0.188 |   +1.1 |
| bio   | TIES EvoMM, safety data − member aligned   | -11.6 |   11.0 | -15.7 |  -6.9 |   0/3 | 0.977 |  0.977 |   -2.6 |

### beats-aligned: does not hold

Safety data beats the aligned member. (nowhere)

Tested as: difference of alignment (%) > 0; holds in 0 of 3 comparisons; per seed 0/1, 0/1, 0/1.

How sure: 0 of 1 comparisons significant over seeds (Holm p < 0.05); all together p = 0.977.

| block | comparison                               |  mean | ± 95 % |   min |  max | seeds |     p | Holm p | effect |
| ----- | ---------------------------------------- | ----: | -----: | ----: | ---: | ----: | ----: | -----: | -----: |
| bio   | TIES EvoMM, safety data − member aligned | -11.6 |   11.0 | -15.7 | -6.9 |   0/3 | 0.977 |  0.977 |   -2.6 |

### everywhere: not tested

Safety data costs nothing. (Table 1)

Tested as: difference of alignment (%) ≥ -1; holds in 3 of 3 comparisons; per seed 1/1, 1/1, 1/1; 3 without cells.

How sure: 0 of 1 comparisons significant over seeds (Holm p < 0.05); 1 without a test, their seeds too few or all alike.

| block | comparison                                 |  mean | ± 95 % |  min |   max | seeds |     p | Holm p | effect |
| ----- | ------------------------------------------ | ----: | -----: | ---: | ----: | ----: | ----: | -----: | -----: |
| bio   | TIES EvoMM, safety data − TIES grid search | +20.4 |   44.7 | +0.7 | +35.9 |   3/3 | 0.088 |  0.088 |   +1.2 |
| stem  | TIES EvoMM, safety data − TIES grid search |     — |      — |    — |     — |   0/0 |     — |      — |      — |

p: one-sided t test over seeds that the mean difference is on the claim's side of its margin; Holm p: corrected for all comparisons of the claim; effect: distance of the mean from the margin in standard deviations over seeds.
"#
    );
}

#[test]
fn terminal_snapshot() {
    assert_eq!(
        findings_terminal(&findings()[..1], &spec()),
        r#"✓ naive-loses: holds
  A merge that ignores safety is less aligned than the aligned member. (Section 1)
  Tested as: difference of alignment (%) < -10; holds in 3 of 3 comparisons; per seed 1/1, 1/1, 1/1.
  How sure: 0 of 1 comparisons significant over seeds (Holm p < 0.05); all together p = 0.094.
"#
    );
}

#[test]
fn csv_snapshot() {
    assert_eq!(
        findings_csv(&findings()[..1]),
        r#"claim,verdict,rule,condition,block,column,row,other,seed,difference,min,max,holds,half_width,t,p,holm_p,effect
naive-loses,holds,less_than,< -10,bio,alignment,ties-grid,aligned,0,-12.8,,,true,,,,,
naive-loses,holds,less_than,< -10,bio,alignment,ties-grid,aligned,1,-31.6,,,true,,,,,
naive-loses,holds,less_than,< -10,bio,alignment,ties-grid,aligned,2,-51.6,,,true,,,,,
naive-loses,holds,less_than,< -10,bio,alignment,ties-grid,aligned,mean,-32,-51.6,-12.8,true,48.199957,1.963868,9.426e-2,9.426e-2,1.13384
"#
    );
}
