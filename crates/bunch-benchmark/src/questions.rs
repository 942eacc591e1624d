//! The questions that tasks ask, without a model: whether every document has what its task reads.

use crate::output_type::OutputType;
use crate::task::Question;
use crate::template::Templates;
use crate::{BenchmarkError, Doc, Options, Selection, Task, plan, python};

/// The questions of all documents that a selection scores, task by task. Choices and answers are read too, so that a column
/// that is missing is found before a model is loaded.
///
/// # Errors
/// As [`check_data`](crate::check_data); a document that lacks what a template reads, by task and number.
pub fn questions(selection: &Selection, options: &Options) -> Result<Vec<Vec<String>>, BenchmarkError> {
    options.check()?;
    let templates = Templates::new();
    let data = plan::load(selection, options, &templates)?;
    let of_task = |(task, data): (&Task, plan::TaskData)| {
        let question = |(at, doc)| {
            let question = question(task, doc, &templates);
            question.map_err(|reason| BenchmarkError::Doc { task: task.task.clone(), doc: at, reason })
        };
        data.docs.iter().enumerate().map(question).collect()
    };
    selection.tasks.iter().zip(data).map(of_task).collect()
}

fn question(task: &Task, doc: &Doc, templates: &Templates) -> Result<String, String> {
    for (field, name) in [("doc_to_text", &task.doc_to_text), ("doc_to_target", &task.doc_to_target)] {
        if is_column_name(name) && !doc.contains_key(name) {
            let columns: Vec<&str> = doc.keys().map(String::as_str).collect();
            return Err(format!("{field}: expected a column {name:?}, got the columns {}", columns.join(", ")));
        }
    }
    let target = task.target(doc, templates)?;
    if task.output_type == OutputType::LoglikelihoodRolling {
        return Ok(python::to_text(&target));
    }
    let choices = task.choices(doc, templates)?.unwrap_or_default();
    Ok(match task.question(doc, templates)? {
        Question::Text(text) => text,
        // The choices are contexts, and all that is asked.
        Question::Index(_) => choices.join("\n"),
    })
}

/// Whether a field is a bare word: a column's name, unless each document is to be asked that very word.
fn is_column_name(field: &str) -> bool {
    let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
    field.starts_with(|first: char| first.is_ascii_alphabetic()) && field.chars().all(is_word)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::questions;
    use crate::{Options, Selection, Task};

    const TASK: &str = r#"
        task = "tiny"
        data_files = { test = "tiny.jsonl" }
        output_type = "multiple_choice"
        test_split = "test"
        doc_to_text = "Q: {{ question }}"
        doc_to_choice = "choices"
        doc_to_target = "answer"
        metric_list = [{ metric = "acc", higher_is_better = true }]
    "#;

    fn ask(lines: &str) -> Result<Vec<Vec<String>>, String> {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("tiny.toml"), TASK).expect("written");
        fs::write(folder.path().join("tiny.jsonl"), lines).expect("written");
        let task = Task::load(&folder.path().join("tiny.toml")).expect("a task");
        questions(&Selection::of(vec![task]), &Options::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn questions_are_rendered() {
        let line = r#"{"question": "a?", "choices": ["x", "y"], "answer": 1}"#;
        assert_eq!(ask(line).expect("a question"), [["Q: a?"]]);
    }

    #[test]
    fn a_missing_column_is_named() {
        for (column, line) in [
            ("question", r#"{"choices": ["x", "y"], "answer": 1}"#),
            ("choices", r#"{"question": "a?", "answer": 1}"#),
            ("answer", r#"{"question": "a?", "choices": ["x", "y"]}"#),
        ] {
            let error = ask(line).unwrap_err();
            assert!(error.contains("tiny") && error.contains(column), "{column}: {error}");
        }
    }
}
