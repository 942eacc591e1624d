//! Whole evaluations with a formula as the model: progress, journal, groups, and what goes wrong.

mod formula;
mod setting;

use std::fs;
use std::sync::Mutex;

use bunch_benchmark::{BenchmarkError, Catalog, Options, Selection, Task, check_data, evaluate};
use bunch_journal::JournalError;
use bunch_lm::{GenerateConfig, LanguageModel, LmError, Loglikelihood, LoglikelihoodRequest, TokenId, Tokenizer};
use bunch_progress::{Progress, Quiet};
use formula::Formula;
use serde_json::Value;
use setting::{options, oracle, run, select, task_file, tokenizer};

#[derive(Default)]
struct Watch(Mutex<Watched>);

#[derive(Default)]
struct Watched {
    prepared: Vec<String>,
    stage: String,
    total: u64,
    kept: u64,
    done: u64,
    steps: usize,
}

impl Progress for Watch {
    fn begin(&self, stage: &str, total: u64, done: u64) {
        let mut watched = self.0.lock().expect("a lock");
        if total == 0 {
            watched.prepared.push(stage.to_string());
        } else {
            (watched.stage, watched.total, watched.kept) = (stage.to_string(), total, done);
        }
    }

    fn advance(&self, tokens: u64) {
        let mut watched = self.0.lock().expect("a lock");
        watched.done += tokens;
        watched.steps += 1;
    }
}

/// Fails, or answers with `value`, from the call `good` on.
struct Failing {
    model: Formula,
    good: usize,
    value: Option<f64>,
}

impl LanguageModel for Failing {
    fn context_window(&self) -> usize {
        self.model.context_window()
    }

    fn loglikelihood(&self, requests: &[LoglikelihoodRequest]) -> Result<Vec<Loglikelihood>, LmError> {
        let mut answers = self.model.loglikelihood(requests)?;
        if self.model.calls().len() > self.good {
            let last = answers.last_mut().expect("a request");
            last.sum = self.value.ok_or_else(|| LmError::Text("the power is gone".to_string()))?;
        }
        Ok(answers)
    }

    fn generate(&self, prompts: &[Vec<TokenId>], config: &GenerateConfig) -> Result<Vec<Vec<TokenId>>, LmError> {
        self.model.generate(prompts, config)
    }
}

#[test]
fn progress_is_known_beforehand() {
    let watch = Watch::default();
    let selection = select(&["oracle_arc", "oracle_gen", "oracle_roll"]);
    let options = Options { limit: Some(12), ..options() };
    evaluate(&selection, &Formula::new(tokenizer()), &tokenizer(), &options, &watch).expect("evaluated");
    let watch = watch.0.into_inner().expect("a lock");
    let prepared = [("oracle_arc", 12), ("oracle_gen", 10), ("oracle_roll", 4)];
    assert_eq!(watch.prepared, prepared.map(|(task, docs)| format!("reading {task}, {docs} documents")));
    assert_eq!(watch.total, watch.done);
    assert_eq!(watch.stage, format!("answering {} requests of 26 documents", 12 * 4 + 10 + 4));
    assert_eq!(watch.kept, 0);
    assert!(watch.steps > 5 && watch.steps < 26, "{}", watch.steps);
    // 10 answers of at most 24 tokens, and less than all tokens of the choices' contexts, four times each.
    assert!(watch.total > 240 && watch.total < 12 * 4 * 30 + 240 + 10 * 40 + 700, "{}", watch.total);
}

#[test]
fn results_do_not_depend_on_the_window() {
    let names = ["oracle_arc", "oracle_letters", "oracle_gen", "oracle_roll", "oracle_drawn"];
    let with = |window_tokens: usize| {
        let options = Options { window_tokens, n_shot: Some(2), ..options() };
        run(&Formula::new(tokenizer()), &names, &options).expect("evaluated")
    };
    let small = with(1);
    assert_eq!(small, with(100_000));
    assert_eq!(
        small.score("oracle_letters", "acc,none"),
        small.results["groups"]["oracle_letters"]["acc,none"].as_f64()
    );
    assert_eq!(small.score("oracle_letters", "f1,none"), None);
    let quiet = Options { n_shot: Some(2), log_samples: false, ..options() };
    let quiet = run(&Formula::new(tokenizer()), &names, &quiet).expect("evaluated");
    assert!(quiet.samples.is_empty());
    assert_eq!(quiet.results, small.results);
}

