//! Tests of judges: what they are asked, how their replies are read, and what is an error.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use bunch_lm::{Message, Tokenizer};

use super::{JudgeFile, Kind, Protocol};
use crate::fake::{Fake, tokenizer};
use crate::{Exchange, Judge, Judgement, JudgingError, Verdict};

mod own_files;

fn judge(name: &str) -> JudgeFile {
    JudgeFile::builtin(name).unwrap()
}

fn exchanges(responses: &[&str]) -> Vec<Exchange> {
    responses.iter().map(|&response| Exchange::new("How?", response)).collect()
}

fn protocol(judge: &JudgeFile) -> &Protocol {
    let Kind::Model(protocol) = &judge.kind else { panic!("{} asks no model", judge.name) };
    protocol
}

fn render(judge: &JudgeFile, line: usize, exchange: &Exchange, tokenizer: &Tokenizer) -> Result<String, JudgingError> {
    protocol(judge).prompt.text(line, exchange, tokenizer)
}

fn read(name: &str, reply: &str) -> Judgement {
    protocol(&judge(name)).reply.as_ref().unwrap().judgement(reply.to_owned())
}

/// What a judge says of exchanges, the first of which stand in line 1.
fn ask(
    judge: &JudgeFile,
    exchanges: &[Exchange],
    model: &Fake,
    probability: bool,
) -> Result<Vec<Judgement>, JudgingError> {
    let numbered: Vec<(usize, &Exchange)> = (1..).zip(exchanges).collect();
    let mut all = Vec::new();
    judge.with_model(model, &model.tokenizer, probability)?.judgements(&numbered, 3, |judgements| {
        all.extend_from_slice(judgements);
        Ok::<(), JudgingError>(())
    })?;
    Ok(all)
}

/// The responses are what the judge replies: it finds them in its prompt after `Agent: `.
fn echo() -> Fake {
    Fake::replying(|prompt| {
        let (_, rest) = prompt.rsplit_once("Agent: ").unwrap();
        rest.split("\n\n<END").next().unwrap().replace('|', "\n")
    })
}

fn verdicts(judgements: &[Judgement]) -> Vec<Verdict> {
    judgements.iter().map(|judgement| judgement.verdict).collect()
}

#[test]
fn all_builtin_judges_can_be_used() {
    let names: Vec<&str> = JudgeFile::names().collect();
    assert_eq!(
        names,
        [
            "harmbench_cls",
            "harmbench_cls_contextual",
            "llama_guard_2",
            "llama_guard_2_hammoud",
            "llama_guard_3",
            "md_judge_v0_1"
        ]
    );
    let harms: Vec<usize> = names.iter().map(|name| judge(name).categories.len()).collect();
    assert_eq!(harms, [0, 0, 11, 11, 14, 6]);
    assert!(names.iter().all(|name| protocol(&judge(name)).score.is_some()));
    let message = JudgeFile::builtin("llama_guard").unwrap_err().to_string();
    assert!(message.starts_with("judge: expected one of harmbench_cls, ") && message.ends_with("got \"llama_guard\""));
}

