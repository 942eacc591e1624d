//! What makes a merge the best one: a quantity to maximise or minimise, and what must be kept meanwhile.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::str::FromStr;

use bunch_lm::LanguageModel;
use serde::{Deserialize, Serialize};

use crate::EvolutionError;
use crate::evaluations::Numbers;
use crate::generated_data::Data;
use crate::objective::{CallerError, Objective};

/// The name of the violation among a candidate's scores.
const VIOLATION: &str = "violation";

/// What a merge that breaks a constraint scores at least: more than any that keeps all of them.
const INFEASIBLE: f64 = 1e6;

/// What a candidate can be judged by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum GoalQuantity {
    /// L_safety + alpha L_expert.
    Loss,
    /// L_safety, in nats per token.
    LossSafety,
    /// L_expert, in nats per token.
    LossExpert,
    /// Share of answers to harmful dev prompts that the guard calls safe, in percent.
    Alignment,
    /// Share of benign dev prompts that are refused, in percent.
    OverRefusal,
    /// Mean accuracy on dev questions of the tasks that select, in percent.
    Accuracy,
    /// Accuracy on dev questions of this task, in percent.
    Task(String),
}

/// A bound that a quantity must keep, as in `alignment>=97`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoalConstraint {
    /// What is bounded.
    pub quantity: GoalQuantity,
    /// Whether the bound is the least value that is allowed; else it is the most.
    pub at_least: bool,
    /// The bound, in the quantity's unit.
    pub bound: f64,
}

/// The best merge is the one that keeps all constraints and has the best value of one quantity; of merges that do not, the one
/// that breaks them least (feasibility first, after Deb 2000).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Goal {
    /// What is optimised among the merges that keep all constraints.
    pub quantity: GoalQuantity,
    /// Whether more of it is better.
    pub maximize: bool,
    /// What must be kept.
    pub keep: Vec<GoalConstraint>,
}

impl From<String> for GoalQuantity {
    fn from(name: String) -> Self {
        match name.replace('-', "_").as_str() {
            "loss" => Self::Loss,
            "loss_safety" => Self::LossSafety,
            "loss_expert" => Self::LossExpert,
            "alignment" => Self::Alignment,
            "over_refusal" => Self::OverRefusal,
            "accuracy" => Self::Accuracy,
            _ => Self::Task(name),
        }
    }
}

impl From<GoalQuantity> for String {
    fn from(quantity: GoalQuantity) -> Self {
        quantity.to_string()
    }
}

impl fmt::Display for GoalQuantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loss => "loss",
            Self::LossSafety => Data::Safety.loss_name(),
            Self::LossExpert => Data::Expert.loss_name(),
            Self::Alignment => "alignment",
            Self::OverRefusal => "over_refusal",
            Self::Accuracy => "accuracy",
            Self::Task(name) => name,
        })
    }
}

impl FromStr for GoalConstraint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected =
            || format!("expected a quantity and its bound as in alignment>=97 or over-refusal<=2, got `{text}`");
        let (at_least, (name, bound)) = match (text.split_once(">="), text.split_once("<=")) {
            (Some(parts), None) => (true, parts),
            (None, Some(parts)) => (false, parts),
            _ => return Err(expected()),
        };
        let bound = bound.trim().parse::<f64>().ok().filter(|bound| bound.is_finite()).ok_or_else(expected)?;
        let quantity = GoalQuantity::from(name.trim().to_owned());
        if name.trim().is_empty() { Err(expected()) } else { Ok(Self { quantity, at_least, bound }) }
    }
}

impl fmt::Display for GoalConstraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.quantity, if self.at_least { ">=" } else { "<=" }, self.bound)
    }
}

impl GoalConstraint {
    /// By how much a value breaks the bound, as a fraction of the bound (or of 1, if that is more); 0 if it is kept.
    fn violation(&self, value: f64) -> f64 {
        let missing = if self.at_least { self.bound - value } else { value - self.bound };
        // What is no number keeps nothing.
        if missing <= 0.0 { 0.0 } else { (missing / self.bound.abs().max(1.0)).min(INFEASIBLE) }
    }
}

impl Goal {
    /// All quantities, each once: those of the constraints first.
    pub fn quantities(&self) -> Vec<&GoalQuantity> {
        let mut all: Vec<&GoalQuantity> = Vec::new();
        for quantity in self.keep.iter().map(|constraint| &constraint.quantity).chain([&self.quantity]) {
            if !all.contains(&quantity) {
                all.push(quantity);
            }
        }
        all
    }

    /// The generated data that its losses are of.
    pub fn data(&self) -> Vec<Data> {
        let quantities = self.quantities();
        let both = quantities.contains(&&GoalQuantity::Loss);
        let data = [(Data::Expert, GoalQuantity::LossExpert), (Data::Safety, GoalQuantity::LossSafety)];
        data.into_iter().filter(|(_, loss)| both || quantities.contains(&loss)).map(|(data, _)| data).collect()
    }

