//! What is merged slice by slice, whatever the form of the recipe.

use crate::form::{Form, Layout, ModelEntry, Origin, OutputSlice};
use crate::model_reference::ModelReference;
use crate::parameters::Known;
use crate::problem::{Fault, Problem};
use crate::reader::Reader;
use crate::setting::{Setting, Settings};
use bunch_merging::BaseRole;
use std::collections::BTreeMap;

/// The slices of the output.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plan {
    pub(crate) slices: Vec<PlannedSlice>,
    /// Parameters of the module, below the slices' and above the recipe's.
    pub(crate) module: Settings,
}

/// Some layers of the output.
#[derive(Debug, Clone)]
pub(crate) struct PlannedSlice {
    /// The models, the base included if it takes part; one at least.
    pub(crate) sources: Vec<PlannedSource>,
    /// Which of the models is the base.
    pub(crate) base: Option<usize>,
    /// Which of the models are the experts.
    pub(crate) experts: Vec<usize>,
    pub(crate) parameters: Settings,
    pub(crate) origin: Origin,
}

/// Some layers of a model.
#[derive(Debug, Clone)]
pub(crate) struct PlannedSource {
    pub(crate) model: ModelReference,
    pub(crate) role: Option<String>,
    /// First layer, and the layer after the last; none stands for all.
    pub(crate) layers: Option<(usize, usize)>,
    pub(crate) parameters: Settings,
    pub(crate) origin: Origin,
}

impl PlannedSource {
    /// Whether this is the base, given which model that is: one with a role is there as an expert.
    fn is(&self, base: &ModelReference) -> bool {
        self.role.is_none() && self.model == *base
    }
}

/// What a plan is made from.
pub(crate) struct Draft<'a> {
    pub(crate) known: &'a Known,
    pub(crate) form: &'a Form,
    pub(crate) form_origin: &'a Origin,
    pub(crate) base_model: Option<&'a (ModelReference, Origin)>,
    pub(crate) parameters: &'a Settings,
    /// The whole recipe.
    pub(crate) origin: &'a Origin,
}

