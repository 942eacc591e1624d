//! Which strategy searches, chosen by name, with what a method's schema says of its parameters.

use std::str::FromStr;

use bunch_evolution::{AnyStrategy, Data, Goal};
use bunch_merging::{ParameterKind, Spelling, method_from_parameters, parameter_specs};
use serde_json::{Map, Value, json};

use crate::AlignmentError;

/// A parameter that is searched, as in `weight=0..1`, or `weight=0.25:0.5:1` for values of a grid.
#[derive(Debug, Clone, PartialEq)]
pub struct GeneRange {
    /// The parameter.
    pub parameter: String,
    /// Both ends of its range, or the values of a grid.
    pub values: GeneValues,
}

/// What values a searched parameter may have.
#[derive(Debug, Clone, PartialEq)]
pub enum GeneValues {
    /// All between two.
    Range([f64; 2]),
    /// These.
    List(Vec<f64>),
}

impl FromStr for GeneRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || format!("expected a parameter and its range as in weight=0..1, got `{text}`");
        let (parameter, values) = text.split_once('=').ok_or_else(expected)?;
        let number = |text: &str| text.trim().parse::<f64>().map_err(|_| expected());
        let values = match values.split_once("..") {
            Some((lower, upper)) => GeneValues::Range([number(lower)?, number(upper)?]),
            None => GeneValues::List(values.split(':').map(number).collect::<Result<_, _>>()?),
        };
        Ok(Self { parameter: parameter.trim().to_owned(), values })
    }
}

/// A strategy by name, with its settings.
#[derive(Debug, Clone)]
pub struct StrategyChoice {
    /// The strategy's name, as in [`AnyStrategy::BY_OPTIONS`]; a hyphen counts as an underscore.
    pub strategy: String,
    /// The merge method.
    pub method: String,
    /// The parameters that are searched; weights, densities and interpolation factors of the method unless given.
    pub genes: Vec<GeneRange>,
    /// Parameters that are the same at every point.
    pub set: Map<String, Value>,
    /// Which losses count.
    pub data: Vec<Data>,
    /// Weight of L_expert next to L_safety.
    pub alpha: f64,
    /// Merges that are evaluated.
    pub evaluations: usize,
    /// Values of each range of a grid.
    pub steps: usize,
    /// Which of five points along the front is taken, from 1, the safest.
    pub point: usize,
    /// Temperature of LM-Cocktail's softmax.
    pub temperature: f64,
    /// What makes a merge the best, instead of the losses.
    pub goal: Option<Goal>,
}

/// Initial step of CMA-ES as a fraction of each gene's range, and its restarts.
const SIGMA: f64 = 0.25;
const RESTARTS: usize = 2;

/// Merges of a generation of NSGA-II, and points along its front.
const POPULATION: usize = 20;
const POINTS: usize = 5;

impl StrategyChoice {
    /// The strategy in a pool of so many experts.
    ///
    /// # Errors
    /// A method without a parameter to search, or settings that the strategy does not take.
    pub fn strategy(&self, experts: usize) -> Result<AnyStrategy, AlignmentError> {
        let name = self.strategy.replace('-', "_");
        let known = AnyStrategy::BY_OPTIONS.iter().filter_map(|(name, options)| Some((*name, (*options)?)));
        let Some((_, options)) = known.clone().find(|(known, _)| *known == name) else {
            let names = known.map(|(name, _)| name.replace('_', "-")).collect::<Vec<_>>().join(", ");
            let (option, got) = ("--strategy", format!("`{}`", self.strategy));
            return Err(AlignmentError::Setting { option, expected: format!("one of {names}"), got });
        };
        if self.goal.is_some() && !options.settings.contains(&"goal") {
            return Err(AlignmentError::Setting {
                option: "--keep, --maximize, --minimize",
                expected: "a strategy that takes a goal: evomm or random".into(),
                got: format!("`{}`", self.strategy),
            });
        }
        let settings = options.settings.iter().map(|setting| {
            let is_named = options.settings.contains(&"parameters");
            Ok((setting.to_string(), self.setting(setting, is_named, &self.parameters(experts))?))
        });
        let settings = settings.collect::<Result<Map<_, _>, AlignmentError>>()?;
        let settings = json!({ name: settings });
        let strategy: AnyStrategy = serde_json::from_value(settings).map_err(|error| AlignmentError::Setting {
            option: "--method",
            expected: "a method and parameters that can be searched".into(),
            got: error.to_string(),
        })?;
        strategy.check(experts)?;
        Ok(strategy)
    }

