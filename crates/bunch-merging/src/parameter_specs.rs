//! The parameters that a recipe may set, and the method that they make.

use crate::dialect::Spelling;
use crate::info::Info;
use crate::method::{CATALOGUE, Method, method_schema};
use serde_json::{Map, Value};

/// One parameter that a recipe may set.
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterSpec {
    /// How recipes spell it.
    pub name: String,
    /// Whether each expert may have its own value.
    pub per_expert: bool,
    /// Whether one value may stand for all experts.
    pub shareable: bool,
    /// Whether a recipe must set it.
    pub required: bool,
    /// What values it takes.
    pub kind: ParameterKind,
    /// Its field in the configuration; none if it is accepted and changes nothing.
    field: Option<String>,
}

/// What values a parameter takes.
#[derive(Debug, Clone, PartialEq)]
pub enum ParameterKind {
    /// A number, possibly bounded on both sides.
    Number {
        /// Smallest and largest value.
        bounds: Option<(f64, f64)>,
    },
    /// A whole number, not negative.
    Integer,
    /// true or false.
    Boolean,
    /// One of these words.
    Choice(Vec<String>),
}

/// The parameters that a recipe may set for a method; `None` for an unknown method.
pub fn parameter_specs(method: &str, spelling: Spelling) -> Option<Vec<ParameterSpec>> {
    let info = CATALOGUE.iter().find(|info| info.name == method)?;
    let schema = method_schema(method)?;
    let properties = schema.as_value()["properties"].as_object().into_iter().flatten();
    let mut specs: Vec<ParameterSpec> =
        properties.map(|(field, schema)| ParameterSpec::new(info, spelling, field, schema)).collect();
    if spelling == Spelling::Mergekit {
        // What they have no word for cannot be set in their recipes; what has no effect can.
        let ignored = |name: &&str, per_expert, kind| ParameterSpec {
            name: (*name).into(),
            per_expert,
            shareable: !per_expert,
            required: false,
            kind,
            field: None,
        };
        let (shared, per_expert) = (info.dialect.ignored, info.dialect.ignored_per_expert);
        specs.extend(shared.iter().map(|name| ignored(name, false, ParameterKind::Boolean)));
        specs.extend(per_expert.iter().map(|name| ignored(name, true, ParameterKind::Number { bounds: None })));
    }
    Some(specs)
}

/// The method with the parameters that a recipe sets, by the names of [`parameter_specs`]: a list with one value for each
/// expert where the parameter is per expert, else one value. What is not set has the spelling's default.
///
/// # Errors
/// The message of serde, for values that the parameter does not take. Unknown methods and names are errors too.
pub fn method_from_parameters(
    method: &str,
    spelling: Spelling,
    parameters: &Map<String, Value>,
) -> Result<Method, String> {
    let (info, specs) = CATALOGUE
        .iter()
        .find(|info| info.name == method)
        .zip(parameter_specs(method, spelling))
        .ok_or_else(|| format!("unknown merge method `{method}`"))?;
    let mut config = Map::new();
    if spelling == Spelling::Mergekit {
        for (field, value) in info.dialect.defaults {
            let value = serde_json::from_str(value).map_err(|error| error.to_string())?;
            config.insert((*field).into(), value);
        }
    }
    for (name, value) in parameters {
        let spec = specs.iter().find(|spec| spec.name == *name);
        let spec = spec.ok_or_else(|| format!("{method} has no parameter `{name}`"))?;
        let Some(field) = &spec.field else { continue };
        let choice = info.dialect.choices.iter().find(|(theirs, ..)| theirs == name);
        let value = match (choice, value) {
            (Some((_, yes, no)), Value::Bool(value)) if spelling == Spelling::Mergekit => {
                Value::from(if *value { *yes } else { *no })
            }
            _ => value.clone(),
        };
        config.insert(field.clone(), value);
    }
    let tagged = Map::from_iter([(method.to_owned(), Value::Object(config))]);
    serde_json::from_value(Value::Object(tagged)).map_err(|error| error.to_string())
}

