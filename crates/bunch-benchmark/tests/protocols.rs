//! Protocols with a formula as the model: perplexity, AdaptLLM's means, where generated answers end.

mod formula;
mod setting;

use std::cell::RefCell;
use std::fs;

use bunch_benchmark::{BenchmarkError, Options, Selection, Task, evaluate};
use bunch_lm::{GenerateConfig, LanguageModel, LmError, Loglikelihood, LoglikelihoodRequest, Sampling, TokenId};
use bunch_progress::Quiet;
use formula::Formula;
use setting::{options, run, task_file, tokenizer};

#[test]
fn a_text_has_a_perplexity() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("story.txt");
    fs::write(&path, "The cat sat on the mat. ".repeat(40)).expect("written");
    let task = Task::perplexity(&path).expect("a task");
    let model = Formula::new(tokenizer());
    let found = evaluate(&Selection::of(vec![task]), &model, &tokenizer(), &Options::default(), &Quiet);
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
        let found = evaluate(&Selection::of(vec![task]), &model, &tokenizer(), &Options::default(), &Quiet);
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
