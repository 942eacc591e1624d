//! Jinja templates over documents, rendered as lm-evaluation-harness's `apply_template` renders them.

use std::collections::BTreeSet;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Serde, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior, Value};
use minijinja_contrib::pycompat::unknown_method_callback;
use serde_json::Value as Json;

use crate::python::{self, Pattern};
use crate::{BenchmarkError, Doc};

/// Renders templates: strict about undefined names, keeping a final newline, printing values as Python does.
#[derive(Debug)]
pub(crate) struct Templates {
    environment: Environment<'static>,
}

impl Templates {
    pub(crate) fn new() -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_syntax(syntax());
        environment.set_unknown_method_callback(python_method);
        environment.add_filter("regex_replace", regex_replace);
        environment.set_formatter(|out, _, value| {
            let text = python::to_text(&to_json(value)?);
            out.write_str(&text).map_err(Error::from)
        });
        Self { environment }
    }

    /// The text of `template` over `doc`.
    ///
    /// # Errors
    /// A template that does not parse or names what the document lacks, in words.
    pub(crate) fn render(&self, template: &str, doc: &Doc) -> Result<String, String> {
        let parsed = self.environment.template_from_str(template);
        let rendered = parsed.and_then(|parsed| {
            parsed.render(Serde(doc)).map_err(|error| undefined(error, parsed.undeclared_variables(false), doc))
        });
        rendered.map_err(|error| describe(&error))
    }

    /// The value of an expression over `doc`.
    ///
    /// # Errors
    /// As for [`Templates::render`].
    pub(crate) fn evaluate(&self, expression: &str, doc: &Doc) -> Result<Json, String> {
        let evaluated = self.environment.compile_expression(expression);
        let value = evaluated.and_then(|expression| {
            expression.eval(Serde(doc)).map_err(|error| undefined(error, expression.undeclared_variables(false), doc))
        });
        let value = value.map_err(|error| describe(&error))?;
        if value.is_undefined() {
            return Err(format!("undefined value (in {expression})"));
        }
        to_json(&value).map_err(|error| describe(&error))
    }

    /// The value that a template's text is a Python literal of: `{{ expression }}` alone is evaluated, other text parsed.
    ///
    /// # Errors
    /// As for [`Templates::render`], and text that is no literal.
    pub(crate) fn literal(&self, template: &str, doc: &Doc) -> Result<Json, String> {
        if let Some(expression) = single_expression(template) {
            return self.evaluate(expression, doc);
        }
        let text = self.render(template, doc)?;
        python::parse_literal(&text).ok_or_else(|| format!("{text:?} is no Python literal"))
    }

    /// Checks that a template parses.
    ///
    /// # Errors
    /// The task, its field and what is wrong.
    pub(crate) fn check(task: &str, field: &str, template: &str) -> Result<(), BenchmarkError> {
        let parsed = Self::new().environment.template_from_str(template).map(|_| ());
        parsed.map_err(|error| BenchmarkError::Task {
            task: task.to_string(),
            reason: format!("{field}: {}", describe(&error)),
        })
    }
}

/// The error of an undefined value names the columns that the document lacks, if these are the reason.
fn undefined(error: Error, names: impl IntoIterator<Item = String>, doc: &Doc) -> Error {
    let lacking: BTreeSet<String> = names.into_iter().filter(|name| !doc.contains_key(name)).collect();
    if error.kind() != ErrorKind::UndefinedError || lacking.is_empty() {
        return error;
    }
    let quoted = |names: &mut dyn Iterator<Item = &String>| names.map(String::as_str).collect::<Vec<_>>().join(", ");
    let (lacking, columns) = (quoted(&mut lacking.iter()), quoted(&mut doc.keys()));
    Error::new(ErrorKind::UndefinedError, format!("expected the columns {lacking}, got {columns}"))
}

/// Jinja's own delimiters, and a final newline is kept.
fn syntax() -> SyntaxConfig {
    SyntaxConfig::builder().keep_trailing_newline(true).build().expect("Jinja's own delimiters differ from each other")
}

/// The expression of a template that is `{{ expression }}` and nothing else.
fn single_expression(template: &str) -> Option<&str> {
    let inner = template.strip_prefix("{{")?.strip_suffix("}}")?;
    (!inner.contains("{{") && !inner.contains("}}") && !inner.contains("{%")).then_some(inner)
}

fn describe(error: &Error) -> String {
    format!("{error:#}").lines().next().unwrap_or_default().to_string()
}

fn to_json(value: &Value) -> Result<Json, Error> {
    serde_json::to_value(value).map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))
}

