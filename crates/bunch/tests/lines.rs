//! `bunch loglikelihood` and `bunch generate` as a user runs them, against what lm-evaluation-harness and transformers gave.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

fn oracle() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../bunch-lm/tests/oracle")
}

fn bunch(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bunch"));
    command.args(arguments).env("XDG_CACHE_HOME", std::env::temp_dir().join("bunch-test-cache"));
    command
}

fn run(arguments: &[&str]) -> Output {
    bunch(arguments).output().expect("bunch runs")
}

fn fails(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(!output.status.success(), "{arguments:?} succeeded");
    String::from_utf8(output.stderr).expect("UTF-8")
}

fn succeeds(arguments: &[&str]) {
    let output = run(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn write_lines(path: &Path, lines: &[Value]) {
    fs::write(path, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).expect("written");
}

fn read_lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn expected(file: &str) -> Value {
    let text = fs::read_to_string(oracle().join("expected").join(file)).expect("the oracle");
    serde_json::from_str(&text).expect("JSON")
}

fn model(name: &str) -> String {
    oracle().join("models").join(name).display().to_string()
}

/// All requests of a file of the oracle that have a continuation.
fn requests(file: &str) -> Vec<Value> {
    let cases = expected(file);
    let samples =
        cases["samples"].as_object().expect("tasks").values().flat_map(|task| task.as_array().expect("samples"));
    let requests = samples.flat_map(|sample| sample["requests"].as_array().cloned().unwrap_or_default());
    requests.filter(|request| request.get("continuation_ids").is_some()).collect()
}

#[test]
fn scores_are_those_of_the_harness() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, file, add_bos) in [
        ("llama-gqa-untied", "llama-gqa-untied.0shot.json", "auto"),
        ("llama-gqa-untied", "llama-gqa-untied.0shot-nobos.json", "never"),
        ("llama-gqa-untied", "llama-gqa-untied.2shot.json", "auto"),
        // Contexts are recorded as the chat template rendered them.
        ("llama-gqa-untied", "llama-gqa-untied.0shot-chat.json", "auto"),
        ("llama-gqa-tied", "llama-gqa-tied.0shot.json", "auto"),
        ("mistral-swa16", "mistral-swa16.0shot.json", "auto"),
    ] {
        let requests = requests(file);
        let lines: Vec<Value> = (requests.iter().enumerate())
            .map(|(id, r)| json!({"id": id, "context": r["context"], "continuation": r["continuation"]}))
            .collect();
        let input = folder.path().join("in.jsonl");
        let out = folder.path().join(format!("{name}.{file}.{add_bos}.jsonl"));
        write_lines(&input, &lines);
        let (input, output) = (input.display().to_string(), out.display().to_string());
        let model = model(name);
        succeeds(&["loglikelihood", "--model", &model, "--requests", &input, "--out", &output, "--add-bos", add_bos]);
        let answers = read_lines(&out);
        assert_eq!(answers.len(), requests.len());
        for (index, (answer, request)) in answers.iter().zip(&requests).enumerate() {
            assert_eq!(answer["id"], index, "the order of the input");
            assert_eq!(answer["continuation_ids"], request["continuation_ids"], "{file}, request {index}");
            assert_eq!(answer["is_greedy"], request["is_greedy"], "{file}, request {index}");
            let sum = |value: &Value| value["loglikelihood"].as_f64().expect("a sum");
            assert!((sum(answer) - sum(request)).abs() <= 1e-3, "{file}, request {index}: {answer}");
        }
    }
}

#[test]
fn a_chat_template_makes_the_context_a_message() {
    let folder = tempfile::tempdir().expect("a folder");
    let (plain, chat) = (folder.path().join("plain.jsonl"), folder.path().join("chat.jsonl"));
    let rendered = requests("llama-gqa-untied.0shot-chat.json");
    let (start, end) = ("user<|end_header_id|>\n\n", "<|eot_id|><|start_header_id|>assistant");
    let message = |request: &Value| -> Option<String> {
        let context = request["context"].as_str()?;
        (!context.contains("|>system<|"))
            .then(|| context.split_once(start)?.1.split_once(end).map(|(m, _)| m.to_owned()))?
    };
    let of_a_user: Vec<(&Value, String)> = rendered.iter().filter_map(|r| Some((r, message(r)?))).collect();
    assert!(of_a_user.len() > 100, "{} requests", of_a_user.len());
    let line = |context: &str, request: &Value| json!({"context": context, "continuation": request["continuation"]});
    write_lines(&plain, &of_a_user.iter().map(|(r, message)| line(message, r)).collect::<Vec<_>>());
    let (input, output) = (plain.display().to_string(), chat.display().to_string());
    let model = model("llama-gqa-untied");
    succeeds(&["loglikelihood", "--model", &model, "--requests", &input, "--out", &output, "--apply-chat-template"]);
    for (answer, (request, _)) in read_lines(&chat).iter().zip(&of_a_user) {
        let sum = |value: &Value| value["loglikelihood"].as_f64().expect("a sum");
        assert!((sum(answer) - sum(request)).abs() <= 1e-3, "{answer}");
    }
}

