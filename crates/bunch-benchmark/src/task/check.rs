//! What makes a task definition sensible, beyond its syntax.

use super::definition::{Choices, Task};
use crate::BenchmarkError;
use crate::output_type::OutputType;
use crate::template::Templates;

impl Task {
    /// Checks templates, expressions and combinations of keys.
    pub(super) fn check(&self) -> Result<(), BenchmarkError> {
        let wrong = |reason: String| Err(BenchmarkError::Task { task: self.task.clone(), reason });
        if self.eval_split().is_empty() {
            return wrong("there is neither test_split nor validation_split".to_string());
        }
        if self.dataset.is_some() != self.data_files.is_empty() {
            return wrong("exactly one of dataset and data_files is needed".to_string());
        }
        if self.metric_list.is_empty() {
            return wrong("metric_list is empty".to_string());
        }
        if self.output_type == OutputType::MultipleChoice && self.doc_to_choice.is_none() {
            return wrong("a multiple_choice task needs doc_to_choice".to_string());
        }
        if self.output_type != OutputType::GenerateUntil {
            if self.generation_kwargs.is_some() {
                return wrong("only a generate_until task has generation_kwargs".to_string());
            }
            if !self.filter_list.is_empty() {
                return wrong("only a generate_until task has a filter_list".to_string());
            }
        }
        let names = [("description", &self.description), ("doc_to_text", &self.doc_to_text)];
        for (field, template) in names.into_iter().chain([("doc_to_target", &self.doc_to_target)]) {
            Templates::check(&self.task, field, template)?;
        }
        if let Some(Choices::Template(template)) = &self.doc_to_choice {
            Templates::check(&self.task, "doc_to_choice", template)?;
        }
        if let Some(kwargs) = &self.generation_kwargs {
            if kwargs.max_gen_toks == 0 || kwargs.max_ctx_toks == Some(0) {
                return wrong("generation_kwargs: max_gen_toks and max_ctx_toks are at least 1".to_string());
            }
            let temperature = kwargs.temperature.is_finite() && kwargs.temperature >= 0.0;
            if !(temperature && kwargs.top_p > 0.0 && kwargs.top_p <= 1.0) {
                return wrong("generation_kwargs: temperature is at least 0 and top_p in (0, 1]".to_string());
            }
            if kwargs.do_sample == Some(true) && kwargs.temperature == 0.0 {
                return wrong("generation_kwargs: do_sample needs a temperature above 0".to_string());
            }
        }
        for pipeline in &self.filter_list {
            pipeline.check().or_else(|reason| wrong(format!("filter_list: {}: {reason}", pipeline.name)))?;
        }
        for metric in &self.metric_list {
            metric.check(self.output_type).or_else(|reason| wrong(format!("metric_list: {reason}")))?;
        }
        Ok(())
    }
}