    /// One setting of a strategy. The method is `is_named` alone where its `parameters` are a setting of their own.
    fn setting(&self, setting: &str, is_named: bool, parameters: &Map<String, Value>) -> Result<Value, AlignmentError> {
        Ok(match setting {
            "merge" if is_named => json!(self.method),
            "merge" => {
                let method = method_from_parameters(&self.method, Spelling::Bunch, parameters);
                let refused =
                    |got| AlignmentError::Setting { option: "--set", expected: "parameters of the method".into(), got };
                json!(method.map_err(refused)?)
            }
            "parameters" => json!(parameters),
            "genes" => json!(self.ranges()?),
            "values" => json!(self.grid()?),
            "data" => json!(self.goal.as_ref().map_or_else(|| self.data.clone(), Goal::data)),
            "goal" => json!(self.goal),
            "alpha" => json!(self.alpha),
            "evaluations" => json!(self.evaluations),
            "sigma" => json!(SIGMA),
            "restarts" => json!(RESTARTS),
            "population" => json!(POPULATION.min(self.evaluations)),
            "points" => json!(POINTS),
            "point" => json!(self.point),
            "temperature" => json!(self.temperature),
            other => unreachable!("no option gives `{other}`: a test looks at every strategy"),
        })
    }

    /// Parameters that are the same at every point. With one expert a weight that is divided by itself says nothing.
    fn parameters(&self, experts: usize) -> Map<String, Value> {
        let mut parameters = self.set.clone();
        let specs = parameter_specs(&self.method, Spelling::Bunch).unwrap_or_default();
        let normalizes = specs.iter().any(|spec| spec.name == "normalize" && spec.kind == ParameterKind::Boolean);
        if experts == 1 && normalizes && specs.iter().any(|spec| spec.name == "weight") {
            parameters.entry("normalize").or_insert(false.into());
        }
        parameters
    }

    /// The genes given, or else those that the method's schema suggests.
    fn genes(&self) -> Result<Vec<GeneRange>, AlignmentError> {
        if !self.genes.is_empty() {
            return Ok(self.genes.clone());
        }
        let specs = parameter_specs(&self.method, Spelling::Bunch).unwrap_or_default();
        let suggested = specs.iter().filter(|spec| !self.set.contains_key(&spec.name)).filter_map(|spec| {
            let ParameterKind::Number { .. } = spec.kind else { return None };
            let range = match spec.name.as_str() {
                "weight" => [0.0, 1.0],
                // With nothing left of a task vector there is nothing to search.
                "density" => [0.1, 1.0],
                // From the base to the expert.
                "t" => [0.0, 1.0],
                _ => return None,
            };
            Some(GeneRange { parameter: spec.name.clone(), values: GeneValues::Range(range) })
        });
        let genes: Vec<GeneRange> = suggested.collect();
        // An unknown method is better refused by its name.
        if genes.is_empty() && !specs.is_empty() {
            let names = specs.iter().map(|spec| spec.name.as_str()).collect::<Vec<_>>().join(", ");
            return Err(AlignmentError::Setting {
                option: "--genes",
                expected: format!("a range for at least one parameter of {}, of {names}", self.method),
                got: "none".into(),
            });
        }
        Ok(genes)
    }