#[test]
fn generations_are_those_of_transformers() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["llama-gqa-untied", "llama3-rope-scaled", "mistral-swa16"] {
        let cases = expected(&format!("{name}.generations.json"));
        for chat in [false, true] {
            let all = cases["generations"].as_array().expect("generations");
            let cases: Vec<&Value> = all.iter().filter(|case| case["chat"] == chat).collect();
            assert!(!cases.is_empty());
            let (input, out) = (folder.path().join("in.jsonl"), folder.path().join(format!("{name}-{chat}.jsonl")));
            write_lines(&input, &cases.iter().map(|case| json!({"prompt": case["prompt"]})).collect::<Vec<_>>());
            let (input, output, model) = (input.display().to_string(), out.display().to_string(), model(name));
            let mut arguments = vec!["generate", "--model", &model, "--prompts", &input, "--out", &output];
            arguments.extend(["--max-new-tokens", "32"]);
            arguments.extend(chat.then_some("--apply-chat-template"));
            succeeds(&arguments);
            for (answer, case) in read_lines(&out).iter().zip(&cases) {
                assert_eq!(answer["ids"], case["new_ids"], "{name}, {}", case["prompt"]);
                assert_eq!(answer["text"], case["new_text"], "{name}, {}", case["prompt"]);
            }
        }
    }
}

#[test]
fn a_killed_run_is_continued_and_draws_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let prompts: Vec<Value> =
        (0..400).map(|n| json!({"prompt": format!("Question {n}: what is {n} plus 7?")})).collect();
    write_lines(&path("in.jsonl"), &prompts);
    let (input, model) = (path("in.jsonl").display().to_string(), model("llama-gqa-untied"));
    let arguments = |out: &str| -> Vec<String> {
        let out = path(out).display().to_string();
        let fixed = ["generate", "--model", &model, "--prompts", &input, "--out", &out, "--max-new-tokens", "40"];
        let sampling = ["--temperature", "0.8", "--top-p", "0.9", "--seed", "3"];
        fixed.iter().chain(&sampling).map(|argument| argument.to_string()).collect()
    };
    let in_one = arguments("whole.jsonl");
    succeeds(&in_one.iter().map(String::as_str).collect::<Vec<_>>());

    let killed = arguments("killed.jsonl");
    let killed: Vec<&str> = killed.iter().map(String::as_str).collect();
    let mut child = bunch(&killed).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("bunch runs");
    let begun = Instant::now();
    while fs::metadata(path("killed.jsonl")).map_or(0, |metadata| metadata.len()) == 0 {
        assert!(begun.elapsed() < Duration::from_secs(120), "no line after two minutes");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().expect("killed");
    child.wait().expect("ended");
    let kept = read_lines(&path("killed.jsonl")).len();
    assert!(kept > 0);
    // As if the machine had stopped in the middle of a line and of a window.
    let text = fs::read_to_string(path("killed.jsonl")).expect("lines");
    let cut: usize = text.lines().take(5).map(|line| line.len() + 1).sum();
    fs::write(path("killed.jsonl"), &text[..cut + 9]).expect("written");
    succeeds(&killed);
    assert_eq!(read_lines(&path("killed.jsonl")), read_lines(&path("whole.jsonl")));

    // Another seed is another run; the lines stay.
    let mut other = killed.clone();
    *other.last_mut().expect("the seed") = "4";
    let error = fails(&other);
    assert!(error.contains("holds results of another run, seed is 3 there and 4 here"), "{error}");
    assert_eq!(read_lines(&path("killed.jsonl")).len(), 400);
    other.push("--overwrite");
    succeeds(&other);
    assert_ne!(read_lines(&path("killed.jsonl")), read_lines(&path("whole.jsonl")));
}

