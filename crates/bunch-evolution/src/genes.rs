//! Genes: the numbers that a search varies, by the name of the merge method's parameter.

use std::collections::BTreeMap;
use std::fmt;

use bunch_merging::{CATALOGUE, Info, Method, ParameterKind, ParameterSpec, Spelling, nearest_name};
use bunch_merging::{method_from_parameters, parameter_specs};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::EvolutionError;

/// The name of a registered merge method.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MethodName(String);

impl MethodName {
    /// What the method says about itself.
    pub(crate) fn info(&self) -> Info {
        *CATALOGUE.iter().find(|info| info.name == self.0).expect("checked when it was read")
    }
}

impl TryFrom<String> for MethodName {
    type Error = EvolutionError;

    fn try_from(name: String) -> Result<Self, EvolutionError> {
        let mut known = CATALOGUE.iter().map(|info| info.name);
        if known.clone().any(|known| known == name) {
            return Ok(Self(name));
        }
        Err(EvolutionError::UnknownMethod { hint: hint(&name, &mut known), got: name })
    }
}

impl From<MethodName> for String {
    fn from(name: MethodName) -> String {
        name.0
    }
}

impl fmt::Display for MethodName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn hint(got: &str, known: &mut dyn Iterator<Item = &str>) -> String {
    nearest_name(got, known).map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default()
}

/// One coordinate of a search.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Gene {
    /// `weight_1` for the first expert's weight, `density` for a density that all share.
    pub(crate) name: String,
    pub(crate) lower: f64,
    pub(crate) upper: f64,
    /// Where a search from one point starts.
    pub(crate) start: f64,
}

/// A parameter that is searched: its genes, and the value that their coordinates stand for.
pub(crate) struct SearchedParameter {
    pub(crate) genes: Vec<Gene>,
    pub(crate) value: fn(&[f64]) -> Value,
}

/// Which genes a parameter has in a pool of so many experts, within the range given; an error says why it cannot be
/// searched.
pub(crate) type Layout = fn(&ParameterSpec, [f64; 2], usize) -> Result<SearchedParameter, String>;

/// The merges that one search looks through: a method, some of whose parameters are genes.
pub(crate) struct Space {
    method: String,
    fixed: Map<String, Value>,
    /// By name, in the method's own order.
    searched: Vec<(String, SearchedParameter)>,
}

impl Space {
    /// The space of a method's parameters within `ranges`; `fixed` are the same at every point.
    ///
    /// # Errors
    /// Names that the method does not have, and parameters that cannot be searched.
    pub(crate) fn new(
        method: &MethodName,
        fixed: &Map<String, Value>,
        ranges: &BTreeMap<String, [f64; 2]>,
        layout: Layout,
        experts: usize,
    ) -> Result<Self, EvolutionError> {
        let method = method.0.clone();
        let specs = parameter_specs(&method, Spelling::Bunch).unwrap_or_default();
        let names = || specs.iter().map(|spec| spec.name.as_str());
        if let Some(got) = fixed.keys().chain(ranges.keys()).find(|name| !names().any(|known| known == *name)) {
            let known = if specs.is_empty() { "none".into() } else { names().collect::<Vec<_>>().join(", ") };
            return Err(EvolutionError::UnknownParameter {
                hint: hint(got, &mut names()),
                got: got.clone(),
                method,
                known,
            });
        }
        let mut searched = Vec::new();
        for spec in specs {
            let Some(&range) = ranges.get(&spec.name) else { continue };
            let layout = || match &spec.kind {
                _ if fixed.contains_key(&spec.name) => Err("it is among the fixed `parameters` too".into()),
                ParameterKind::Number { .. } => layout(&spec, range, experts),
                ParameterKind::Integer => Err("it is a whole number".into()),
                ParameterKind::Boolean => Err("it is true or false".into()),
                ParameterKind::Choice(words) => Err(format!("it is one of {}", words.join(", "))),
            };
            let parameter = layout().map_err(|why| EvolutionError::NotSearchable {
                method: method.clone(),
                parameter: spec.name.clone(),
                why,
            })?;
            searched.push((spec.name, parameter));
        }
        if searched.is_empty() {
            return Err(EvolutionError::setting("genes", "empty", "the range of at least one parameter"));
        }
        Ok(Self { method, fixed: fixed.clone(), searched })
    }