    /// What a candidate scores: the constraints' quantities, the sum of their violations, and, unless one is broken, the
    /// quantity that is optimised.
    pub(crate) fn scores(
        &self,
        objective: &dyn Objective,
        model: &dyn LanguageModel,
        alpha: f64,
    ) -> Result<Numbers, EvolutionError> {
        let mut scores = Numbers::new();
        for GoalConstraint { quantity, .. } in &self.keep {
            if let Entry::Vacant(entry) = scores.entry(quantity.to_string()) {
                entry.insert(value(quantity, objective, model, alpha)?);
            }
        }
        let violation =
            self.keep.iter().map(|constraint| constraint.violation(scores[&constraint.quantity.to_string()]));
        let violation: f64 = violation.sum();
        let own = self.quantity.to_string();
        if violation == 0.0 && !scores.contains_key(&own) {
            scores.insert(own, value(&self.quantity, objective, model, alpha)?);
        }
        scores.insert(VIOLATION.into(), violation);
        Ok(scores)
    }

    /// The number that a search minimises: every merge that keeps all constraints comes before every merge that does not.
    pub(crate) fn fitness(&self, scores: &Numbers) -> f64 {
        let violation = scores[VIOLATION];
        if violation > 0.0 {
            return INFEASIBLE + violation;
        }
        let value = scores[&self.quantity.to_string()];
        if self.maximize { -value } else { value }
    }

    /// Fails if the best merge breaks a constraint, and names it.
    pub(crate) fn check_found(
        &self,
        point: &BTreeMap<String, f64>,
        scores: &Numbers,
        tried: usize,
    ) -> Result<(), EvolutionError> {
        if scores[VIOLATION] == 0.0 {
            return Ok(());
        }
        let list = |numbers: &mut dyn Iterator<Item = (&String, &f64)>| {
            numbers.map(|(name, number)| format!("{name} {number:.4}")).collect::<Vec<_>>().join(", ")
        };
        let kept = self.keep.iter().map(|constraint| scores.get_key_value(&constraint.quantity.to_string()));
        Err(EvolutionError::NothingFeasible {
            tried,
            keep: self.keep.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            nearest: list(&mut point.iter()),
            scores: list(&mut kept.flatten()),
        })
    }
}

/// A quantity of a candidate.
fn value(
    quantity: &GoalQuantity,
    objective: &dyn Objective,
    model: &dyn LanguageModel,
    alpha: f64,
) -> Result<f64, CallerError> {
    match quantity {
        GoalQuantity::Loss => Ok(objective.loss(model, Data::Safety)? + alpha * objective.loss(model, Data::Expert)?),
        GoalQuantity::LossSafety => objective.loss(model, Data::Safety),
        GoalQuantity::LossExpert => objective.loss(model, Data::Expert),
        GoalQuantity::Alignment => objective.dev_safety(model),
        GoalQuantity::OverRefusal => objective.over_refusal(model),
        GoalQuantity::Accuracy => objective.dev_accuracy(model),
        GoalQuantity::Task(task) => objective.task_accuracy(model, task),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted::{Scripted, first, pool};
    use crate::strategies::random::RandomSearch;

    fn goal(keep: &[&str], quantity: &str, maximize: bool) -> Goal {
        let keep = keep.iter().map(|text| text.parse().unwrap()).collect();
        Goal { quantity: quantity.to_owned().into(), maximize, keep }
    }

    fn random(goal: Goal) -> RandomSearch {
        let text = "merge = 'task_arithmetic'\ngenes = { weight = [0, 1] }\ndata = []\nalpha = 0.3\nevaluations = 200";
        RandomSearch { goal: Some(goal), ..toml::from_str(text).unwrap() }
    }

    #[test]
    fn the_best_merge_that_keeps_the_bound_is_found() {
        // The expert at 1 is the best, the base at 0 the safest: alignment is 100 minus the first entry.
        let scripted = Scripted { best_at: 1.0, ..Scripted::default() };
        let found = scripted.find(&random(goal(&["alignment>=99.6"], "accuracy", true)), &pool(1)).unwrap();
        let value = first(&found.weights);
        assert!(value <= 0.4 && value > 0.35, "{value}");
        assert_eq!((found.found.detail["violation"], found.merge.is_some()), (0.0, true));
        let unbounded = scripted.find(&random(goal(&[], "accuracy", true)), &pool(1)).unwrap();
        assert!(first(&unbounded.weights) > 0.95);
    }

    #[test]
    fn where_nothing_keeps_the_bounds_the_nearest_is_named() {
        let scripted = Scripted { safe_at: -2.0, ..Scripted::default() };
        let error = scripted.find(&random(goal(&["alignment>=99"], "bio", true)), &pool(1)).unwrap_err().to_string();
        assert!(error.starts_with("none of 200 merges keeps alignment>=99; the nearest, at weight_1 0.0"), "{error}");
    }

    #[test]
    fn constraints_are_read_and_written() {
        let text = |text: &str| text.parse::<GoalConstraint>().map(|constraint| constraint.to_string());
        assert_eq!(text("over-refusal <= 2.5").unwrap(), "over_refusal<=2.5");
        for wrong in ["alignment", "alignment>97", ">=3", "alignment>=x", "a>=1<=2"] {
            assert!(text(wrong).unwrap_err().contains("alignment>=97"), "{wrong}");
        }
        let both = goal(&["loss_safety<=0.3"], "loss", false);
        assert_eq!(both.data(), [Data::Expert, Data::Safety]);
        assert_eq!(goal(&["alignment>=97"], "loss_expert", false).data(), [Data::Expert]);
        let json = serde_json::to_value(&both).unwrap();
        assert_eq!(serde_json::from_value::<Goal>(json).unwrap(), both);
    }
}