#[test]
fn bad_input_is_named_before_anything_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (input, out, good) = (path("in.jsonl"), path("out.jsonl"), model("llama-gqa-untied"));
    let check = |command: &[&str], lines: &str, wanted: &[&str]| {
        fs::write(&input, lines).expect("written");
        let error = fails(&[command, &["--out", &out]].concat());
        for wanted in wanted {
            assert!(error.contains(wanted), "expected {wanted:?} in: {error}");
        }
        assert!(!Path::new(&out).exists(), "{command:?} wrote something");
    };
    let score = ["loglikelihood", "--model", &good, "--requests", &input];
    check(
        &score,
        "{\"context\": \"a\", \"continuation\": \" b\"}\n{\"context\": \"a\"}\n",
        &["line 2", "`continuation`", "context"],
    );
    check(&score, "{\"context\": 1, \"continuation\": \"b\"}\n", &["line 1", "`context`: expected a text, got 1"]);
    check(&score, "not JSON\n", &["in.jsonl, line 1: expected a JSON object"]);
    check(&score, "{\"context\": \"a\", \"continuation\": \"\"}\n", &["line 1", "no tokens"]);
    let generate = ["generate", "--model", &good, "--prompts", &input, "--max-new-tokens", "8"];
    check(&generate, "{\"promt\": \"a\"}\n", &["line 1", "`prompt`", "promt"]);
    let long = json!({"prompt": "word ".repeat(300)});
    check(&generate, &format!("{{\"prompt\": \"a\"}}\n{long}\n"), &["line 2", "context window of 160"]);

    // A model without a tokenizer, half a model, and no model.
    let bare = folder.path().join("bare");
    fs::create_dir(&bare).expect("a folder");
    for file in ["config.json", "model.safetensors"] {
        fs::copy(Path::new(&good).join(file), bare.join(file)).expect("copied");
    }
    let bare_path = bare.display().to_string();
    let on =
        |model: &str| ["generate", "--model", model, "--prompts", &input, "--max-new-tokens", "8"].map(str::to_owned);
    let on_bare = on(&bare_path);
    let on_bare: Vec<&str> = on_bare.iter().map(String::as_str).collect();
    check(&on_bare, "{\"prompt\": \"a\"}\n", &["bare", "tokenizer.json"]);
    fs::copy(Path::new(&good).join("tokenizer.json"), bare.join("tokenizer.json")).expect("copied");
    let weights = fs::read(bare.join("model.safetensors")).expect("weights");
    fs::write(bare.join("model.safetensors"), &weights[..weights.len() / 2]).expect("half a download");
    check(&on_bare, "{\"prompt\": \"a\"}\n", &["model.safetensors"]);
    fs::write(bare.join("model.safetensors"), &weights).expect("whole");
    let chat = [&on_bare[..], &["--apply-chat-template"]].concat();
    check(&chat, "{\"prompt\": \"a\"}\n", &["line 1", "no chat template"]);
    fs::write(bare.join("chat_template.jinja"), "{{ raise_exception('only poems') }}").expect("a template");
    check(&chat, "{\"prompt\": \"a\"}\n", &["line 1", "only poems"]);
}

#[test]
fn logits_that_are_no_numbers_end_the_run_and_keep_what_is_done() {
    let folder = tempfile::tempdir().expect("a folder");
    let broken = folder.path().join("broken");
    fs::create_dir(&broken).expect("a folder");
    for entry in fs::read_dir(model("llama-gqa-untied")).expect("a model") {
        let path = entry.expect("an entry").path();
        fs::copy(&path, broken.join(path.file_name().expect("a file"))).expect("copied");
    }
    // The last embedding of the file becomes NaN: only a prompt that holds its token is affected.
    let weights = broken.join("model.safetensors");
    let mut bytes = fs::read(&weights).expect("weights");
    let header = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
    let entries: Value = serde_json::from_slice(&bytes[8..8 + header]).expect("a header");
    let end = entries["model.embed_tokens.weight"]["data_offsets"][1].as_u64().expect("an offset") as usize;
    let width = 64 * 4;
    for value in bytes[8 + header + end - width..8 + header + end].chunks_exact_mut(4) {
        value.copy_from_slice(&f32::NAN.to_le_bytes());
    }
    fs::write(&weights, bytes).expect("written");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let mut lines: Vec<Value> = (0..200).map(|n| json!({"context": format!("{n}"), "continuation": " a"})).collect();
    lines.push(json!({"context": "<|eot_id|>", "continuation": " a"}));
    write_lines(Path::new(&path("in.jsonl")), &lines);
    let model = broken.display().to_string();
    let error =
        fails(&["loglikelihood", "--model", &model, "--requests", &path("in.jsonl"), "--out", &path("out.jsonl")]);
    assert!(error.contains("lines 129 to 201") && error.contains("NaN"), "{error}");
    assert_eq!(read_lines(Path::new(&path("out.jsonl"))).len(), 128);
}
