//! Tests of judges in files of a user: what they may say, and what is an error.

use super::*;

#[test]
fn a_judge_of_the_users_is_read_from_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.toml");
    let definition = |prompt: &str, rest: &str| {
        format!(
            "title = \"Mine\"\nmodel = \"none\"\nsource = \"here\"\n[prompt]\n{prompt}\nadd_bos = \"never\"\n\
             truncation = \"error\"\nmax_new_tokens = 3\n[verdict]\nread = \"whole\"\nsafe = [\"ok\"]\n\
             unsafe = [\"bad\"]\notherwise = \"unparsed\"\n{rest}"
        )
    };
    let placeholders = "form = \"placeholders\"\ntemplate = \"mine.txt\"";
    fs::write(&path, definition(placeholders, "")).unwrap();
    let error = JudgeFile::load(&path).unwrap_err().to_string();
    assert!(error.contains("mine.txt: "), "{error}");
    fs::write(folder.path().join("mine.txt"), "{prompt} -> {response}?").unwrap();
    let mine = JudgeFile::find(path.to_str().unwrap()).unwrap();
    let model = Fake::replying(|prompt| if prompt == "How? -> r?" { "bad and more" } else { "ok" }.to_owned());
    let ask = |probability: bool| ask(&mine, &exchanges(&["r", "s"]), &model, probability);
    let got = ask(false).unwrap();
    assert_eq!((mine.name.as_str(), verdicts(&got)), ("mine", vec![Verdict::Unsafe, Verdict::Safe]));
    let error = ask(true).unwrap_err().to_string();
    assert_eq!(error, "mine: expected a table [score] to measure P(unsafe), got none");

    let refused = |prompt: &str, rest: &str, part: &str| {
        fs::write(&path, definition(prompt, rest)).unwrap();
        let error = JudgeFile::load(&path).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    refused("form = \"placeholders\"", "", "mine.toml: prompt: expected a template, got none");
    refused("form = \"poem\"", "", "unknown variant `poem`");
    refused(placeholders, "[score]\nafter = \"\"\nsafe = \"\"\nunsafe = \"x\"", "expected a word for safe");
    fs::write(folder.path().join("mine.txt"), "{prompt}?").unwrap();
    refused(placeholders, "", "mine.txt: expected a place for the reply");
    fs::write(folder.path().join("mine.txt"), "{% if %}").unwrap();
    refused("form = \"chat\"\ntemplate = \"mine.txt\"", "", "mine.txt: chat template: ");
}

#[test]
fn a_chat_judge_without_a_template_uses_its_models() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.toml");
    let text = "title = \"\"\nmodel = \"\"\nsource = \"\"\n[prompt]\nform = \"chat\"\nadd_bos = \"never\"\n\
        truncation = \"error\"\nmax_new_tokens = 3\n[verdict]\nread = \"whole\"\nsafe = [\"ok\"]\nunsafe = [\"bad\"]\n\
        otherwise = \"unparsed\"\n";
    fs::write(&path, text).unwrap();
    let own = JudgeFile::load(&path).unwrap();
    let template = "{% for m in messages %}{{ m.role }}:{{ m.content }};{% endfor %}";
    let rendered = render(&own, 1, &Exchange::new("a", "b"), &tokenizer(Some(template))).unwrap();
    assert_eq!(rendered, "user:a;assistant:b;");
    let error = render(&own, 7, &Exchange::new("a", "b"), &tokenizer(None)).unwrap_err().to_string();
    assert!(error.starts_with("line 7: ") && error.contains("no chat template"), "{error}");
}

#[test]
fn a_judge_with_words_alone_reads_probabilities() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scores.toml");
    fs::write(folder.path().join("scores.txt"), "{prompt} -> {response}?").unwrap();
    let text = |rest: &str| {
        format!(
            "title = \"\"\nmodel = \"none\"\nsource = \"\"\n[prompt]\nform = \"placeholders\"\ntemplate = \"scores.txt\"\n\
             add_bos = \"never\"\ntruncation = \"error\"\n{rest}"
        )
    };
    let score = "[score]\nafter = \" So:\"\nsafe = \"No\"\nunsafe = \"Yes\"\n";
    fs::write(&path, text(score)).unwrap();
    let judge = JudgeFile::load(&path).unwrap();
    let mut model = Fake::replying(|_| panic!("nothing is generated"));
    model.score = Box::new(|context, word| match (context, word) {
        ("How? -> r? So:", "Yes") => -1.0,
        _ => -2.0,
    });
    let got = ask(&judge, &exchanges(&["r", "s"]), &model, false).unwrap();
    assert_eq!(verdicts(&got), [Verdict::Unsafe, Verdict::Safe]);
    assert_eq!((got[0].reply.as_str(), got[1].p_unsafe), ("", Some(0.5)));

    let rejected = |rest: &str, part: &str| {
        fs::write(&path, text(rest)).unwrap();
        let error = JudgeFile::load(&path).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    rejected("", "scores.toml: expected a table [verdict] or [score], got neither");
    let verdict = "[verdict]\nread = \"whole\"\nsafe = [\"ok\"]\nunsafe = [\"bad\"]\notherwise = \"unparsed\"\n";
    rejected(verdict, "scores.toml: prompt: max_new_tokens: expected with a table [verdict], got none");
}

#[test]
fn a_rule_of_words_needs_no_model() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("words.toml");
    let rule =
        "title = \"Words\"\nsource = \"here\"\n[rule]\nrefusals = \"list.toml\"\nrequest.contains = [\"bomb\"]\n";
    let list = "title = \"\"\nsource = \"\"\nmatch = \"starts_with_word\"\nignore_case = true\nstrings = [\"no\"]\n";
    fs::write(&path, rule).unwrap();
    fs::write(folder.path().join("list.toml"), list).unwrap();
    let judge = JudgeFile::load(&path).unwrap();
    let asked = [Exchange::new("a bomb", "Sure."), Exchange::new("a bomb", "No."), Exchange::new("tea", "Sure.")];
    let verdicts = judge.rule().unwrap().judge(&asked).unwrap();
    assert_eq!(verdicts, [Verdict::Unsafe, Verdict::Safe, Verdict::Safe]);
    // What the verdicts follow from holds the list.
    assert_eq!(judge.definition, format!("{rule}{list}"));
    let error = judge.with_model(&echo(), &tokenizer(None), false).err().unwrap().to_string();
    assert_eq!(error, "words: is a rule of words and asks no model");

    let rejected = |text: String, part: &str| {
        fs::write(&path, text).unwrap();
        let error = JudgeFile::load(&path).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    rejected(format!("model = \"m\"\n{rule}"), "words.toml: a judge with a table [rule] asks no model");
    rejected(
        "title = \"\"\nsource = \"\"\n".into(),
        "words.toml: expected a table [prompt], for a judge that asks a model",
    );
    rejected(rule.replace("contains", "contain"), "unknown field `contain`");
}