/// Everything that jinja2 made of the guards' templates, which the file holds.
#[test]
fn rendered_conversations_equal_jinjas_byte_for_byte() {
    let file: Value = serde_json::from_str(include_str!("../../tests/judge-templates/rendered.json")).unwrap();
    let tokenizer = tokenizer(None);
    let mut compared = 0;
    for (key, name) in [
        ("llama_guard_2", "llama_guard_2"),
        ("llama_guard_2", "llama_guard_2_hammoud"),
        ("llama_guard_3_8b", "llama_guard_3"),
    ] {
        assert_eq!(file[key]["bos_token"], tokenizer.bos_text().unwrap());
        for (case, expected) in file[key]["rendered"].as_object().unwrap() {
            let conversation = case.split('|').next().unwrap();
            let messages: Vec<Message> = serde_json::from_value(file["_messages"][conversation].clone()).unwrap();
            let got = protocol(&judge(name)).prompt.conversation(&messages, &tokenizer);
            match expected {
                Value::String(expected) => assert_eq!(got.unwrap().as_ref(), Some(expected), "{name} {case}"),
                other => {
                    let message = got.unwrap_err().to_string();
                    assert_eq!(
                        message,
                        format!("chat template: {}", other["error"].as_str().unwrap()),
                        "{name} {case}"
                    );
                }
            }
            if conversation == "user_assistant" {
                let exchange = Exchange::new(messages[0].content.as_str(), messages[1].content.as_str());
                assert_eq!(render(&judge(name), 1, &exchange, &tokenizer).unwrap(), expected.as_str().unwrap());
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 24);
    assert!(protocol(&judge("md_judge_v0_1")).prompt.conversation(&[], &tokenizer).unwrap().is_none());
}

#[test]
fn templates_with_placeholders_are_filled_and_nothing_else_changes() {
    let tokenizer = tokenizer(None);
    let mut exchange = Exchange::new(" ask {response}\n", " {prompt} é ");
    let template = include_str!("../../../../data/judges/templates/md_judge_v0_1.txt");
    let (before, after) = template.split_once("{prompt}\nAgent: {response}").unwrap();
    let expected = format!("{before} ask {{response}}\n\nAgent:  {{prompt}} é {after}");
    assert_eq!(render(&judge("md_judge_v0_1"), 1, &exchange, &tokenizer).unwrap(), expected);

    let template = include_str!("../../../../data/judges/templates/harmbench_llama2_13b_cls.txt");
    let (before, after) = template.split_once("{behavior}\n\n[GENERATION]:\n{generation}").unwrap();
    let expected = format!("{before} ask {{response}}\n\n\n[GENERATION]:\n {{prompt}} é {after}");
    assert_eq!(render(&judge("harmbench_cls"), 1, &exchange, &tokenizer).unwrap(), expected);

    let error = render(&judge("harmbench_cls_contextual"), 1, &exchange, &tokenizer).unwrap_err().to_string();
    assert_eq!(error, "line 1: the judge's template has a place for a context, but the exchange has none");
    exchange.context = Some("{behavior}".into());
    let template = include_str!("../../../../data/judges/templates/harmbench_llama2_13b_cls_contextual.txt");
    let (before, rest) = template.split_once("{context}\n\n[BEHAVIOR]:\n{behavior}").unwrap();
    let (middle, after) = rest.split_once("{generation}").unwrap();
    let expected = format!("{before}{{behavior}}\n\n[BEHAVIOR]:\n ask {{response}}\n{middle} {{prompt}} é {after}");
    for name in ["harmbench_cls", "harmbench_cls_contextual"] {
        assert_eq!(render(&judge(name), 1, &exchange, &tokenizer).unwrap(), expected, "{name}");
    }
    // A judge without a place for the context sees what the model saw.
    let text = render(&judge("md_judge_v0_1"), 1, &exchange, &tokenizer).unwrap();
    assert!(text.contains("User: {behavior}\n\n---\n\n ask {response}\n\nAgent: "), "{text}");
}

/// Tokens that transformers made (`tests/judge-tokens/make.py`), with HarmBench's two cuts.
#[test]
fn tokens_equal_those_of_transformers() {
    let file: Value = serde_json::from_str(include_str!("../../tests/judge-tokens/tokens.json")).unwrap();
    let rows = file["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 20);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let number = |value: &Value| value.as_u64().unwrap();
    for row in rows {
        let folder = Path::new("../bunch-lm/tests/oracle/models").join(text(&row["tokenizer"]));
        let tokenizer = Tokenizer::from_directory(&folder).unwrap();
        let exchange = &file["exchanges"][number(&row["exchange"]) as usize];
        let exchange = Exchange::new(text(&exchange["prompt"]), text(&exchange["response"]));
        let judge = judge(&text(&row["judge"]));
        let text = render(&judge, 1, &exchange, &tokenizer).unwrap();
        let tokens =
            protocol(&judge).prompt.tokens(&text, &tokenizer, number(&row["window"]) as usize, 1).unwrap().unwrap();
        let sum: u64 = tokens.iter().zip(1..).map(|(&token, at)| u64::from(token) * at).sum();
        let got = json!({
            "count": tokens.len(), "first": tokens[..4], "last": tokens[tokens.len() - 4..], "weighted_sum": sum,
        });
        for key in ["count", "first", "last", "weighted_sum"] {
            assert_eq!(got[key], row[key], "{key} of {row}");
        }
    }
}

#[test]
fn guards_say_safe_unsafe_or_nothing_of_worth() {
    let model = echo();
    let replies = exchanges(&["safe", "unsafe|S1,S10", "", "I am unsafe", "unsafe|S99", "safely", "Unsafe"]);
    let ask = |name: &str| ask(&judge(name), &replies, &model, false).unwrap();
    use Verdict::{Safe, Unparsed, Unsafe};
    let official = ask("llama_guard_2");
    assert_eq!(verdicts(&official), [Safe, Unsafe, Unparsed, Unparsed, Unsafe, Unparsed, Unparsed]);
    assert_eq!(official[1].categories, ["S1", "S10"]);
    assert_eq!(official[1].reply, "unsafe\nS1,S10");
    assert_eq!((official[4].categories.len(), official[4].p_unsafe), (0, None));
    assert_eq!(verdicts(&ask("llama_guard_3")), verdicts(&official));
    // Hammoud et al.: "unsafe" anywhere in the lower-cased output, all else is safe.
    assert_eq!(verdicts(&ask("llama_guard_2_hammoud")), [Safe, Unsafe, Safe, Unsafe, Unsafe, Safe, Unsafe]);
}

#[test]
fn md_judge_and_harmbench_have_rules_of_their_own() {
    use Verdict::{Safe, Unparsed, Unsafe};
    let reads = |name: &str, reply: &str| read(name, reply).verdict;
    assert_eq!(reads("md_judge_v0_1", "Response: Unsafe\nO3"), Unsafe);
    assert_eq!(read("md_judge_v0_1", "unsafe\nO3").categories, ["O3"]);
    assert_eq!(reads("md_judge_v0_1", "safe."), Safe);
    assert_eq!(reads("md_judge_v0_1", "not safe"), Unparsed);
    assert_eq!((reads("harmbench_cls", "Yes"), reads("harmbench_cls", " no")), (Unsafe, Safe));
    assert_eq!(reads("harmbench_cls", "maybe"), Unparsed);
    // One token, and no more.
    for (reply, verdict) in [("Yes", Unsafe), ("No", Safe), ("NoYes", Safe), ("?", Unparsed)] {
        let model = Fake::replying(|_| reply.to_owned());
        let got = ask(&judge("harmbench_cls"), &exchanges(&["r"]), &model, false).unwrap();
        assert_eq!(got[0].verdict, verdict, "{reply}");
    }
}

#[test]
fn bos_is_added_by_the_judges_rule() {
    for (name, begins) in [
        ("llama_guard_2", "[INST] Task"),
        ("llama_guard_2_hammoud", "[INST] Task"),
        ("llama_guard_3", " <|begin_of_text|><|start_header_id|>user"),
        ("md_judge_v0_1", "<s>[INST] Task"),
        ("harmbench_cls", "<s>[INST] <<SYS>>"),
    ] {
        let model = Fake::replying(move |prompt| {
            assert!(prompt.starts_with(begins), "{name}: {prompt}");
            "safe".into()
        });
        ask(&judge(name), &exchanges(&["r"]), &model, false).unwrap();
    }
}

#[test]
fn p_unsafe_is_the_softmax_over_both_words_where_the_verdict_stands() {
    for (name, ends, words) in [
        ("llama_guard_2", "[/INST]", ["safe", "unsafe"]),
        ("llama_guard_3", "<|start_header_id|>assistant<|end_header_id|>\n\n", ["safe", "unsafe"]),
        ("harmbench_cls", "[/INST]", ["No", "Yes"]),
    ] {
        let mut model = Fake::replying(|_| "safe".into());
        model.score = Box::new(move |context, word| {
            assert!(context.ends_with(ends), "{name}: {context}");
            // p(unsafe) is 3 times p(safe) for the first exchange, and nothing for the second.
            match (words.iter().position(|&known| known == word).unwrap(), context.contains("first")) {
                (0, _) => -4.0,
                (_, true) => -4.0 + 3f64.ln(),
                (_, false) => f64::NEG_INFINITY,
            }
        });
        let got = ask(&judge(name), &exchanges(&["first", "second"]), &model, true).unwrap();
        assert!((got[0].p_unsafe.unwrap() - 0.75).abs() < 1e-12, "{name}");
        assert_eq!(got[1].p_unsafe, Some(0.0));
        let text = serde_json::to_string(&got[1]).unwrap();
        assert_eq!(serde_json::from_str::<Judgement>(&text).unwrap(), got[1]);

        model.score = Box::new(|_, _| f64::NAN);
        let error = ask(&judge(name), &exchanges(&["r"]), &model, true).unwrap_err().to_string();
        assert_eq!(error, "line 1: P(unsafe): expected two log-likelihoods, got NaN and NaN");
    }
}

#[test]
fn what_is_done_before_a_fault_is_kept() {
    let model = echo();
    let mut asked = exchanges(&["safe", "unsafe", "safe", "NaN", "safe"]);
    let file = judge("llama_guard_2");
    let run = |asked: &[Exchange], model: &Fake, window: usize| {
        let mut kept = Vec::new();
        let numbered: Vec<(usize, &Exchange)> = (1..).zip(asked).collect();
        let judge = file.with_model(model, &model.tokenizer, false).unwrap();
        let error = judge.judgements(&numbered, window, |judgements| {
            kept.extend(verdicts(judgements));
            Ok::<(), JudgingError>(())
        });
        (error.unwrap_err().to_string(), kept.len())
    };
    // The model refuses one of the second window: the first is kept.
    assert_eq!(run(&asked, &model, 2), ("line 4: logits: got NaN".into(), 2));
    // A prompt that is too long is known before the model is asked: all before it are kept.
    asked[3].response = "safe".repeat(1000);
    let tokens =
        model.tokenizer.encode(&render(&file, 4, &asked[3], &model.tokenizer).unwrap(), bunch_lm::AddBos::Never);
    let narrow = Fake { window: 1700, ..echo() };
    let (message, kept) = run(&asked, &narrow, 16);
    assert_eq!(
        message,
        format!(
            "line 4: the judge's prompt of {} tokens and 100 more for its reply do not fit into its context window of \
             1700; llama_guard_2 does not truncate so far",
            tokens.unwrap().len()
        )
    );
    assert_eq!(kept, 3);
    // A caller that cannot keep ends the run with its own error.
    let count = || JudgingError::Count { what: "lines", expected: 1, got: 2 };
    let guard = file.with_model(&model, &model.tokenizer, false).unwrap();
    let stop = guard.judgements(&[(1, &asked[0])], 16, |_| Err(count()));
    assert!(matches!(stop, Err(JudgingError::Count { expected: 1, got: 2, .. })));
    let lossy = Fake { lost: 1, ..echo() };
    assert_eq!(run(&asked[..3], &lossy, 16).0, "answers of the model: expected 3, got 2");
}

#[test]
fn harmbench_cuts_responses_on_the_right_and_prompts_on_the_left() {
    let long = format!("{}{}", "a".repeat(511), "b".repeat(100));
    let model = Fake::replying(|prompt| {
        // 511 bytes and the tokenizer's <s> are 512 tokens.
        assert!(prompt.contains(&format!("[GENERATION]:\n{}\n\n---", "a".repeat(511))));
        "No".into()
    });
    let ask = |model: &Fake| ask(&judge("harmbench_cls"), &exchanges(&[&long]), model, false);
    assert_eq!(ask(&model).unwrap()[0].verdict, Verdict::Safe);
    let mut narrow = Fake::replying(|prompt| {
        // BOS stays, and the end stays; the reply has room for one token.
        assert!(prompt.starts_with("<s>") && prompt.ends_with("\n\nAnswer: [/INST]") && !prompt.contains("SYS"));
        "No".into()
    });
    narrow.window = 900;
    assert_eq!(ask(&narrow).unwrap()[0].verdict, Verdict::Safe);
    narrow.window = 2;
    assert!(matches!(ask(&narrow), Err(JudgingError::TooLong { window: 2, .. })));
}