/// The parameters of a method as a recipe for `experts` experts sets them: what [`method_from_parameters`] makes the method
/// of. What is the spelling's default is left out unless the recipe must set it.
///
/// # Errors
/// A value that the spelling has no word for; the message names the parameter.
pub fn parameters_of(method: &Method, spelling: Spelling, experts: usize) -> Result<Map<String, Value>, String> {
    let info = method.info();
    let config = |method: &Method| serde_json::to_value(method).expect("plain data")[info.name].take();
    let usual = method_from_parameters(info.name, spelling, &Map::new()).ok().as_ref().map(config);
    let config = config(method);
    let mut parameters = Map::new();
    for spec in parameter_specs(info.name, spelling).unwrap_or_default() {
        let Some((field, value)) = spec.field.as_ref().and_then(|field| Some((field, config.get(field)?))) else {
            continue;
        };
        if !spec.required && usual.as_ref().is_some_and(|usual| usual.get(field) == Some(value)) {
            continue;
        }
        let choice = info.dialect.choices.iter().find(|(theirs, ..)| *theirs == spec.name);
        let value = match (choice, value) {
            (Some((_, yes, no)), value) if spelling == Spelling::Mergekit => {
                match [(yes, true), (no, false)].iter().find(|(word, _)| value == *word) {
                    Some((_, switch)) => Value::Bool(*switch),
                    None => {
                        return Err(format!("{}: `{}` cannot be {value} in mergekit's spelling", info.name, spec.name));
                    }
                }
            }
            (_, Value::Array(list)) if list.is_empty() => vec![1.0; experts].into(),
            // Exact as `f32`, which the method takes, and shorter.
            (_, value) => shortened(value),
        };
        parameters.insert(spec.name, value);
    }
    Ok(parameters)
}

/// The value with every number as the shortest decimal that is the same `f32`.
fn shortened(value: &Value) -> Value {
    match value {
        Value::Array(values) => values.iter().map(shortened).collect(),
        Value::Number(number) if number.is_f64() => {
            let value = number.as_f64().unwrap_or_default();
            let short: f64 = (value as f32).to_string().parse().unwrap_or(value);
            if short as f32 == value as f32 { short.into() } else { value.into() }
        }
        value => value.clone(),
    }
}

impl ParameterSpec {
    fn new(info: &Info, spelling: Spelling, field: &str, schema: &Value) -> Self {
        let mut kind = ParameterKind::of(schema);
        let list = |schema: &Value| schema["type"] == "array";
        let alternatives = schema["anyOf"].as_array();
        let per_expert = list(schema) || alternatives.is_some_and(|schemas| schemas.iter().any(list));
        // A list in the configuration has one entry for each expert, so with one expert it is in the singular.
        let singular = if list(schema) { field.strip_suffix('s').unwrap_or(field) } else { field };
        let mut name = singular;
        let mut required = schema.get("default").is_none();
        if spelling == Spelling::Mergekit {
            let renamed = info.dialect.names.iter().find(|(_, ours)| *ours == field);
            name = renamed.map_or(name, |(theirs, _)| theirs);
            required |= info.dialect.required.contains(&name);
            if info.dialect.choices.iter().any(|(theirs, ..)| *theirs == name) {
                kind = ParameterKind::Boolean;
            }
        }
        Self { name: name.into(), per_expert, shareable: !list(schema), required, kind, field: Some(field.into()) }
    }
}

