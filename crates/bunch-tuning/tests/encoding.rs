//! Conversations to sequences: what is learned, to the token, by the oracle's tokenizers.

use std::path::{Path, PathBuf};

use bunch_lm::{AddBos, Message, TokenId, Tokenizer};
use bunch_tuning::{
    ConversationFile, EncodedExamples, EncodedPairs, Encoding, Example, Format, PreferenceFile, TooLong, TuningError,
};
use serde_json::{Value, json};

fn oracle() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../bunch-lm/tests/oracle")
}

fn tokenizer(model: &str) -> Tokenizer {
    Tokenizer::from_directory(&oracle().join("models").join(model)).expect("a tokenizer")
}

fn encoding(format: Format) -> Encoding {
    Encoding { format, max_tokens: 160, too_long: TooLong::Refuse }
}

fn encode(encoding: &Encoding, tokenizer: &Tokenizer, lines: &str) -> Result<EncodedExamples, TuningError> {
    encoding.encode(&ConversationFile::parse(Path::new("data.jsonl"), lines)?, tokenizer)
}

fn one(encoding: &Encoding, tokenizer: &Tokenizer, line: &Value) -> Example {
    encode(encoding, tokenizer, &line.to_string()).expect("encodes").examples.remove(0)
}

fn learned_text(tokenizer: &Tokenizer, example: &Example) -> Vec<String> {
    let text = |range: &std::ops::Range<usize>| tokenizer.decode(&example.tokens[range.clone()], false).expect("text");
    example.learned.iter().map(text).collect()
}

#[test]
fn the_prompt_is_what_the_model_is_given_and_the_answer_ends() {
    for model in ["llama-gqa-untied", "llama3-rope-scaled", "mistral-swa16"] {
        let tokenizer = tokenizer(model);
        let (prompt, response) = ("Name 3 primary colours.", "Red, yellow and blue.");
        let example =
            one(&encoding(Format::ChatTemplate), &tokenizer, &json!({"prompt": prompt, "response": response}));
        let given = tokenizer.render_chat(&[Message::user(prompt)], true).expect("renders");
        let given = tokenizer.encode(&given, AddBos::Never).expect("encodes");
        let [learned] = &example.learned[..] else { panic!("one answer") };
        assert_eq!(example.tokens[..learned.start], given, "{model}");
        assert_eq!(learned.end, example.tokens.len(), "{model}");
        assert_eq!(example.tokens.last(), Some(&tokenizer.eos().expect("an EOS")), "{model}");
        let text = learned_text(&tokenizer, &example).concat();
        assert_eq!(text, format!("{response}{}", tokenizer.eos_text().expect("an EOS")), "{model}");
    }
}

#[test]
fn every_turn_of_the_assistant_is_learned_and_no_other() {
    for model in ["llama-gqa-untied", "mistral-swa16"] {
        let tokenizer = tokenizer(model);
        let turn = |role: &str, content: &str| json!({"role": role, "content": content});
        let messages = json!({"id": 7, "messages": [
            turn("user", "What is 2 plus 3?"), turn("assistant", "5."), turn("user", "And 4?"), turn("assistant", "9!"),
        ]});
        let example = one(&encoding(Format::ChatTemplate), &tokenizer, &messages);
        let eos = tokenizer.eos_text().expect("an EOS");
        assert_eq!(learned_text(&tokenizer, &example), [format!("5.{eos}"), format!("9!{eos}")], "{model}");
        let all = tokenizer.decode(&example.tokens, false).expect("text");
        let bos = tokenizer.bos_text().expect("a BOS");
        assert_eq!(all.matches(bos).count(), 1, "{model}: {all}");
        assert!(all.contains("And 4?"), "{all}");
    }
}

/// Where a token would span the border between prompt and answer, the prompt keeps its own tokens.
#[test]
fn a_token_across_the_border_is_split_there() {
    let tokenizer = tokenizer("llama-gqa-untied");
    let encoding = encoding(Format::Plain);
    let lines = json!({"prompt": "Count: 1 2 3\n\n", "response": "\n\n 4"});
    let example = one(&encoding, &tokenizer, &lines);
    let prompt = tokenizer.encode("Count: 1 2 3\n\n", AddBos::Auto).expect("encodes");
    assert_eq!(example.tokens[..prompt.len()], prompt);
    assert_eq!(example.learned[0].start, prompt.len());
    let text = tokenizer.decode(&example.tokens, true).expect("text");
    assert_eq!(text, "Count: 1 2 3\n\n \n\n 4");
}

/// The official LM-Cocktail functions' own tokens and labels.
#[test]
fn plain_pairs_are_those_of_lm_cocktail() {
    let text = std::fs::read_to_string(oracle().join("expected/response-loss.json")).expect("the oracle");
    let expected: Value = serde_json::from_str(&text).expect("JSON");
    let ids = |value: &Value| -> Vec<i64> {
        value.as_array().expect("ids").iter().map(|id| id.as_i64().expect("an id")).collect()
    };
    let samples = expected["samples"].as_array().expect("samples");
    for model in ["llama-gqa-untied", "mistral-swa16"] {
        let tokenizer = tokenizer(model);
        for (sample, case) in samples.iter().zip(expected[model]["lm_cocktail_per_sample"].as_array().expect("cases")) {
            let example = one(&encoding(Format::Plain), &tokenizer, sample);
            let tokens: Vec<TokenId> = ids(&case["input_ids"]).iter().map(|&id| id as TokenId).collect();
            let start = ids(&case["labels"]).iter().position(|&label| label != -100).expect("a label");
            assert_eq!(example, Example::answer(tokens, start), "{model}: {sample}");
        }
    }
}

