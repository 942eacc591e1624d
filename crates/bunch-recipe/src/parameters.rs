//! Reads the parameters that a recipe sets.

use crate::node;
use crate::problem::{Fault, Problem};
use crate::reader::{Field, Reader, Table};
use crate::setting::{Case, Scalar, Setting, Settings};
use bunch_merging::{
    CATALOGUE, Info, ParameterKind, ParameterSpec, Spelling, method_schema, nearest_name, parameter_specs,
};
use serde_json::Value;

/// The method of a recipe and the parameters it takes.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) info: &'static Info,
    pub(crate) specs: Vec<ParameterSpec>,
}

/// What the parameters of a `parameters` table are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// One model.
    Model,
    /// All models of a slice, a module or the recipe.
    Shared,
}

impl Known {
    pub(crate) fn new(method: &str, spelling: Spelling) -> Option<Self> {
        let info = CATALOGUE.iter().find(|info| info.name == method)?;
        Some(Self { info, specs: parameter_specs(method, spelling)? })
    }

    /// The value of a parameter that is not set, if that is a single value.
    pub(crate) fn default_value(&self, spec: &ParameterSpec, spelling: Spelling) -> Option<Value> {
        let dialect = &self.info.dialect;
        let renamed = dialect.names.iter().find(|(theirs, _)| *theirs == spec.name && spelling == Spelling::Mergekit);
        let field = renamed.map_or(spec.name.as_str(), |(_, ours)| ours);
        let theirs = dialect.defaults.iter().find(|(name, _)| *name == field && spelling == Spelling::Mergekit);
        let value = match theirs {
            Some((_, value)) => serde_json::from_str(value).ok()?,
            None => method_schema(self.info.name)?.as_value()["properties"][field]["default"].clone(),
        };
        (value.is_number() || value.is_boolean() || value.is_string()).then_some(value)
    }

    /// Whether a parameter is accepted and changes nothing.
    pub(crate) fn is_ignored(&self, spec: &ParameterSpec, spelling: Spelling) -> bool {
        let dialect = &self.info.dialect;
        let mut ignored = dialect.ignored.iter().chain(dialect.ignored_per_expert);
        spelling == Spelling::Mergekit && ignored.any(|name| *name == spec.name)
    }

    /// The known name that was probably meant.
    fn meant(&self, name: &str) -> Option<String> {
        let is_known = |name: &str| self.specs.iter().any(|spec| spec.name == name);
        // Ours are the names of fields, which are in the plural where each expert has its own value.
        let singular = |name: &'static str| [name, name.strip_suffix('s').unwrap_or(name)];
        let other_spelling = self.info.dialect.names.iter().find_map(|(theirs, ours)| match name {
            _ if name == *theirs => singular(ours).into_iter().find(|name| is_known(name)),
            _ if singular(ours).contains(&name) => Some(*theirs).filter(|name| is_known(name)),
            _ => None,
        });
        let nearest = || nearest_name(name, self.specs.iter().map(|spec| spec.name.as_str()));
        other_spelling.map(str::to_owned).or_else(nearest)
    }
}

impl Reader {
    /// The `parameters` of a table; nothing is known of the parameters of an unknown method.
    pub(crate) fn parameters(&mut self, table: &Table<'_>, level: Level, known: Option<&Known>) -> Settings {
        let mut settings = Settings::default();
        let Some((field, known)) = table.get("parameters").zip(known) else { return settings };
        let Some(table) = self.any_table(&field, "a table of parameters") else { return settings };
        for (entry, field) in table.fields() {
            let Some(spec) = known.specs.iter().find(|spec| spec.name == entry.key) else {
                let what = format!("parameter of {}", known.info.name);
                let names = known.specs.iter().map(|spec| spec.name.clone()).collect();
                let (got, nearest) = (entry.key.clone(), known.meant(&entry.key));
                let fault = Fault::Unknown { what, got, nearest, known: names };
                self.problems.push(Problem { location: entry.location.clone(), key: table.key.clone(), fault });
                continue;
            };
            if level == Level::Model && !spec.per_expert {
                self.problems.push(field.problem(Fault::Misplaced));
            }
            if known.is_ignored(spec, self.spelling) {
                self.note(&entry.location, &format!("`{}` changes nothing here", spec.name));
            }
            // What cannot be read leaves a setting without cases, so that it does not also count as missing.
            let cases = self.cases(&field, &spec.kind).unwrap_or_default();
            settings.0.insert(entry.key.clone(), Setting { cases, location: entry.location.clone() });
        }
        settings
    }

    fn cases(&mut self, field: &Field<'_>, kind: &ParameterKind) -> Option<Vec<Case>> {
        let is_table = |field: &Field<'_>| matches!(field.node.value, node::Value::Table(_));
        match &field.node.value {
            node::Value::Table(_) => self.case(field, kind).map(|case| vec![case]),
            node::Value::List(_) => {
                let elements = self.list(field, "a value, or a list of values that is not empty")?;
                if !elements.iter().any(is_table) {
                    return self.scalars(elements, kind).map(|values| vec![Case { filter: None, values }]);
                }
                let cases: Vec<_> = elements.iter().map(|element| self.case(element, kind)).collect();
                let cases = cases.into_iter().collect::<Option<Vec<Case>>>()?;
                let mut after = cases.iter().zip(elements.iter().skip(1));
                if let Some((_, unused)) = after.find(|(case, _)| case.matches_all()) {
                    let text = format!("{} is never used: what is before it matches every tensor", unused.key);
                    self.note(unused.location(), &text);
                }
                Some(cases)
            }
            _ => self.scalar(field, kind).map(|value| vec![Case { filter: None, values: vec![value] }]),
        }
    }

    fn case(&mut self, field: &Field<'_>, kind: &ParameterKind) -> Option<Case> {
        let table = self.table(field, "a table with `value` and possibly `filter`", &["filter", "value"])?;
        let filter = match table.get("filter") {
            None => Some(None),
            Some(filter) => self.text(&filter, "a part of tensor names").map(|filter| Some(filter.to_owned())),
        };
        let value = self.require(&table, "value", "a value, or a list of values")?;
        let values = match &value.node.value {
            node::Value::List(_) => {
                let elements = self.list(&value, "a value, or a list of values that is not empty")?;
                self.scalars(elements, kind)
            }
            _ => self.scalar(&value, kind).map(|value| vec![value]),
        };
        Some(Case { filter: filter?, values: values? })
    }

    fn scalars(&mut self, fields: Vec<Field<'_>>, kind: &ParameterKind) -> Option<Vec<Scalar>> {
        let values: Vec<_> = fields.iter().map(|field| self.scalar(field, kind)).collect();
        values.into_iter().collect()
    }

    fn scalar(&mut self, field: &Field<'_>, kind: &ParameterKind) -> Option<Scalar> {
        match kind {
            ParameterKind::Number { bounds } => self.number(field, *bounds).map(Scalar::Number),
            ParameterKind::Integer => self.whole(field, 0).map(|value| Scalar::Number(value as f64)),
            ParameterKind::Boolean => self.boolean(field).map(Scalar::Boolean),
            ParameterKind::Choice(words) => {
                let expected = format!("one of {}", words.join(", "));
                let word = self.text(field, &expected)?;
                if !words.iter().any(|known| known == word) {
                    self.expect(field, &expected);
                    return None;
                }
                Some(Scalar::Word(word.to_owned()))
            }
        }
    }
}