impl ParameterKind {
    fn of(schema: &Value) -> Self {
        let choices = schema["oneOf"].as_array().or(schema["enum"].as_array());
        if let Some(choices) = choices {
            let word = |choice: &Value| choice.get("const").unwrap_or(choice).as_str().map(str::to_owned);
            return Self::Choice(choices.iter().filter_map(word).collect());
        }
        if let Some(first) = schema["anyOf"].as_array().and_then(|schemas| schemas.first()) {
            return Self::of(first);
        }
        match schema["type"].as_str() {
            Some("array") => Self::of(&schema["items"]),
            Some("boolean") => Self::Boolean,
            Some("integer") => Self::Integer,
            Some("number") => Self::Number { bounds: schema["minimum"].as_f64().zip(schema["maximum"].as_f64()) },
            // A mistake of whoever adds a parameter, found by every test of the registry.
            _ => panic!(
                "a parameter is a number, an integer, a switch, a choice or a list of one of these, not {schema}"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ParameterKind, method_from_parameters, parameter_specs, parameters_of};
    use crate::dialect::Spelling;
    use crate::method::CATALOGUE;
    use serde_json::{Map, Value, json};

    fn parameters(value: Value) -> serde_json::Map<String, Value> {
        value.as_object().expect("an object").clone()
    }

    #[test]
    fn the_parameters_of_a_method_make_the_same_method() {
        for info in CATALOGUE {
            let Ok(method) = method_from_parameters(info.name, Spelling::Bunch, &Map::new()) else { continue };
            for spelling in [Spelling::Bunch, Spelling::Mergekit] {
                let Ok(parameters) = parameters_of(&method, spelling, 2) else { continue };
                let again = method_from_parameters(info.name, spelling, &parameters);
                let again = again.unwrap_or_else(|error| panic!("{}: {error}: {parameters:?}", info.name));
                let explicit = parameters_of(&again, spelling, 2).expect("it was written");
                assert_eq!(explicit, parameters, "{}", info.name);
            }
        }
        let dare = method_from_parameters("dare_ties", Spelling::Bunch, &Map::new()).expect("valid");
        assert!(parameters_of(&dare, Spelling::Mergekit, 2).unwrap_err().contains("`rescale` cannot be \"density\""));
        let ties = json!({ "weight": [0.342_819_9], "density": [0.5964], "normalize": false });
        let ties = method_from_parameters("ties", Spelling::Bunch, &parameters(ties)).expect("valid");
        let theirs = parameters_of(&ties, Spelling::Mergekit, 1).expect("sayable");
        assert_eq!(theirs["weight"].to_string(), "[0.3428199]");
        assert_eq!(theirs.keys().collect::<Vec<_>>(), ["weight", "density", "normalize"]);
        assert_eq!(method_from_parameters("ties", Spelling::Mergekit, &theirs), Ok(ties));
    }

    #[test]
    fn each_spelling_has_its_names() {
        let names = |spelling| -> Vec<(String, bool, bool)> {
            let specs = parameter_specs("ties", spelling).expect("a method");
            specs.into_iter().map(|spec| (spec.name, spec.per_expert, spec.required)).collect()
        };
        let ours = names(Spelling::Bunch);
        assert!(ours.contains(&("weight".into(), true, false)) && ours.contains(&("scale".into(), false, false)));
        let theirs = names(Spelling::Mergekit);
        assert!(theirs.contains(&("weight".into(), true, true)) && theirs.contains(&("lambda".into(), false, false)));
        assert!(
            theirs.contains(&("density".into(), true, false)) && theirs.contains(&("int8_mask".into(), false, false))
        );
        assert!(parameter_specs("tees", Spelling::Bunch).is_none());
    }

    #[test]
    fn each_spelling_has_its_defaults() {
        let rescale = |spelling, values| {
            let method = method_from_parameters("dare_ties", spelling, &parameters(values)).expect("valid");
            serde_json::to_value(method).expect("JSON")["dare_ties"]["rescale"].clone()
        };
        assert_eq!(rescale(Spelling::Bunch, json!({})), "density");
        assert_eq!(rescale(Spelling::Mergekit, json!({})), "l1");
        assert_eq!(rescale(Spelling::Mergekit, json!({ "rescale": false })), "none");
        assert_eq!(rescale(Spelling::Bunch, json!({ "rescale": "none" })), "none");
    }

    #[test]
    fn values_reach_their_fields_and_mistakes_are_named() {
        let values = json!({ "weight": [0.5, 1.0], "density": [0.2, 0.4], "lambda": 0.7, "int8_mask": true });
        let method = method_from_parameters("ties", Spelling::Mergekit, &parameters(values)).expect("valid");
        let config = serde_json::to_value(method).expect("JSON");
        assert_eq!(config["ties"]["weights"], json!([0.5, 1.0]));
        assert_eq!(config["ties"]["density"], json!([0.2, 0.4]));
        assert_eq!(config["ties"]["scale"].as_f64().map(|scale| scale as f32), Some(0.7));
        let error =
            |values| method_from_parameters("ties", Spelling::Mergekit, &parameters(values)).expect_err("wrong");
        assert_eq!(error(json!({ "denstiy": 1 })), "ties has no parameter `denstiy`");
        assert!(error(json!({ "density": [1.7] })).contains("a density is 1.7, expected a number from 0 to 1"));
    }

    #[test]
    fn kinds_follow_the_schema() {
        let kind = |name: &str| {
            let specs = parameter_specs("dare_ties", Spelling::Bunch).expect("a method");
            specs.into_iter().find(|spec| spec.name == name).map(|spec| spec.kind)
        };
        assert_eq!(kind("density"), Some(ParameterKind::Number { bounds: Some((0.0, 1.0)) }));
        assert_eq!(kind("normalize"), Some(ParameterKind::Boolean));
        assert_eq!(kind("rescale"), Some(ParameterKind::Choice(["density", "l1", "none"].map(String::from).to_vec())));
    }
}