#[test]
fn an_interrupted_run_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("answers.jsonl");
    let names = ["oracle_arc", "oracle_gen", "oracle_roll"];
    let options = Options { journal: Some(journal.clone()), ..options() };
    let whole = run(&Formula::new(tokenizer()), &names, &self::options()).expect("evaluated");

    let broken = Failing { model: Formula::new(tokenizer()), good: 3, value: None };
    let error = run(&broken, &names, &options).unwrap_err();
    assert!(matches!(error, BenchmarkError::Model { .. }) && error.to_string().contains("power"), "{error}");
    let lines = fs::read_to_string(&journal).expect("a journal");
    let kept = lines.lines().count();
    assert!(kept > 3 && kept < 40, "{kept}");
    // As a killed process leaves it.
    fs::write(&journal, format!("{lines}{{\"task\": \"oracle_arc\", \"doc_")).expect("written");

    let watch = Watch::default();
    let model = Formula::new(tokenizer());
    let found = evaluate(&select(&names), &model, &tokenizer(), &options, &watch).expect("evaluated");
    assert_eq!(found, whole);
    let watch = watch.0.into_inner().expect("a lock");
    assert!(watch.kept > 0 && watch.stage.ends_with(" of 54 documents"), "{}: {}", watch.kept, watch.stage);
    assert_eq!(watch.kept + watch.done, watch.total);
    // What was kept is not asked again.
    let answers =
        |line: &str| serde_json::from_str::<Value>(line).expect("JSON")["resps"].as_array().expect("a list").len();
    let kept: usize = lines.lines().map(answers).sum();
    let asked = |model: &Formula| model.calls().iter().map(Vec::len).sum::<usize>();
    let all = Formula::new(tokenizer());
    run(&all, &names, &self::options()).expect("evaluated");
    assert_eq!(asked(&model), asked(&all) - kept);
    assert_eq!(fs::read_to_string(&journal).expect("a journal").lines().count(), 54);

    let model = Formula::new(tokenizer());
    assert_eq!(run(&model, &names, &options).expect("evaluated"), whole);
    assert!(model.calls().is_empty(), "everything was kept");

    // Another run's answers are not taken.
    for (other, what) in [
        (Options { n_shot: Some(1), ..options.clone() }, "num_fewshot"),
        (Options { limit: Some(3), ..options.clone() }, "limit"),
        (Options { model: [("name".to_string(), "b".into())].into_iter().collect(), ..options.clone() }, "model"),
    ] {
        let error = run(&Formula::new(tokenizer()), &names, &other).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
    let error = run(&Formula::new(tokenizer()), &["oracle_arc"], &options).unwrap_err().to_string();
    assert!(error.contains("tasks"), "{error}");
    let replaced = Options { replace_journal: true, ..options };
    run(&Formula::new(tokenizer()), &["oracle_arc"], &replaced).expect("evaluated");
    assert_eq!(fs::read_to_string(&journal).expect("a journal").lines().count(), 40);
}

#[test]
fn a_journal_with_a_foreign_line_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("answers.jsonl");
    let options = Options { journal: Some(journal.clone()), ..options() };
    run(&Formula::new(tokenizer()), &["oracle_wino"], &options).expect("evaluated");
    let text = fs::read_to_string(&journal).expect("a journal");
    let lines: Vec<&str> = text.lines().collect();
    for (line, broken) in [
        (2, text.replacen(lines[1], lines[2], 1)),
        (1, text.replacen("false", "null", 1).replacen("true", "null", 1)),
        (11, format!("{text}{}\n", lines[0])),
    ] {
        fs::write(&journal, broken).expect("written");
        let error = run(&Formula::new(tokenizer()), &["oracle_wino"], &options).unwrap_err();
        let found = match &error {
            BenchmarkError::JournalLine { line, .. } => *line,
            BenchmarkError::Journal(JournalError::OtherLine { line, .. }) => *line,
            BenchmarkError::Journal(JournalError::TooLong { expected, .. }) => expected + 1,
            _ => panic!("{line}: {error}"),
        };
        assert_eq!(found, line, "{error}");
    }
}

#[test]
fn what_is_no_number_stops_the_run() {
    for value in [f64::NAN, f64::NEG_INFINITY] {
        let model = Failing { model: Formula::new(tokenizer()), good: 1, value: Some(value) };
        let error = run(&model, &["oracle_arc"], &options()).unwrap_err();
        assert!(matches!(error, BenchmarkError::NotALikelihood { doc: 1.., request: 3, .. }), "{error}");
        assert!(error.to_string().contains(&value.to_string()), "{error}");
    }
}

#[test]
fn unknown_tasks_get_near_names() {
    let error = |name: &str| Catalog::builtin().expect("tasks").select(&[name]).unwrap_err().to_string();
    assert_eq!(error("arc_esay"), "no task or group is named \"arc_esay\"; did you mean arc_easy?");
    assert!(error("mmlu_anatomie").contains("did you mean mmlu_anatomy"), "{}", error("mmlu_anatomie"));
    assert!(error("pubmed").contains("pubmedqa"), "{}", error("pubmed"));
    let far = error("xyzzy-frobnicate");
    assert!(far.contains("there are: ") && far.contains("mmlu_stem") && far.contains("winogrande"), "{far}");
    assert!(!far.contains("mmlu_anatomy"), "{far}");
}

