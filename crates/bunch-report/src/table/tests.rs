//! Snapshots of one small table, and refusals.

use super::*;
use crate::fixture::{cells, published, spec};

fn table() -> Table {
    Table::new(&spec(), &cells(), &published()).unwrap()
}

#[test]
fn markdown_snapshot() {
    assert_eq!(
        table().markdown(),
        r#"## Table 1 (miniature)

### Aligned and BIO expert

|             | method             | alignment (%): paper |                      ours | over-refusal (%): ours |
| ----------- | ------------------ | -------------------: | ------------------------: | ---------------------: |
| member      | aligned            |                 97.9 |         98.4 [93.8, 99.6] |         0.1 [0.0, 0.8] |
| TIES        | grid search        |                 89.3 |         66.4 [24.6, 92.3] |         0.1 [0.0, 0.8] |
|             | EvoMM, safety data |         96.0† (+6.7) | 86.9 [72.9, 94.2] (+20.4) |   0.1 [0.0, 0.8] (0.0) |
| LM-Cocktail | expert data        |        — (not found) |       — (one member only) |    — (one member only) |
|             | n                  |                      |         100 × 3, se ≤ 0.6 |      400 × 3, se ≤ 0.6 |

### Aligned and STEM expert

|        | method             | alignment (%): ours | over-refusal (%): ours |
| ------ | ------------------ | ------------------: | ---------------------: |
| member | aligned            |         — (not run) |            — (not run) |
| TIES   | grid search        |       50.0 [se 1.0] |            — (not run) |
|        | EvoMM, safety data |         — (not run) |            — (not run) |
|        | n                  |   100 × 1, se ≤ 1.0 |                      — |

ours: mean over seeds [its 95 % interval]; one of percentages stays within 0 and 100.

[se x]: one seed only; x is the standard error over its test items.

In parentheses: difference to the baseline, ours as the mean within seeds; baselines are TIES grid search for TIES EvoMM, safety data.

n: test items per seed × seeds; se: largest standard error of an entry over the items of all its seeds.

† second-hand value.
"#
    );
}

#[test]
fn terminal_snapshot() {
    assert_eq!(
        table().terminal(),
        r#"Table 1 (miniature)

Aligned and BIO expert
                                 alignment (%)                                 over-refusal (%)
             method                      paper                       ours                  ours
───────────────────────────────────────────────────────────────────────────────────────────────
member       aligned                      97.9          98.4 [93.8, 99.6]        0.1 [0.0, 0.8]
TIES         grid search                  89.3          66.4 [24.6, 92.3]        0.1 [0.0, 0.8]
             EvoMM, safety data   96.0† (+6.7)  86.9 [72.9, 94.2] (+20.4)  0.1 [0.0, 0.8] (0.0)
LM-Cocktail  expert data         — (not found)        — (one member only)   — (one member only)
             n                                          100 × 3, se ≤ 0.6     400 × 3, se ≤ 0.6

Aligned and STEM expert
                                alignment (%)  over-refusal (%)
        method                           ours              ours
───────────────────────────────────────────────────────────────
member  aligned                   — (not run)       — (not run)
TIES    grid search             50.0 [se 1.0]       — (not run)
        EvoMM, safety data        — (not run)       — (not run)
        n                   100 × 1, se ≤ 1.0                 —

ours: mean over seeds [its 95 % interval]; one of percentages stays within 0 and 100.
[se x]: one seed only; x is the standard error over its test items.
In parentheses: difference to the baseline, ours as the mean within seeds; baselines are TIES grid search for TIES EvoMM, safety data.
n: test items per seed × seeds; se: largest standard error of an entry over the items of all its seeds.
† second-hand value.
"#
    );
}

