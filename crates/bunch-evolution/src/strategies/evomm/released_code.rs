//! The search as the released code of Hammoud et al. has it, unlike the paper's text.
//!
//! It has genes for every model of the pool, the base included, whose task vector is zero. Weights start from 1/N and count by
//! their magnitude: the only example configuration misspells the key that would allow negative ones
//! (`allow_negative_neights`), and unknown keys are ignored. Bounded parameters start from 1; their magnitude is at most 1.
//! SLERP's position is the softmax of two weights. The code has no bounds: ranges only have to be wider than its steps lead.
//! Its first step is 1/6. The sum over samples that it minimizes ranks merges as the mean does.

use bunch_merging::{ParameterKind, ParameterSpec};
use serde_json::json;

use crate::genes::{Gene, SearchedParameter, check_width, share};

/// The genes of a parameter in that code.
pub(super) fn layout(spec: &ParameterSpec, range: [f64; 2], experts: usize) -> Result<SearchedParameter, String> {
    check_width(range)?;
    let [lower, upper] = range;
    let genes = |name: &str, start| {
        let gene = |model| Gene { name: format!("{name}_{model}"), lower, upper, start };
        (0..=experts).map(gene).collect()
    };
    let is_position = !spec.per_expert && experts == 1;
    match spec.kind {
        _ if is_position => Ok(SearchedParameter {
            genes: genes("weight", share(experts)),
            value: |point| {
                let (base, expert) = (point[0].abs().exp(), point[1].abs().exp());
                json!(expert / (base + expert))
            },
        }),
        _ if !spec.per_expert => Err("the released code has genes for each model only".into()),
        // The base's own genes move nothing.
        ParameterKind::Number { bounds: Some(_) } => Ok(SearchedParameter {
            genes: genes(&spec.name, 1.0),
            value: |point| json!(point[1..].iter().map(|value| value.abs().min(1.0)).collect::<Vec<_>>()),
        }),
        _ => Ok(SearchedParameter {
            genes: genes(&spec.name, share(experts)),
            value: |point| json!(point[1..].iter().map(|value| value.abs()).collect::<Vec<_>>()),
        }),
    }
}