impl Draft<'_> {
    /// The plan, all of which has been checked that can be without the models.
    pub(crate) fn plan(&self, reader: &mut Reader) -> Plan {
        let empty = Settings::default();
        let (layout, module) = match self.form {
            Form::Models(models) => (Some(self.whole_models(models, reader)), &empty),
            Form::Slices(slices) => (Some(slices.iter().map(|slice| self.slice(slice)).collect()), &empty),
            Form::Modules(modules) => match modules.first() {
                None => (None, &empty),
                Some((_, module)) => (Some(self.layout(&module.layout, reader)), &module.parameters),
            },
        };
        let mut plan = Plan { slices: Vec::new(), module: module.clone() };
        for (mut slice, base) in layout.unwrap_or_default() {
            self.find_base(&mut slice, base.as_ref(), reader);
            self.assign_roles(&mut slice, reader);
            plan.slices.push(slice);
        }
        for slice in &plan.slices {
            self.check_duplicates(slice, reader);
            self.check_count(slice, reader);
            self.check_parameters(&plan, slice, reader);
        }
        plan
    }

    fn layout(&self, layout: &Layout, reader: &mut Reader) -> Vec<(PlannedSlice, Option<ModelReference>)> {
        match layout {
            Layout::Models(models) => self.whole_models(models, reader),
            Layout::Slices(slices) => slices.iter().map(|slice| self.slice(slice)).collect(),
        }
    }

    /// One slice of all layers, to which a base that is not listed is added.
    fn whole_models(&self, models: &[ModelEntry], reader: &mut Reader) -> Vec<(PlannedSlice, Option<ModelReference>)> {
        let source = |entry: &ModelEntry| PlannedSource {
            model: entry.model.clone(),
            role: entry.role.clone(),
            layers: None,
            parameters: entry.parameters.clone(),
            origin: entry.origin.clone(),
        };
        let mut sources: Vec<_> = models.iter().map(source).collect();
        if let Some((base, origin)) = self.base_model
            && !sources.iter().any(|source| source.is(base))
        {
            if self.known.info.base == BaseRole::Ignored {
                let text = format!("{base} takes part like the other models: {} has no base", self.known.info.name);
                reader.note(&origin.location, &text);
            }
            let (model, origin, parameters) = (base.clone(), origin.clone(), Settings::default());
            sources.push(PlannedSource { model, role: None, layers: None, parameters, origin });
        }
        let (parameters, origin) = (Settings::default(), self.form_origin.clone());
        let slice = PlannedSlice { sources, base: None, experts: Vec::new(), parameters, origin };
        vec![(slice, self.base_model.map(|(base, _)| base.clone()))]
    }

    fn slice(&self, slice: &OutputSlice) -> (PlannedSlice, Option<ModelReference>) {
        let sources = slice.sources.iter().map(|source| PlannedSource {
            model: source.model.clone(),
            role: source.role.clone(),
            layers: Some(source.layer_range),
            parameters: source.parameters.clone(),
            origin: source.origin.clone(),
        });
        let base = slice.base_model.as_ref().or(self.base_model.map(|(base, _)| base));
        let (parameters, origin) = (slice.parameters.clone(), slice.origin.clone());
        let planned = PlannedSlice { sources: sources.collect(), base: None, experts: Vec::new(), parameters, origin };
        (planned, base.cloned())
    }

    /// Puts the experts in the order of the method's roles, of which each must be there.
    fn assign_roles(&self, slice: &mut PlannedSlice, reader: &mut Reader) {
        let info = self.known.info;
        if info.roles.is_empty() {
            return;
        }
        let sources = &slice.sources;
        let names: Vec<&str> = info.expert_roles().iter().map(|role| role.name).collect();
        let before = reader.problems.len();
        for source in slice.experts.iter().map(|&expert| &sources[expert]).filter(|source| source.role.is_none()) {
            let expected = format!("the role of {} for {}: one of {}", source.model, info.name, names.join(", "));
            reader.problems.push(source.origin.problem("role", Fault::Missing { expected }));
        }
        if reader.problems.len() > before {
            return;
        }
        let mut ordered = Vec::new();
        for role in info.expert_roles() {
            let has_role = |expert: &&usize| sources[**expert].role.as_deref() == Some(role.name);
            let found: Vec<usize> = slice.experts.iter().filter(has_role).copied().collect();
            match found.as_slice() {
                [] => {
                    let expected = format!("a model with `role: {}`, {}, for {}", role.name, role.what, info.name);
                    reader.problems.push(slice.origin.problem("", Fault::Missing { expected }));
                }
                [first, again, ..] if !role.repeats => {
                    let first = sources[*first].origin.location.clone();
                    let fault = Fault::Repeated { what: "role", got: role.name.to_owned(), first };
                    reader.problems.push(sources[*again].origin.problem("role", fault));
                }
                _ => ordered.extend_from_slice(&found),
            }
        }
        slice.experts = ordered;
    }

    /// Finds out which model is the base.
    fn find_base(&self, slice: &mut PlannedSlice, base: Option<&ModelReference>, reader: &mut Reader) {
        let role = self.known.info.base;
        if role != BaseRole::Ignored {
            slice.base = base.and_then(|base| slice.sources.iter().position(|source| source.is(base)));
        }
        slice.experts = (0..slice.sources.len()).filter(|index| slice.base != Some(*index)).collect();
        match base {
            None if role == BaseRole::Required => {
                let expected = format!("a base model, as {} needs one", self.known.info.name);
                let missing = Problem {
                    location: self.origin.location.clone(),
                    key: "base_model".into(),
                    fault: Fault::Missing { expected },
                };
                if !reader.problems.contains(&missing) {
                    reader.problems.push(missing);
                }
            }
            Some(base) if role != BaseRole::Ignored && slice.base.is_none() => {
                let listed: Vec<String> = slice.sources.iter().map(|source| source.model.to_string()).collect();
                let fault = Fault::expected(format!("the base {base} among the sources"), listed.join(", "));
                reader.problems.push(slice.origin.problem("sources", fault));
            }
            _ => {}
        }
    }

    fn check_duplicates(&self, slice: &PlannedSlice, reader: &mut Reader) {
        // A model may have several roles.
        let mut before: BTreeMap<(&ModelReference, Option<&str>), &Origin> = BTreeMap::new();
        for source in &slice.sources {
            let key = (&source.model, source.role.as_deref());
            if let Some(first) = before.get(&key) {
                let (got, first) = (source.model.to_string(), first.location.clone());
                let fault = Fault::Repeated { what: "model of a slice", got, first };
                reader.problems.push(source.origin.problem("model", fault));
            } else {
                before.insert(key, &source.origin);
            }
        }
    }

    fn check_count(&self, slice: &PlannedSlice, reader: &mut Reader) {
        let (info, count) = (self.known.info, slice.experts.len());
        if !info.roles.is_empty() {
            return;
        }
        // Without the base that it needs, a slice has an expert too many; the missing base has been reported.
        if info.experts.contains(count) || (info.base == BaseRole::Required && slice.base.is_none()) {
            return;
        }
        let besides = if slice.base.is_some() { " besides the base" } else { "" };
        let expected = format!("{} for {}{besides}", info.experts, info.name);
        reader.problems.push(slice.origin.problem("", Fault::expected(expected, count.to_string())));
    }

    fn check_parameters(&self, plan: &Plan, slice: &PlannedSlice, reader: &mut Reader) {
        for spec in &self.known.specs {
            let name = spec.name.as_str();
            let shared = [&slice.parameters, &plan.module, self.parameters];
            let for_all = shared.iter().any(|settings| settings.get(name).is_some());
            if let Some(base) = slice.base.and_then(|base| slice.sources.get(base))
                && let Some(Setting { location, .. }) = base.parameters.get(name).filter(|_| spec.per_expert)
            {
                reader.note(location, &format!("`{name}` changes nothing here: {} is the base", base.model));
            }
            if for_all || self.known.is_ignored(spec, reader.spelling) {
                continue;
            }
            if !spec.per_expert {
                if spec.required {
                    let fault = Fault::Missing { expected: format!("a value, as {} needs one", self.known.info.name) };
                    let problem = self.origin.problem(&format!("parameters.{name}"), fault);
                    if !reader.problems.contains(&problem) {
                        reader.problems.push(problem);
                    }
                }
                continue;
            }
            let experts = || slice.experts.iter().filter_map(|index| slice.sources.get(*index));
            let has = |source: &PlannedSource| source.parameters.get(name).is_some();
            let default = || self.known.default_value(spec, reader.spelling);
            let expected = if spec.required {
                format!("a value, as {} needs one for each model", self.known.info.name)
            } else if experts().any(has) && default().is_none() {
                "a value, as other models have one".into()
            } else {
                continue;
            };
            for source in experts().filter(|source| !has(source)) {
                let fault = Fault::Missing { expected: expected.clone() };
                reader.problems.push(source.origin.problem(&format!("parameters.{name}"), fault));
            }
        }
    }
}

impl Origin {
    pub(crate) fn problem(&self, key: &str, fault: Fault) -> Problem {
        let key = match (self.key.as_str(), key) {
            ("", key) => key.to_owned(),
            (path, "") => path.to_owned(),
            (path, key) => format!("{path}.{key}"),
        };
        Problem { location: self.location.clone(), key, fault }
    }
}