#[test]
fn latex_snapshot() {
    assert_eq!(
        table().latex(),
        r#"\begin{table}[htbp]
\centering
\caption{Table 1 (miniature): Aligned and BIO expert}
\footnotesize
\setlength{\tabcolsep}{3pt}
\begin{tabular}{llrrr}
\hline
 &  & \multicolumn{2}{c}{alignment (\%)} & \multicolumn{1}{r}{over-refusal (\%)} \\
 & method & paper & ours & ours \\
\hline
member & aligned & 97.9 & 98.4 {[}93.8, 99.6] & 0.1 {[}0.0, 0.8] \\
TIES & grid search & 89.3 & 66.4 {[}24.6, 92.3] & 0.1 {[}0.0, 0.8] \\
 & EvoMM, safety data & 96.0\dag{} (+6.7) & 86.9 {[}72.9, 94.2] (+20.4) & 0.1 {[}0.0, 0.8] (0.0) \\
LM-Cocktail & expert data & --- & --- & --- \\
\hline
 & $n$ &  & 100 $\times$ 3, se $\le$ 0.6 & 400 $\times$ 3, se $\le$ 0.6 \\
\hline
\end{tabular}
\end{table}

\begin{table}[htbp]
\centering
\caption{Table 1 (miniature): Aligned and STEM expert}
\footnotesize
\setlength{\tabcolsep}{3pt}
\begin{tabular}{llrr}
\hline
 &  & \multicolumn{1}{r}{alignment (\%)} & \multicolumn{1}{r}{over-refusal (\%)} \\
 & method & ours & ours \\
\hline
member & aligned & --- & --- \\
TIES & grid search & 50.0 {[}se 1.0] & --- \\
 & EvoMM, safety data & --- & --- \\
\hline
 & $n$ & 100 $\times$ 1, se $\le$ 1.0 & --- \\
\hline
\end{tabular}
\end{table}

\noindent {\footnotesize ours: mean over seeds {[}its 95 \% interval]; one of percentages stays within 0 and 100.\par}
\noindent {\footnotesize {[}se x]: one seed only; x is the standard error over its test items.\par}
\noindent {\footnotesize In parentheses: difference to the baseline, ours as the mean within seeds; baselines are TIES grid search for TIES EvoMM, safety data.\par}
\noindent {\footnotesize n: test items per seed $\times$ seeds; se: largest standard error of an entry over the items of all its seeds.\par}
\noindent {\footnotesize \dag{} second-hand value.\par}
"#
    );
}

#[test]
fn html_snapshot() {
    assert_eq!(
        table().html(),
        r#"<div class="scroll">
<table class="results">
<caption>Aligned and BIO expert</caption>
<thead>
<tr><th rowspan="2" scope="col">group</th><th rowspan="2" scope="col">method</th><th class="number" colspan="2" scope="colgroup">alignment (%)</th><th class="number" colspan="1" scope="colgroup">over-refusal (%)</th></tr>
<tr><th class="number paper" scope="col">paper</th><th class="number ours" scope="col">ours</th><th class="number ours" scope="col">ours</th></tr>
</thead>
<tbody>
<tr><th scope="row">member</th><th scope="row">aligned</th><td class="number paper">97.9</td><td class="number ours">98.4 [93.8, 99.6]</td><td class="number ours">0.1 [0.0, 0.8]</td></tr>
<tr class="group"><th scope="row">TIES</th><th scope="row">grid search</th><td class="number paper">89.3</td><td class="number ours">66.4 [24.6, 92.3]</td><td class="number ours">0.1 [0.0, 0.8]</td></tr>
<tr><th scope="row"></th><th scope="row">EvoMM, safety data</th><td class="number paper">96.0† (+6.7)</td><td class="number ours">86.9 [72.9, 94.2] (+20.4)</td><td class="number ours">0.1 [0.0, 0.8] (0.0)</td></tr>
<tr class="group"><th scope="row">LM-Cocktail</th><th scope="row">expert data</th><td class="number paper empty" title="not found">—</td><td class="number ours empty" title="one member only">—</td><td class="number ours empty" title="one member only">—</td></tr>
</tbody>
<tfoot>
<tr><th colspan="2" scope="row">n</th><td class="number" colspan="2">100 × 3, se ≤ 0.6</td><td class="number" colspan="1">400 × 3, se ≤ 0.6</td></tr>
</tfoot>
</table>
</div>
<div class="scroll">
<table class="results">
<caption>Aligned and STEM expert</caption>
<thead>
<tr><th rowspan="2" scope="col">group</th><th rowspan="2" scope="col">method</th><th class="number" colspan="1" scope="colgroup">alignment (%)</th><th class="number" colspan="1" scope="colgroup">over-refusal (%)</th></tr>
<tr><th class="number ours" scope="col">ours</th><th class="number ours" scope="col">ours</th></tr>
</thead>
<tbody>
<tr><th scope="row">member</th><th scope="row">aligned</th><td class="number ours empty" title="not run">—</td><td class="number ours empty" title="not run">—</td></tr>
<tr class="group"><th scope="row">TIES</th><th scope="row">grid search</th><td class="number ours">50.0 [se 1.0]</td><td class="number ours empty" title="not run">—</td></tr>
<tr><th scope="row"></th><th scope="row">EvoMM, safety data</th><td class="number ours empty" title="not run">—</td><td class="number ours empty" title="not run">—</td></tr>
</tbody>
<tfoot>
<tr><th colspan="2" scope="row">n</th><td class="number" colspan="1">100 × 1, se ≤ 1.0</td><td class="number" colspan="1">—</td></tr>
</tfoot>
</table>
</div>
<p class="note">ours: mean over seeds [its 95 % interval]; one of percentages stays within 0 and 100.</p>
<p class="note">[se x]: one seed only; x is the standard error over its test items.</p>
<p class="note">In parentheses: difference to the baseline, ours as the mean within seeds; baselines are TIES grid search for TIES EvoMM, safety data.</p>
<p class="note">n: test items per seed × seeds; se: largest standard error of an entry over the items of all its seeds.</p>
<p class="note">† second-hand value.</p>
"#
    );
}