/// lm-eval's filter: `re.sub(pattern, repl, string)`.
fn regex_replace(text: &str, pattern: &str, repl: &str, options: Kwargs) -> Result<String, Error> {
    options.assert_all_used()?;
    let replaced = Pattern::new(pattern).and_then(|pattern| pattern.replace(text, repl));
    replaced.map_err(|reason| Error::new(ErrorKind::InvalidOperation, reason))
}

/// The methods of Python's strings and lists that minijinja lacks or that differ in what counts as white space.
fn python_method(state: &mut State, value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    if let Some(text) = value.as_str() {
        let lacking = || Error::new(ErrorKind::InvalidOperation, format!("substring not found in {text:?}"));
        let argument = args.first().and_then(Value::as_str);
        match (method, argument, args.len()) {
            ("strip", None, 0) => return Ok(python::strip(text).into()),
            ("lstrip", None, 0) => return Ok(text.trim_start_matches(python::is_space).into()),
            ("rstrip", None, 0) => return Ok(text.trim_end_matches(python::is_space).into()),
            ("capitalize", None, 0) => return Ok(python::capitalize(text).into()),
            ("split", None, 0) => {
                let words = text.split(python::is_space).filter(|word| !word.is_empty());
                return Ok(words.map(Value::from).collect());
            }
            ("split", Some(separator), 1) if !separator.is_empty() => {
                return Ok(text.split(separator).map(Value::from).collect());
            }
            ("index", Some(part), 1) => {
                let at = text.find(part).ok_or_else(lacking)?;
                return Ok(text[..at].chars().count().into());
            }
            ("removeprefix", Some(prefix), 1) => return Ok(text.strip_prefix(prefix).unwrap_or(text).into()),
            ("removesuffix", Some(suffix), 1) => return Ok(text.strip_suffix(suffix).unwrap_or(text).into()),
            _ => {}
        }
    }
    if let (ValueKind::Seq, "index", [wanted]) = (value.kind(), method, args) {
        let position = value.try_iter()?.position(|item| item == *wanted);
        return position
            .map(Value::from)
            .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, format!("{wanted:?} is not in the list")));
    }
    unknown_method_callback(state, value, method, args)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Templates;
    use crate::Doc;

    fn doc() -> Doc {
        let value = json!({"question": " \u{1f}a\n", "choices": {"text": ["it's", "b"], "label": ["A", "B"]}, "key": "B",
            "none": null, "yes": true, "tenth": 0.1, "s": "né_x_ y"});
        value.as_object().expect("fields").clone()
    }

    #[test]
    fn values_print_as_in_python() {
        let templates = Templates::new();
        for (template, expected) in [
            ("{{question.strip()}}|\n", "a|\n"),
            ("{{none}} {{yes}} {{tenth}}", "None True 0.1"),
            ("{{choices.text}}", "[\"it's\", 'b']"),
            ("{{choices.label.index(key)}}", "1"),
            ("{{s.index('_')}} {{s[:s.index('_')] + key}} {{s[s.index('_') + 1:].strip()}}", "2 néB x_ y"),
            ("{{ {'A': 0, 'B': 1}[key] }}", "1"),
            ("{{choices.text | join('\n')}}", "it's\nb"),
            ("{{s | regex_replace('_+', '-')}}", "né-x- y"),
            ("{{'Question: a'.removeprefix('Question: ')}}", "a"),
            ("{{'<b>&'}}", "<b>&"),
        ] {
            assert_eq!(templates.render(template, &doc()).expect("rendered"), expected, "{template}");
        }
    }

    #[test]
    fn lists_are_evaluated() {
        let templates = Templates::new();
        assert_eq!(templates.literal("{{choices.text}}", &doc()), Ok(json!(["it's", "b"])));
        assert_eq!(templates.literal("['{{key}}', 'x']", &doc()), Ok(json!(["B", "x"])));
        assert_eq!(templates.literal("{{[s[:2] + key, s]}}", &doc()), Ok(json!(["néB", "né_x_ y"])));
        assert_eq!(templates.literal("{{key}}, {{s}}", &doc()).unwrap_err(), "\"B, né_x_ y\" is no Python literal");
    }

    #[test]
    fn missing_names_are_errors() {
        let templates = Templates::new();
        for template in ["{{missing}}", "{{choices.none.x}}", "{{choices.label.index('Z')}}", "{{s.index('z')}}", "{{"]
        {
            templates.render(template, &doc()).expect_err(template);
        }
        templates.evaluate("missing", &doc()).expect_err("undefined");
        Templates::check("t", "doc_to_text", "{{ok}}").expect("parses");
        let error = Templates::check("t", "doc_to_text", "{% if %}").unwrap_err().to_string();
        assert!(error.starts_with("task t: doc_to_text: "), "{error}");
    }
}
