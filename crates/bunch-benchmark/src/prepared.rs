//! Tasks that several models are asked: read and put into tokens once.

use bunch_lm::{LanguageModel, Tokenizer};
use bunch_progress::Quiet;

use crate::evaluation::outcomes;
use crate::metric::MetricValue;
use crate::plan::{self, PlannedTask};
use crate::run::Run;
use crate::{BenchmarkError, Options, Selection};

/// The documents of some tasks as the tokens of one tokenizer, for models that share it: what a search asks each candidate.
#[derive(Debug)]
pub struct PreparedTasks {
    tasks: Vec<PlannedTask>,
    tokenizer: Tokenizer,
    options: Options,
}

impl PreparedTasks {
    /// Reads the data of a selection and writes its prompts, for models that read at most `window` tokens at once.
    ///
    /// # Errors
    /// As [`evaluate`](crate::evaluate) before it asks the model, and as [`Selection::check_right_or_wrong`].
    pub fn new(
        selection: &Selection,
        tokenizer: &Tokenizer,
        options: &Options,
        window: usize,
    ) -> Result<Self, BenchmarkError> {
        options.check()?;
        selection.check_right_or_wrong()?;
        let tasks = plan::plan(selection, options, tokenizer, window, &Quiet)?;
        Ok(Self { tasks, tokenizer: tokenizer.clone(), options: options.clone() })
    }

    /// Whether `model` has each document right, by its task's first metric and filter: the documents of all tasks, one after
    /// the other.
    ///
    /// # Errors
    /// A model that fails.
    pub fn right(&self, model: &dyn LanguageModel) -> Result<Vec<bool>, BenchmarkError> {
        let Self { tasks, tokenizer, options } = self;
        let answers = Run { model, tokenizer, options }.answers(tasks, &Quiet)?;
        let mut right = Vec::new();
        for (task, answers) in tasks.iter().zip(&answers) {
            for outcomes in outcomes(task, answers)? {
                let value = outcomes.first().and_then(|outcome| outcome.values.first());
                right.push(matches!(value, Some(MetricValue::Score(score)) if *score == 1.0));
            }
        }
        Ok(right)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use bunch_lm::{GenerateConfig, LmError, Loglikelihood, LoglikelihoodRequest, TokenId};

    use super::*;
    use crate::Task;

    /// Likes the choice best whose first token has the largest id.
    struct Largest;

    impl LanguageModel for Largest {
        fn context_window(&self) -> usize {
            64
        }

        fn loglikelihood(&self, requests: &[LoglikelihoodRequest]) -> Result<Vec<Loglikelihood>, LmError> {
            let score = |request: &LoglikelihoodRequest| f64::from(request.continuation[0]) - 1e6;
            Ok(requests.iter().map(|request| Loglikelihood { sum: score(request), is_greedy: false }).collect())
        }

        fn generate(&self, _: &[Vec<TokenId>], _: &GenerateConfig) -> Result<Vec<Vec<TokenId>>, LmError> {
            unreachable!("nothing is generated")
        }
    }

    fn prepared(metric: &str, tokenizer: &Tokenizer) -> Result<PreparedTasks, BenchmarkError> {
        let folder = tempfile::tempdir().expect("a folder");
        let lines = [
            "{\"q\": \"a?\", \"c\": [\"x\", \"y\"], \"a\": 1}\n",
            "{\"q\": \"b?\", \"c\": [\"x\", \"y\"], \"a\": 0}\n",
        ];
        std::fs::write(folder.path().join("d.jsonl"), lines.concat()).expect("written");
        let text = format!(
            "task = 't'\ndata_files = {{ test = 'd.jsonl' }}\noutput_type = 'multiple_choice'\ntest_split = 'test'\n\
             doc_to_text = 'q'\ndoc_to_choice = 'c'\ndoc_to_target = 'a'\n\
             metric_list = [{{ metric = '{metric}', higher_is_better = true }}]\n"
        );
        let path = folder.path().join("t.toml");
        std::fs::write(&path, text).expect("written");
        let task = Task::load(&path)?;
        PreparedTasks::new(&Selection::of(vec![task]), tokenizer, &Options::default(), 64)
    }

    #[test]
    fn each_document_is_right_or_wrong() {
        let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bunch-lm/tests/oracle/models/llama-gqa-tied");
        let tokenizer = Tokenizer::from_directory(&model).expect("a tokenizer");
        let first = |text: &str| tokenizer.encode(text, Default::default()).expect("tokens")[0];
        let y_is_larger = first(" y") > first(" x");
        let right = prepared("acc", &tokenizer).expect("prepared").right(&Largest).expect("answers");
        assert_eq!(right, [y_is_larger, !y_is_larger]);
        let error = prepared("f1_micro", &tokenizer).expect_err("no bool").to_string();
        assert!(error.contains("expected a first metric that is 0 or 1") && error.ends_with("got f1_micro"), "{error}");
    }
}