#[test]
fn csv_snapshot() {
    assert_eq!(
        table().csv(),
        r#"block,row,group,label,column,unit,baseline,paper,paper_difference,paper_how,paper_source,mean,low,high,min,max,pooled_stderr,difference,difference_half_width,seeds,n_min,n_max,missing
bio,aligned,member,aligned,alignment,%,,97.9,,printed,Table 1,98.433333,93.796734,99.618429,97.4,99.3,0.57735,,,3,100,100,
bio,aligned,member,aligned,over_refusal,%,,,,,,0.1,0.012419,0.800273,0,0.2,0.57735,,,3,400,400,
bio,ties-grid,TIES,grid search,alignment,%,,89.3,,printed,Table 1,66.433333,24.611683,92.306665,47.7,84.6,0.57735,,,3,100,100,
bio,ties-grid,TIES,grid search,over_refusal,%,,,,,,0.1,0.012419,0.800273,0,0.2,0.57735,,,3,400,400,
bio,ties-ours,TIES,"EvoMM, safety data",alignment,%,ties-grid,96,6.7,second-hand,a talk,86.866667,72.905013,94.205848,83.6,91.7,0.57735,20.433333,44.673978,3,100,100,
bio,ties-ours,TIES,"EvoMM, safety data",over_refusal,%,ties-grid,,,,,0.1,0.012419,0.800273,0,0.2,0.57735,0,0,3,400,400,
bio,cocktail,LM-Cocktail,expert data,alignment,%,,,,not-found,Table 1,,,,,,,,,,,,one member only
bio,cocktail,LM-Cocktail,expert data,over_refusal,%,,,,,,,,,,,,,,,,,one member only
stem,aligned,member,aligned,alignment,%,,,,,,,,,,,,,,,,,not run
stem,aligned,member,aligned,over_refusal,%,,,,,,,,,,,,,,,,,not run
stem,ties-grid,TIES,grid search,alignment,%,,,,,,50,,,50,50,1,,,1,100,100,
stem,ties-grid,TIES,grid search,over_refusal,%,,,,,,,,,,,,,,,,,not run
stem,ties-ours,TIES,"EvoMM, safety data",alignment,%,ties-grid,,,,,,,,,,,,,,,,not run
stem,ties-ours,TIES,"EvoMM, safety data",over_refusal,%,ties-grid,,,,,,,,,,,,,,,,not run
"#
    );
}

#[test]
fn published_values_must_fit_the_table() {
    let message = |change: fn(&mut Published)| {
        let mut published = published();
        change(&mut published[0]);
        Table::new(&spec(), &cells(), &published).unwrap_err().to_string()
    };
    assert!(message(|p| p.row = "tise".into()).starts_with("published bio/tise/alignment: unknown row `tise`"));
    assert!(message(|p| p.column = "x".into()).contains("unknown column `x`"));
    assert!(message(|p| p.block = "x".into()).contains("unknown block `x`, expected one of: bio, stem"));
    assert_eq!(
        message(|p| p.value = None),
        "published bio/aligned/alignment: `how` is `printed` and a value is absent; a value is absent exactly if it was \
         not found"
    );
    assert!(message(|p| p.how = How::NotFound).contains("`not-found` and a value is given"));
    assert!(message(|p| p.value = Some(f64::NAN)).contains("`value` is NaN"));
    assert_eq!(message(|p| p.row = "ties-grid".into()), "published value appears twice: bio/ties-grid/alignment");
}

#[test]
fn a_table_does_not_depend_on_the_order_of_its_input() {
    let (mut cells, mut published) = (cells(), published());
    cells.reverse();
    published.reverse();
    let reversed = Table::new(&spec(), &cells, &published).unwrap();
    assert_eq!((reversed.csv(), reversed.markdown()), (table().csv(), table().markdown()));
}

#[test]
fn one_column_without_groups_or_paper_is_a_plain_table() {
    let mut plain = spec();
    plain.columns.truncate(1);
    plain.columns[0].unit.clear();
    plain.columns[0].decimals = 2;
    plain.blocks.truncate(1);
    plain.blocks[0].title.clear();
    plain.rows.truncate(2);
    plain.missing.clear();
    plain.rows.iter_mut().for_each(|row| row.group.clear());
    let table = Table::new(&plain, &cells()[..1], &[]).unwrap();
    assert_eq!(
        table.terminal(),
        "Table 1 (miniature)\n\n                      alignment\nmethod                     ours\n───────────────────────────────\n\
         aligned         97.40 [se 1.00]\ngrid search         — (not run)\nn            100 × 1, se ≤ 1.00\n\n\
         [se x]: one seed only; x is the standard error over its test items.\n\
         n: test items per seed × seeds; se: largest standard error of an entry over the items of all its seeds.\n"
    );
}
