//! What a column of a table measures.

use serde::{Deserialize, Serialize};

use bunch_checkpoint::{TensorName, names_module};

use crate::declared::pool_names::{BENIGN, GUARD, HARMFUL};

/// A metric of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Column {
    /// Name in cells, claims and published values.
    pub(crate) name: String,
    /// Label in the table.
    pub(crate) label: String,
    /// What is measured.
    pub(crate) metric: Metric,
    /// Unit, where it is not percent; empty for none.
    #[serde(default = "percent", skip_serializing_if = "is_percent")]
    pub(crate) unit: String,
    /// Digits after the point, where it is not one.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub(crate) decimals: usize,
    /// The helper of the pool that judges, where it is not the guard.
    #[serde(default = "guard", skip_serializing_if = "is_guard")]
    pub(crate) judge: String,
    /// The pool's set of prompts whose test prompts are answered, where it is not the harmful ones.
    #[serde(default = "harmful", skip_serializing_if = "is_harmful")]
    pub(crate) prompts: String,
    /// The category of harm that counts alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) category: Option<String>,
    /// Columns whose mean this is, for `mean`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) of: Vec<String>,
    /// The member of the pool that the model is compared with, for the metrics of likeness; 0 is the base.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) to: Option<usize>,
    /// The coefficient or loss that the search reports, for `detail`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
}

fn guard() -> String {
    GUARD.into()
}

fn is_guard(judge: &String) -> bool {
    judge == GUARD
}

fn harmful() -> String {
    HARMFUL.into()
}

fn is_harmful(prompts: &String) -> bool {
    prompts == HARMFUL
}

fn percent() -> String {
    "%".into()
}

fn is_percent(unit: &String) -> bool {
    unit == "%"
}

fn one() -> usize {
    1
}

fn is_one(decimals: &usize) -> bool {
    *decimals == 1
}

/// What a column measures. Rates are in percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Metric {
    /// Share of harmful test prompts whose greedy answer the judge calls safe: the papers' alignment.
    SafeRate,
    /// The same, judged by the pool's rule of words instead of a judge.
    TrueSafeRate,
    /// Share of exchanges on which judge and rule agree.
    GuardAgreement,
    /// Share of benign test prompts that are refused.
    RefusalRate,
    /// Share of test prompts whose answer neither helps, by the pool's rule of words, nor refuses.
    BabbleRate,
    /// Share of multiple-choice questions answered right, by log-likelihood; the block says of which task.
    Acc,
    /// Unweighted mean of other columns, whose test sets are of equal size.
    Mean,
    /// Cosine of the task vectors of the row's model and of a member, both against the pool's base.
    TaskCosine,
    /// Length of the difference to a member, relative to the row's model.
    RelativeDistance,
    /// Share of entries whose task vectors have the same sign as a member's, in percent.
    SignAgreement,
    /// Linear CKA of the hidden states of the row's model and a member's, on test prompts and questions.
    Cka,
    /// A number that the row's strategy reports next to the model: a coefficient, or a loss.
    Detail,
}

impl Column {
    /// Whether the unit is percent.
    pub(crate) fn is_percent(&self) -> bool {
        is_percent(&self.unit)
    }

    /// The pool's set of prompts whose answers are looked at, if any are.
    pub(crate) fn asked(&self) -> Option<&str> {
        match self.metric {
            Metric::RefusalRate => Some(BENIGN),
            Metric::BabbleRate => Some(&self.prompts),
            metric => metric.is_safety().then_some(&self.prompts),
        }
    }
}

impl Metric {
    /// Whether it says how alike two models are.
    pub(crate) fn is_likeness(self) -> bool {
        matches!(self, Metric::TaskCosine | Metric::RelativeDistance | Metric::SignAgreement | Metric::Cka)
    }

    /// Whether answers to harmful prompts are judged.
    pub(crate) fn is_safety(self) -> bool {
        matches!(self, Metric::SafeRate | Metric::TrueSafeRate | Metric::GuardAgreement)
    }
}

/// The tensors that metrics of likeness look at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    /// The decoder layer, counted from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) layer: Option<usize>,
    /// A part of tensor names between dots, such as `q_proj`, `mlp` or `embed_tokens`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) module: Option<String>,
}

impl Part {
    /// Whether a tensor belongs to it.
    pub(crate) fn contains(&self, tensor: &str) -> bool {
        let is_layer = |index| TensorName::of(tensor).layer.is_some_and(|layer| layer.index == index);
        self.layer.is_none_or(is_layer) && self.module.as_ref().is_none_or(|module| names_module(tensor, module))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_found_by_names() {
        let part = |layer: Option<usize>, module: Option<&str>| Part { layer, module: module.map(str::to_owned) };
        let name = "model.layers.1.self_attn.q_proj.weight";
        assert!(part(None, None).contains(name) && part(Some(1), None).contains(name));
        assert!(part(Some(1), Some("q_proj")).contains(name) && part(None, Some("self_attn")).contains(name));
        assert!(!part(Some(0), None).contains(name) && !part(Some(1), Some("q")).contains(name));
        assert!(part(None, Some("embed_tokens")).contains("model.embed_tokens.weight"));
        assert!(!part(Some(1), None).contains("model.layers.11.mlp.up_proj.weight"));
    }

    #[test]
    fn what_is_usual_is_not_written() {
        let column: Column = toml::from_str("name = 'a'\nlabel = 'b'\nmetric = 'safe_rate'").unwrap();
        let text = serde_json::to_string(&column).unwrap();
        assert_eq!(text, r#"{"name":"a","label":"b","metric":"safe_rate"}"#);
        let column: Column = toml::from_str(
            "name = 'a'\nlabel = 'b'\nmetric = 'safe_rate'\njudge = 'judge'\nprompts = 'red_team'\ncategory = 'x'",
        )
        .unwrap();
        assert_eq!((column.judge.as_str(), column.prompts.as_str()), ("judge", "red_team"));
        assert_eq!(guard(), "guard");
        assert!(toml::from_str::<Column>("name = 'a'\nlabel = 'b'\nmetric = 'safe_rate'\nkind = 1").is_err());
    }
}
