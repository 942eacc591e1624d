//! Whole evaluations with a formula as the model: progress, journal, AdaptLLM's protocol, and what goes wrong.

mod formula;

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};

use bunch_benchmark::{
    BenchmarkError, Catalog, Evaluation, Observer, Options, Selection, Task, Work, check_data, evaluate,
};
use bunch_lm::{
    GenerateConfig, LanguageModel, LmError, Loglikelihood, LoglikelihoodRequest, Sampling, TokenId, Tokenizer,
};
use formula::Formula;

fn crate_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn oracle() -> PathBuf {
    crate_folder().join("../bunch-lm/tests/oracle")
}

fn tokenizer() -> Tokenizer {
    Tokenizer::from_directory(&oracle().join("models/llama-gqa-untied")).expect("a tokenizer")
}

fn select(names: &[&str]) -> Selection {
    let mut catalog = Catalog::builtin().expect("tasks");
    for entry in fs::read_dir(crate_folder().join("tests/oracle")).expect("tests/oracle") {
        catalog.add(&entry.expect("an entry").path()).expect("a task");
    }
    catalog.select(names).expect("known tasks")
}

fn options() -> Options {
    Options { data_dir: Some(oracle()), window_tokens: 300, log_samples: true, ..Options::default() }
}

fn run(model: &dyn LanguageModel, names: &[&str], options: &Options) -> Result<Evaluation, BenchmarkError> {
    evaluate(&select(names), model, &tokenizer(), options, &mut ())
}

#[derive(Default)]
struct Watch {
    prepared: Vec<(String, usize)>,
    total: Work,
    kept: Work,
    done: Work,
    steps: usize,
}

impl Observer for Watch {
    fn prepare(&mut self, task: &str, docs: usize) {
        self.prepared.push((task.to_string(), docs));
    }

    fn start(&mut self, total: Work, kept: Work) {
        (self.total, self.kept) = (total, kept);
    }