#[test]
fn long_conversations_are_refused_or_cut_and_never_in_silence() {
    let tokenizer = tokenizer("llama-gqa-untied");
    let lines = "{\"prompt\": \"Hi\", \"response\": \"Ho\"}\n\n{\"prompt\": \"Hi\", \"response\": \"Red, yellow, red, blue.\"}\n";
    let whole = encode(&encoding(Format::ChatTemplate), &tokenizer, lines).expect("encodes");
    let max_tokens = whole.examples[1].tokens.len() - 3;
    let mut short = Encoding { max_tokens, ..encoding(Format::ChatTemplate) };
    let message = encode(&short, &tokenizer, lines).unwrap_err().to_string();
    let expected = format!(
        "data.jsonl, line 3: the conversation has {} tokens, more than the {max_tokens} allowed",
        max_tokens + 3
    );
    assert_eq!(message, expected);
    short.too_long = TooLong::Cut;
    let cut = encode(&short, &tokenizer, lines).expect("encodes");
    assert_eq!(cut.cut_lines, [3]);
    assert_eq!(cut.examples[0], whole.examples[0]);
    let (tokens, start) = (&whole.examples[1].tokens, whole.examples[1].learned[0].start);
    assert_eq!(cut.examples[1], Example::answer(tokens[..max_tokens].to_vec(), start));
    short.max_tokens = 5;
    let message = encode(&short, &tokenizer, lines).unwrap_err().to_string();
    assert!(message.starts_with("data.jsonl, line 1: of the conversation's"), "{message}");
}

#[test]
fn mistakes_name_line_and_field() {
    let cases = [
        ("{\"prompt\": \"a\"}", "`response` is missing"),
        ("{\"prompt\": 3, \"response\": \"b\"}", "`prompt` is a number, expected a text"),
        (
            "{\"prompt\": \"a\", \"response\": \"\"}",
            "`response` is empty, so that nothing but the end would be learned",
        ),
        ("{\"text\": \"a\"}", "has neither `messages` nor `prompt` and `response`"),
        ("[1]", "expected a JSON object"),
        ("{\"messages\": []}", "`messages` is empty"),
        (
            "{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}]}",
            "`messages` ends with the role `user`, expected `assistant`: nothing would be learned",
        ),
        ("{\"messages\": [{\"role\": \"user\"}]}", "`messages[0]`: missing field `content`"),
        ("{\"messages\": [], \"prompt\": \"a\"}", "has both `messages` and `prompt`, expected one form"),
    ];
    for (line, expected) in cases {
        let lines = format!("{{\"prompt\": \"a\", \"response\": \"b\"}}\n{line}\n");
        let message = ConversationFile::parse(Path::new("data.jsonl"), &lines).unwrap_err().to_string();
        assert_eq!(message, format!("data.jsonl, line 2: {expected}"));
    }
    let message = ConversationFile::parse(Path::new("data.jsonl"), "{\"prompt\": \"a\", ").unwrap_err().to_string();
    assert!(message.starts_with("data.jsonl, line 1: is no JSON: EOF"), "{message}");
    assert!(ConversationFile::read(Path::new("absent.jsonl")).unwrap_err().to_string().starts_with("absent.jsonl: "));
    // The template's own words, with the line.
    let lines = json!({"messages": [{"role": "assistant", "content": "a"}]}).to_string();
    let message = encode(&encoding(Format::ChatTemplate), &tokenizer("mistral-swa16"), &lines).unwrap_err().to_string();
    assert!(message.contains("line 1: ") && message.contains("roles must alternate"), "{message}");
}

fn pairs(encoding: &Encoding, tokenizer: &Tokenizer, line: &Value) -> Result<EncodedPairs, TuningError> {
    encoding.encode_pairs(&PreferenceFile::parse(Path::new("pairs.jsonl"), &line.to_string())?, tokenizer)
}

#[test]
fn of_a_pair_the_last_turns_alone_are_learned() {
    let tokenizer = tokenizer("llama-gqa-untied");
    let turn = |role: &str, content: &str| json!({"role": role, "content": content});
    let prompt = [turn("user", "What is 2 plus 3?"), turn("assistant", "5."), turn("user", "And 4?")];
    let line = json!({"prompt": prompt, "chosen": "9!", "rejected": [turn("assistant", "No idea.")]});
    let chat = encoding(Format::ChatTemplate);
    let encoded = pairs(&chat, &tokenizer, &line).expect("encodes");
    let (pair, eos) = (&encoded.examples[0], tokenizer.eos_text().expect("an EOS"));
    assert_eq!(learned_text(&tokenizer, &pair.chosen), [format!("9!{eos}")]);
    assert_eq!(learned_text(&tokenizer, &pair.rejected), [format!("No idea.{eos}")]);
    let [chosen, rejected] = [&pair.chosen, &pair.rejected].map(|side| &side.tokens[..side.learned[0].start]);
    assert_eq!(chosen, rejected, "one prompt");
    assert!(encoded.cut_lines.is_empty());

    // Nothing of an earlier answer is learned where the last one is cut off.
    let cut = |max_tokens| pairs(&Encoding { max_tokens, too_long: TooLong::Cut, ..chat.clone() }, &tokenizer, &line);
    let kept = cut(chosen.len() + 1).expect("a token of each response");
    assert_eq!((kept.examples[0].rejected.learned_tokens(), &kept.cut_lines[..]), (1, &[1][..]));
    let error = cut(chosen.len()).unwrap_err().to_string();
    let tokens = pair.chosen.tokens.len();
    let expected = format!("of the chosen conversation's {tokens} tokens, the first {} are prompt alone", chosen.len());
    assert_eq!(error, format!("pairs.jsonl, line 1: {expected}"));
}
