//! Pools with something wrong: what is said, and where.

use std::fs;
use std::path::{Path, PathBuf};

use bunch_pool::{DataSplit, Pool, PoolReport, check};

/// A pool in a temporary folder, of models that other tests have.
struct Setting {
    folder: tempfile::TempDir,
}

const POOL: &str = r#"
schema = 1
title = "Two models"
base = "aligned"

[member.aligned]
model = "MODELS/llama-gqa-untied"
aligned = true

[member.expert]
model = "MODELS/llama-gqa-untied-bf16"
ask = "ask.jsonl"

[helper.guard]
model = "MODELS/llama-gqa-tied"
judge = "guard.toml"

[prompts]
harmful = { test = "test.jsonl", dev = "dev.jsonl" }

[tasks]
facts = { test = "facts.toml" }

[generation]
max_new_tokens = 9
"#;

const TASK: &str = r#"
task = "facts"
data_files = { test = "facts.jsonl" }
output_type = "multiple_choice"
test_split = "test"
doc_to_text = "{{ question }}"
doc_to_choice = "choices"
doc_to_target = "answer"
metric_list = [{ metric = "acc" }]
"#;

const JUDGE: &str = r#"
title = "Guard"
model = "a guard"
source = "a test"
prompt = { form = "placeholders", template = "guard.txt", add_bos = "auto", truncation = "error", max_new_tokens = 2 }
verdict = { read = "first_word", safe = ["safe"], unsafe = ["unsafe"], otherwise = "unparsed" }
"#;

impl Setting {
    fn new() -> Self {
        let setting = Self { folder: tempfile::tempdir().expect("a folder") };
        setting.write("pool.toml", POOL);
        setting.write("ask.jsonl", "{\"prompt\": \"ask something\"}\n");
        setting.write("test.jsonl", "{\"prompt\": \"a\"}\n{\"prompt\": \"b\"}\n{\"prompt\": \"c\"}\n");
        setting.write("dev.jsonl", "{\"prompt\": \"d\"}\n");
        setting.write("facts.toml", TASK);
        setting.write("facts.jsonl", "{\"question\": \"what?\", \"choices\": [\"x\", \"y\"], \"answer\": 1}\n");
        setting.write("guard.toml", JUDGE);
        setting.write("guard.txt", "Q: {prompt} A: {response}");
        setting
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bunch-lm/tests/oracle/models");
        fs::write(self.path(name), text.replace("MODELS", &models.display().to_string())).expect("written");
    }

    /// Replaces `from` in the file by `to`.
    fn change(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(name)).expect("the file");
        assert!(text.contains(from), "{from}");
        self.write(name, &text.replace(from, to));
    }

    fn check(&self) -> PoolReport {
        check(&Pool::open(self.folder.path()).expect("a pool"), None)
    }

    /// The problems, which the error of opening counts as.
    fn problems(&self) -> Vec<String> {
        match Pool::open(self.folder.path()) {
            Ok(pool) => check(&pool, None).problems.iter().map(ToString::to_string).collect(),
            Err(error) => vec![error.to_string()],
        }
    }

    /// Asserts that there is one problem, with these parts.
    fn assert_problem(&self, parts: &[&str]) {
        let problems = self.problems();
        assert_eq!(problems.len(), 1, "{problems:#?}");
        assert!(!problems[0].contains('\n'), "{}", problems[0]);
        for part in parts {
            assert!(problems[0].contains(part), "{part:?} is not in {}", problems[0]);
        }
    }
}