    fn advance(&mut self, _: &str, done: Work) {
        self.done += done;
        self.steps += 1;
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
    let mut watch = Watch::default();
    let selection = select(&["oracle_arc", "oracle_gen", "oracle_roll"]);
    let options = Options { limit: Some(12), ..options() };
    evaluate(&selection, &Formula::new(tokenizer()), &tokenizer(), &options, &mut watch).expect("evaluated");
    let prepared = [("oracle_arc", 12), ("oracle_gen", 10), ("oracle_roll", 4)];
    assert_eq!(watch.prepared, prepared.map(|(task, docs)| (task.to_string(), docs)));
    assert_eq!(watch.total, watch.done);
    assert_eq!((watch.total.docs, watch.total.requests), (26, 12 * 4 + 10 + 4));
    assert_eq!(watch.kept, Work::default());
    assert!(watch.steps > 5 && watch.steps < 26, "{}", watch.steps);
    // 10 answers of at most 24 tokens, and less than all tokens of the choices' contexts, four times each.
    assert!(watch.total.tokens > 240 && watch.total.tokens < 12 * 4 * 30 + 240 + 10 * 40 + 700, "{:?}", watch.total);
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

    let mut watch = Watch::default();
    let model = Formula::new(tokenizer());
    let found = evaluate(&select(&names), &model, &tokenizer(), &options, &mut watch).expect("evaluated");
    assert_eq!(found, whole);
    assert_eq!(watch.kept.docs, kept);
    assert_eq!((watch.kept.docs + watch.done.docs, watch.total.docs), (54, 54));
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
        assert!(matches!(&error, BenchmarkError::JournalLine { line: found, .. } if *found == line), "{line}: {error}");
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
    let error = evaluate(&Selection::default(), &Formula::new(tokenizer()), &tokenizer(), &options(), &mut ());
    assert!(error.unwrap_err().to_string().contains("no task"));
}

/// A task file in a folder of its own.
fn task_file(folder: &Path, keys: &str, data: &str) -> PathBuf {
    fs::write(folder.join("data.jsonl"), data).expect("written");
    let path = folder.join("task.toml");
    let fixed = "task = 't'\ndata_files = { test = 'data.jsonl' }\ntest_split = 'test'\n";
    fs::write(&path, format!("{fixed}{keys}")).expect("written");
    path
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
            evaluate(&Selection::of(vec![task]), &Formula::new(tokenizer()), &tokenizer(), &options, &mut ())
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
fn a_text_has_a_perplexity() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("story.txt");
    fs::write(&path, "The cat sat on the mat. ".repeat(40)).expect("written");
    let task = Task::perplexity(&path).expect("a task");
    let model = Formula::new(tokenizer());
    let found = evaluate(&Selection::of(vec![task]), &model, &tokenizer(), &Options::default(), &mut ());
    let found = found.expect("evaluated");
    let calls = model.calls();
    let sums: f64 = model.loglikelihood(&requests(&calls[0])).expect("scores").iter().map(|score| score.sum).sum();
    assert!(calls[0].len() > 1, "several windows");
    // 240 words and the empty one after the last space.
    let expected = (-sums / 241.0).exp();
    let word = found.score("perplexity", "word_perplexity,none").expect("a number");
    assert!((word / expected - 1.0).abs() < 1e-12, "{word} {expected}");
    let bits = found.score("perplexity", "bits_per_byte,none").expect("a number");
    assert!((bits + sums / 960.0 / 2.0_f64.ln()).abs() < 1e-12, "{bits}");
}

fn requests(call: &formula::Call) -> Vec<LoglikelihoodRequest> {
    let request = |(context, continuation): &(Vec<TokenId>, Vec<TokenId>)| LoglikelihoodRequest {
        context: context.clone(),
        continuation: continuation.clone(),
    };
    call.iter().map(request).collect()
}

#[test]
fn adaptllm_scores_means_and_moves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    };
    let rows = r#"[{"input": "Is it so?\nAnswer: ", "options": ["yes, of course it is", "no"], "gold_index": 1},
        {"input": "Are two things one?", "options": ["yes, of course they are", "no"], "gold_index": 0}]"#;
    write("medicine-tasks/MQP/test.json", rows);
    write("medicine-tasks/RCT/test.json", rows);
    write(
        "finance-tasks/Headline/test.json",
        r#"[
        {"input": "A", "options": ["Yes", "No"], "gold_index": 1, "class_id": 0},
        {"input": "B", "options": ["Yes", "No"], "gold_index": 1, "class_id": 8}]"#,
    );
    write("finance-tasks/NER/test.json", r#"[{"input": "Acme met Bob.", "label": "Acme (ORG)"}]"#);
    write("finance-tasks/ConviFinQA/test.json", r#"[{"input": "What is it?", "label": ["33.0"]}]"#);
    let options = Options {
        data_dir: Some(folder.path().to_path_buf()),
        n_shot: Some(3),
        log_samples: true,
        ..Options::default()
    };
    let names = ["adaptllm_mqp", "adaptllm_rct", "adaptllm_headline", "adaptllm_ner", "adaptllm_convfinqa"];
    let model = Formula::new(tokenizer());
    let found = run(&model, &names, &options).expect("evaluated");

    // The first task's requests, by the protocol.
    let tokenizer = tokenizer();
    let encode = |text: &str| tokenizer.encode(text, bunch_lm::AddBos::Auto).expect("tokens");
    let mut right = Vec::new();
    let docs = [
        ("Is it so?\nAnswer: ", ["yes, of course it is", "no"], 1),
        ("Are two things one?", ["yes, of course they are", "no"], 0),
    ];
    let calls = model.calls();
    let mut asked = calls[0].iter();
    for (question, choices, gold) in docs {
        let mut means = Vec::new();
        for choice in choices {
            let whole = encode(&format!("{question} {choice}"));
            let (context, continuation) = whole.split_at(encode(question).len());
            let request = asked.next().expect("a request");
            assert_eq!(request, &(context.to_vec(), continuation.to_vec()), "{question:?} {choice}");
            let score = model.loglikelihood(&requests(&vec![request.clone()])).expect("a score")[0];
            means.push(score.sum / continuation.len() as f64);
        }
        right.push(f64::from(u8::from(means[gold] >= means[1 - gold])));
    }
    assert!(asked.next().is_none());
    let accuracy = right.iter().sum::<f64>() / 2.0;
    assert_eq!(found.score("adaptllm_mqp", "acc,none"), Some(accuracy));
    assert_eq!(found.score("adaptllm_rct", "f1_micro,none"), Some(accuracy));
    assert!(found.score("adaptllm_headline", "f1_weighted_by_class,none").is_some());
    let answer = found.samples["adaptllm_convfinqa"][0]["resps"][0][0].as_str().expect("a text").to_string();
    let expected = f64::from(u8::from(answer.contains("33")));
    assert_eq!(found.score("adaptllm_convfinqa", "numeric_match,none"), Some(expected), "{answer}");
    assert_eq!(found.score("adaptllm_ner", "entity_f1,none"), Some(0.0));
    assert_eq!(found.results["n-shot"]["adaptllm_mqp"], 0);

    // No question is cut: one that does not fit is an error.
    let long = format!(r#"[{{"input": "{}", "options": ["a", "b"], "gold_index": 0}}]"#, "word ".repeat(400));
    write("medicine-tasks/MQP/test.json", &long);
    let error = run(&model, &["adaptllm_mqp"], &options).unwrap_err().to_string();
    assert!(error.contains("adaptllm_mqp, doc 0") && error.contains("window of 160"), "{error}");
}

/// Says the same to every prompt, and remembers how it was asked.
struct Saying {
    text: &'static str,
    asked: RefCell<Vec<(usize, GenerateConfig)>>,
}

impl LanguageModel for Saying {
    fn context_window(&self) -> usize {
        160
    }

    fn loglikelihood(&self, _: &[LoglikelihoodRequest]) -> Result<Vec<Loglikelihood>, LmError> {
        Ok(Vec::new())
    }

    fn generate(&self, prompts: &[Vec<TokenId>], config: &GenerateConfig) -> Result<Vec<Vec<TokenId>>, LmError> {
        self.asked.borrow_mut().push((prompts.len(), config.clone()));
        let ids = tokenizer().encode(self.text, bunch_lm::AddBos::Never)?;
        Ok(prompts.iter().map(|_| ids.clone()).collect())
    }
}

#[test]
fn answers_end_at_stop_texts_and_tokens() {
    let model = Saying { text: "so\n#### 33\n\nQuestion: what?</s>", asked: RefCell::default() };
    let found = run(&model, &["oracle_gen"], &options()).expect("evaluated");
    assert_eq!(found.samples["oracle_gen"][0]["resps"][0][0], "so\n#### 33\n\n");
    assert_eq!(
        found.score("oracle_gen", "exact_match,strict-match"),
        found.score("oracle_gen", "exact_match,flexible-extract")
    );
    let asked = model.asked.into_inner();
    assert!(asked.len() < 10, "several prompts in a call");
    assert!(asked.iter().all(|(_, config)| config.max_new_tokens == 24 && config.sampling == Sampling::Greedy));
    assert!(asked[0].1.stop.contains(&tokenizer().eos().expect("an EOS")));
    let error = run(&Saying { text: "", asked: RefCell::default() }, &["oracle_arc"], &options()).unwrap_err();
    assert!(matches!(error, BenchmarkError::AnswerCount { got: 0, .. }), "{error}");
}

#[test]
fn drawn_answers_have_seeds_of_their_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = "output_type = 'generate_until'\ndoc_to_text = '{{q}}'\ndoc_to_target = 'a'\n[[metric_list]]\nmetric = 'exact_match'\n";
    let draw = "[generation_kwargs]\ndo_sample = true\ntemperature = 0.5\nmax_gen_toks = ";
    let rows = "{\"q\": \"Q\", \"a\": \"A\"}\n".repeat(3);
    let evaluated = |most: usize| {
        let task = Task::load(&task_file(folder.path(), &format!("{keys}{draw}{most}\n"), &rows)).expect("a task");
        let model = Saying { text: "A\n\nB", asked: RefCell::default() };
        let found = evaluate(&Selection::of(vec![task]), &model, &tokenizer(), &Options::default(), &mut ());
        (found, model.asked.into_inner())
    };
    let (found, asked) = evaluated(8);
    assert_eq!(found.expect("evaluated").score("t", "exact_match,none"), Some(1.0), "cut at the few-shot delimiter");
    let seeds: Vec<_> = asked.iter().map(|(prompts, config)| (*prompts, format!("{:?}", config.sampling))).collect();
    assert_eq!(seeds.len(), 3);
    assert!(seeds.iter().all(|(prompts, _)| *prompts == 1));
    assert!(seeds[0] != seeds[1] && seeds[1] != seeds[2] && seeds[0] != seeds[2], "{seeds:?}");
    assert_eq!(evaluated(8).1, asked, "the same again");
    let error = evaluated(160).0.unwrap_err().to_string();
    assert!(error.contains("max_gen_toks is 160") && error.contains("window of 160"), "{error}");
}

#[test]
fn a_tokenizer_that_lacks_something_is_refused() {
    let bare = Tokenizer::load(&oracle().join("models/llama-gqa-untied/tokenizer.json")).expect("a tokenizer");
    let run = |names: &[&str], options: &Options| {
        let error = evaluate(&select(names), &Formula::new(tokenizer()), &bare, options, &mut ()).unwrap_err();
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