    /// Fails if the method does not take so many experts, or the search could change nothing.
    pub(crate) fn check(&self, experts: usize) -> Result<(), EvolutionError> {
        let start: Vec<f64> = self.genes().iter().map(|gene| gene.start).collect();
        let method = self.method(&start)?;
        method.validate(experts)?;
        let normalized = serde_json::to_value(&method).expect("plain data")[&self.method]["normalize"] == true;
        if experts == 1 && normalized && self.parameters() == ["weight"] {
            return Err(EvolutionError::NotSearchable {
                method: self.method.clone(),
                parameter: "weight".into(),
                why: "with one expert it cancels; set `parameters = { normalize = false }`".into(),
            });
        }
        Ok(())
    }

    /// The parameters that are searched, in the order of their genes.
    pub(crate) fn parameters(&self) -> Vec<&str> {
        self.searched.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// All genes, in the order of a point's coordinates.
    pub(crate) fn genes(&self) -> Vec<&Gene> {
        self.genes_with_parameters().map(|(gene, _)| gene).collect()
    }

    /// The same, each with the parameter that it belongs to.
    pub(crate) fn genes_with_parameters(&self) -> impl Iterator<Item = (&Gene, &str)> {
        self.searched.iter().flat_map(|(name, parameter)| parameter.genes.iter().map(|gene| (gene, name.as_str())))
    }

    /// The method that a point stands for.
    pub(crate) fn method(&self, point: &[f64]) -> Result<Method, EvolutionError> {
        let mut parameters = self.fixed.clone();
        let mut rest = point;
        for (name, SearchedParameter { genes, value }) in &self.searched {
            let (coordinates, after) = rest.split_at(genes.len());
            parameters.insert(name.clone(), value(coordinates));
            rest = after;
        }
        method_from_parameters(&self.method, Spelling::Bunch, &parameters)
            .map_err(|what| EvolutionError::Parameters { method: self.method.clone(), what })
    }
}

/// One gene for each expert, where experts may have values of their own; otherwise one for all.
pub(crate) fn per_expert(spec: &ParameterSpec, range: [f64; 2], experts: usize) -> Result<SearchedParameter, String> {
    check_width(range)?;
    check_bounds(spec, range)?;
    Ok(laid_out(spec, range, experts, spec.per_expert))
}

/// One gene for all experts, unless each must have a value of its own.
pub(crate) fn shared(spec: &ParameterSpec, range: [f64; 2], experts: usize) -> Result<SearchedParameter, String> {
    check_bounds(spec, range)?;
    Ok(laid_out(spec, range, experts, spec.per_expert && !spec.shareable))
}

fn laid_out(spec: &ParameterSpec, [lower, upper]: [f64; 2], experts: usize, own: bool) -> SearchedParameter {
    // What each expert must have is its share in the merge: it starts where all models of the pool count alike.
    let start = match spec.per_expert && !spec.shareable {
        true => lower + (upper - lower) * share(experts),
        false => (lower + upper) / 2.0,
    };
    let gene = |name| Gene { name, lower, upper, start };
    if own {
        let genes = (1..=experts).map(|expert| gene(format!("{}_{expert}", spec.name))).collect();
        SearchedParameter { genes, value: |point| json!(point) }
    } else {
        SearchedParameter { genes: vec![gene(spec.name.clone())], value: |point| json!(point[0]) }
    }
}

/// One model's share of a pool.
pub(crate) fn share(experts: usize) -> f64 {
    1.0 / (experts + 1) as f64
}

/// Fails unless a range has an inside.
pub(crate) fn check_width([lower, upper]: [f64; 2]) -> Result<(), String> {
    let is_range = lower.is_finite() && upper.is_finite() && lower < upper;
    if is_range {
        Ok(())
    } else {
        Err(format!("its range is [{lower}, {upper}], expected a smaller and a larger number"))
    }
}

fn check_bounds(spec: &ParameterSpec, [lower, upper]: [f64; 2]) -> Result<(), String> {
    match spec.kind {
        ParameterKind::Number { bounds: Some((least, most)) } if lower < least || upper > most => {
            Err(format!("its range is [{lower}, {upper}], expected one within [{least}, {most}]"))
        }
        _ => Ok(()),
    }
}

/// Coordinates by the names of their genes.
pub(crate) fn named(names: &[impl AsRef<str>], values: &[f64]) -> BTreeMap<String, f64> {
    names.iter().map(|name| name.as_ref().to_owned()).zip(values.iter().copied()).collect()
}

impl AsRef<str> for Gene {
    fn as_ref(&self) -> &str {
        &self.name
    }
}

#[cfg(test)]
mod tests;