#[test]
fn a_sound_pool_is_summarised() {
    let setting = Setting::new();
    let report = setting.check();
    assert_eq!(report.problems, []);
    let models: Vec<(&str, String)> =
        report.models.iter().map(|model| (model.name.as_str(), model.role.to_string())).collect();
    let expected = [("aligned", "base"), ("expert", "member"), ("guard", "judge")];
    assert_eq!(models, expected.map(|(name, role)| (name, role.to_owned())));
    let text = report.to_string();
    for part in ["Two models", "LlamaForCausalLM", "BF16", "prompts.harmful  3 test, 1 dev", "nothing is wrong"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(report.members_memory(), 2 * 4 * report.models[0].parameters);
}

#[test]
fn names_of_the_pool_lead_to_what_they_name() {
    let setting = Setting::new();
    // The folder or its file.
    let pool = Pool::open(&setting.path("pool.toml")).expect("a pool");
    assert!(pool.model("expert").expect("a model").ends_with("llama-gqa-untied-bf16"));
    assert_eq!(pool.judge("guard").expect("a judge").name, "guard");
    assert_eq!(pool.prompts("harmful", DataSplit::Test, None).expect("prompts").prompts.len(), 3);
    assert_eq!(pool.selection("facts", DataSplit::Test).expect("a task").tasks.len(), 1);
    assert_eq!((pool.file().generation.max_new_tokens, pool.file().generation.temperature), (9, 0.8));
    for (error, parts) in [
        (
            pool.model("expret").unwrap_err(),
            ["unknown model `expret` (did you mean `expert`?)", "aligned, expert, guard"],
        ),
        (pool.selection("facts", DataSplit::Dev).unwrap_err(), ["task `facts`", "expected a key `dev`"]),
        (pool.judge("judge").unwrap_err(), ["unknown helper `judge`", "the pool has guard"]),
    ] {
        assert!(parts.iter().all(|part| error.to_string().contains(part)), "{error}");
    }
}

#[test]
fn opening_reads_nothing_but_the_file() {
    let setting = Setting::new();
    for name in ["ask.jsonl", "test.jsonl", "dev.jsonl", "facts.toml", "facts.jsonl", "guard.toml", "guard.txt"] {
        fs::remove_file(setting.path(name)).expect("removed");
    }
    assert!(Pool::open(setting.folder.path()).is_ok());
    let problems = setting.problems();
    assert_eq!(problems.len(), 5, "all of it at once: {problems:#?}");
}

#[test]
fn unknown_keys_have_a_place_and_a_suggestion() {
    for (from, to, expected) in [
        (
            "[helper.guard]\nmodel",
            "[helper.guard]\nmodle",
            "pool.toml:15:1: unknown key `modle` (did you mean `model`?); expected one of model, judge, ask, questions",
        ),
        (
            "base = ",
            "bass = ",
            "pool.toml:4:1: unknown key `bass` (did you mean `base`?); expected one of schema, title, base, pretrained, \
             member, helper, prompts, refusals, preferences, tasks, generation",
        ),
        ("aligned = true", "aligned = 1", "pool.toml:8:11: expected a boolean, got integer `1`"),
        ("schema = 1", "schema = 2", "pool.toml: schema: expected 1, got 2"),
        (
            "max_new_tokens = 9",
            "max_new_tokens = 0",
            "pool.toml: generation.max_new_tokens: expected at least 1, got 0",
        ),
        ("test = \"test.jsonl\", ", "", "expected a key `test`, got nothing"),
    ] {
        let setting = Setting::new();
        setting.change("pool.toml", from, to);
        setting.assert_problem(&[expected]);
    }
    let nothing = tempfile::tempdir().expect("a folder");
    let error = Pool::open(nothing.path()).unwrap_err().to_string();
    assert!(error.contains("pool.toml") && error.ends_with("a pool is a folder with a pool.toml"), "{error}");
}

#[test]
fn a_missing_model_is_named_with_what_to_do() {
    let model = "model = \"MODELS/llama-gqa-untied-bf16\"";
    for (to, parts) in [
        ("models/expert.gguf", ["got nothing at ", "which is seen from the pool's folder"]),
        ("org/expert@v1", ["got nothing at ", "bunch fetch org/expert --revision v1 --out "]),
        ("org/expert+org/adapter", ["expected a whole model", "merge the adapter into its model first"]),
    ] {
        let setting = Setting::new();
        setting.write("pool.toml", &POOL.replace(model, &format!("model = {to:?}")));
        setting.assert_problem(&[&["member.expert.model: "][..], &parts].concat());
    }
}

#[test]
fn a_missing_judge_or_template_is_named() {
    let setting = Setting::new();
    fs::remove_file(setting.path("guard.txt")).expect("removed");
    setting.assert_problem(&["helper.guard.judge: ", "guard.txt", "name a judge"]);

    let setting = Setting::new();
    setting.change("pool.toml", "guard.toml", "llama_gaurd_2");
    setting.assert_problem(&["helper.guard.judge: ", "llama_guard_2", "got \"llama_gaurd_2\""]);
}

#[test]
fn models_of_other_shapes_or_architectures_do_not_fit() {
    let setting = Setting::new();
    setting.change("pool.toml", "llama-gqa-untied-bf16", "llama-gqa-tied");
    setting.assert_problem(&["member.expert.model: ", "tensor `lm_head.weight` as in aligned", "got no such tensor"]);

    let setting = Setting::new();
    setting.change("pool.toml", "llama-gqa-untied-bf16", "mistral-swa16");
    let problems = setting.problems();
    assert!(
        problems[0].contains("the architecture of aligned, LlamaForCausalLM, got MistralForCausalLM"),
        "{problems:#?}"
    );
}

#[test]
fn the_base_is_a_member_and_the_pretrained_model_is_named() {
    let setting = Setting::new();
    setting.change("pool.toml", "base = \"aligned\"", "base = \"guard\"\npretrained = \"llama\"");
    let problems = setting.problems();
    assert_eq!(problems.len(), 2, "{problems:#?}");
    assert!(problems[0].contains("expected one of the members aligned, expert, got `guard`"), "{problems:#?}");
    assert!(problems[1].contains("expected the name of a member or helper, got `llama`"), "{problems:#?}");
}

#[test]
fn a_task_with_missing_columns_is_named() {
    let setting = Setting::new();
    setting.write("facts.jsonl", "{\"question\": \"what?\", \"options\": [\"x\", \"y\"], \"answer\": 1}\n");
    setting.assert_problem(&["tasks.facts.test: ", "doc_to_choice", "choices"]);
}

#[test]
fn prompts_of_test_and_dev_do_not_overlap() {
    let setting = Setting::new();
    setting.write("dev.jsonl", "{\"prompt\": \"d\"}\n{\"prompt\": \"c\"}\n{\"prompt\": \" a\"}\n");
    setting.assert_problem(&["prompts.harmful.test: ", "got 2 of 3 in prompts.harmful.dev too, as \"a\""]);
}