    fn ranges(&self) -> Result<Map<String, Value>, AlignmentError> {
        let range = |gene: GeneRange| match gene.values {
            GeneValues::Range(range) => Ok((gene.parameter, json!(range))),
            GeneValues::List(values) => Err(AlignmentError::Setting {
                option: "--genes",
                expected: format!("a range as in {}=0..1", gene.parameter),
                got: format!("the values {values:?}, which are for --strategy grid"),
            }),
        };
        self.genes()?.into_iter().map(range).collect()
    }

    fn grid(&self) -> Result<Map<String, Value>, AlignmentError> {
        let values = |gene: GeneRange| {
            let values = match gene.values {
                GeneValues::List(values) => values,
                GeneValues::Range([lower, upper]) => {
                    let last = self.steps.max(2) - 1;
                    (0..=last).map(|step| lower + (upper - lower) * step as f64 / last as f64).collect()
                }
            };
            (gene.parameter, json!(values))
        };
        Ok(self.genes()?.into_iter().map(values).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(strategy: &str, method: &str, genes: &[&str]) -> StrategyChoice {
        StrategyChoice {
            strategy: strategy.into(),
            method: method.into(),
            genes: genes.iter().map(|gene| gene.parse().unwrap()).collect(),
            set: Map::new(),
            data: vec![Data::Expert, Data::Safety],
            alpha: 0.3,
            evaluations: 100,
            steps: 3,
            point: 1,
            temperature: 1.0,
            goal: None,
        }
    }

    #[test]
    fn without_genes_a_search_is_the_experiments() {
        let strategy = choice("evomm", "ties", &[]).strategy(1).unwrap();
        let expected = json!({ "evomm": {
            "merge": "ties", "parameters": { "normalize": false }, "genes": { "weight": [0.0, 1.0], "density": [0.1, 1.0] },
            "data": ["expert", "safety"], "alpha": 0.3, "evaluations": 100, "sigma": 0.25, "restarts": 2,
        } });
        assert_eq!(strategy, serde_json::from_value(expected).unwrap());
        let slerp = choice("random", "slerp", &[]).strategy(1).unwrap();
        assert_eq!(serde_json::to_value(slerp).unwrap()["random"]["genes"], json!({ "t": [0.0, 1.0] }));
    }

    #[test]
    fn every_strategy_can_be_chosen() {
        let names: Vec<&str> =
            AnyStrategy::BY_OPTIONS.iter().filter(|(_, options)| options.is_some()).map(|(name, _)| *name).collect();
        assert_eq!(names, ["fixed", "grid", "evomm", "random", "front", "lm_cocktail"]);
        for name in names.into_iter().chain(["lm-cocktail"]) {
            choice(name, "task_arithmetic", &[]).strategy(2).unwrap();
        }
        let error = choice("evom", "ties", &[]).strategy(2).unwrap_err().to_string();
        assert_eq!(error, "--strategy: expected one of fixed, grid, evomm, random, front, lm-cocktail, got `evom`");
        let grid = choice("grid", "ties", &["weight=0..1", "density=0.25:0.5"]).strategy(2).unwrap();
        let values = serde_json::to_value(grid).unwrap()["grid"]["values"].clone();
        assert_eq!(values, json!({ "weight": [0.0, 0.5, 1.0], "density": [0.25, 0.5] }));
    }

    #[test]
    fn what_cannot_be_searched_is_refused_with_what_can() {
        let error = |choice: StrategyChoice, experts| choice.strategy(experts).unwrap_err().to_string();
        let nothing = error(choice("evomm", "breadcrumbs", &["gamma=1..0"]), 1);
        assert!(nothing.contains("gamma"), "{nothing}");
        let unknown = error(choice("evomm", "tise", &[]), 1);
        assert!(unknown.contains("did you mean `ties`?"), "{unknown}");
        let list = error(choice("evomm", "ties", &["weight=0.5:1"]), 1);
        assert!(list.starts_with("--genes: expected a range as in weight=0..1"), "{list}");
        assert!("weight".parse::<GeneRange>().unwrap_err().contains("weight=0..1"));
    }
}