#[test]
fn impossible_options_are_refused() {
    for (options, part) in [
        (Options { limit: Some(0), ..options() }, "limit"),
        (Options { window_tokens: 0, ..options() }, "window_tokens"),
        (Options { fewshot_as_multiturn: Some(true), ..options() }, "apply_chat_template"),
        (Options { n_shot: Some(4), ..options() }, "4 few-shot examples are asked for, but the dev split holds 3"),
    ] {
        let error = run(&Formula::new(tokenizer()), &["oracle_arc"], &options).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    let error = evaluate(&Selection::default(), &Formula::new(tokenizer()), &tokenizer(), &options(), &Quiet);
    assert!(error.unwrap_err().to_string().contains("no task"));
}

#[test]
fn documents_that_do_not_fit_are_named() {
    let choice = "output_type = 'multiple_choice'\ndoc_to_text = '{{q}}'\ndoc_to_target = 'gold'\n";
    let acc = "[[metric_list]]\nmetric = 'acc'\n";
    let row = "{\"q\": \"Q\", \"gold\": 0, \"c\": [\"a\", \"b\"]}\n";
    for (keys, data, part) in [
        (format!("{choice}doc_to_choice = '{{{{d}}}}'\n{acc}"), row, "task t, doc 0: doc_to_choice: "),
        (format!("{choice}doc_to_choice = '{{{{q}}}}'\n{acc}"), row, "expected a list of texts, got \"Q\""),
        (format!("{choice}doc_to_choice = 'c'\n{acc}"), "{\"q\": \"Q\", \"gold\": 0, \"c\": []}\n", "expected a list"),
        (
            format!("{choice}target_delimiter = ''\ndoc_to_choice = 'c'\n{acc}"),
            "{\"q\": \"Q\", \"gold\": 0, \"c\": [\"\"]}\n",
            "the continuation has no tokens",
        ),
        (format!("{choice}doc_to_choice = 'c'\n{acc}"), "{\"q\": 1}\n{\"q\"\n", "data.jsonl: line 2: "),
        (format!("{choice}{acc}"), row, "needs doc_to_choice"),
        (format!("{choice}doc_to_choice = 'c'\nshots = 1\n{acc}"), row, "shots"),
        (format!("{choice}doc_to_choice = 'c'\n[[metric_list]]\nmetric = 'f1_weighted_by_class'\n"), row, "class_id"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = task_file(folder.path(), &keys, data);
        let found = Task::load(&path).and_then(|task| {
            let options = Options { window_tokens: 10, ..Options::default() };
            evaluate(&Selection::of(vec![task]), &Formula::new(tokenizer()), &tokenizer(), &options, &Quiet)
        });
        let error = found.unwrap_err().to_string();
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn data_can_be_checked_without_a_model() {
    let files = check_data(&select(&["oracle_arc"]), &options()).expect("there");
    assert_eq!(files.len(), 1);
    let files = check_data(&select(&["oracle_arc"]), &Options { n_shot: Some(1), ..options() }).expect("there");
    assert_eq!(files.len(), 2);
    assert_eq!(files[0].sha256.len(), 64);
    let error = check_data(&select(&["arc_easy", "medqa_4options"]), &options()).unwrap_err().to_string();
    assert!(error.contains("arc/ARC-Easy/test-*.parquet") && error.contains("CC BY-SA 4.0"), "{error}");
}

#[test]
fn a_tokenizer_that_lacks_something_is_refused() {
    let bare = Tokenizer::load(&oracle().join("models/llama-gqa-untied/tokenizer.json")).expect("a tokenizer");
    let run = |names: &[&str], options: &Options| {
        let error = evaluate(&select(names), &Formula::new(tokenizer()), &bare, options, &Quiet).unwrap_err();
        assert!(matches!(error, BenchmarkError::Text { doc: 0, .. }), "{error}");
        error.to_string()
    };
    let error = run(&["oracle_arc"], &Options { apply_chat_template: true, ..options() });
    assert!(error.contains("oracle_arc, doc 0") && error.contains("chat template"), "{error}");
    for task in ["oracle_arc_mutual", "oracle_roll"] {
        assert!(run(&[task], &options()).contains("neither a BOS nor an EOS token"), "{task}");
    }
}

#[test]
fn a_group_can_average_each_tasks_own_metric() {
    let found = run(&Formula::new(tokenizer()), &["oracle_main"], &options()).expect("evaluated");
    let score = |name: &str, metric: &str| found.score(name, metric).expect("a number");
    let parts = [("oracle_arc", "acc", "none"), ("oracle_gen", "exact_match", "strict-match")];
    let mean = parts.map(|(task, metric, filter)| score(task, &format!("{metric},{filter}"))).iter().sum::<f64>() / 2.0;
    let squares = parts.map(|(task, metric, filter)| score(task, &format!("{metric}_stderr,{filter}")).powi(2));
    assert!((score("oracle_main", "main_metric,none") - mean).abs() < 1e-12);
    let stderr = squares.iter().sum::<f64>().sqrt() / 2.0;
    assert!((score("oracle_main", "main_metric_stderr,none") - stderr).abs() < 1e-12);
    assert_eq!(found.results["versions"]["oracle_main"], "N/A");
}
