//! The models' tokenizer files and chat templates, read as those of any checkpoint, give the very tokens of training.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use bunch_judging::{Exchange, JudgeFile};
use bunch_lm::{AddBos, Message, Tokenizer};
use bunch_miniature::judge_files;
use bunch_miniature::world::{
    Domain, Split, World, chat_prompt, chat_row, guard_prompt, guard_tokenizer_files, tokenizer_files, vocabulary,
};

fn write(folder: &Path, files: BTreeMap<String, Vec<u8>>) -> Tokenizer {
    for (name, bytes) in files {
        fs::write(folder.join(name), bytes).expect("written");
    }
    Tokenizer::from_directory(folder).expect("a tokenizer")
}

/// Requests and questions of every kind, and answers of every kind, the empty one included.
fn exchanges() -> Vec<(String, String)> {
    let world = World::new(0);
    let mut prompts = Vec::new();
    for split in [Split::Dev, Split::Test] {
        for set in
            [world.harmful_prompts(split, 40), world.red_team_prompts(split, 40), world.benign_prompts(split, 40)]
        {
            prompts.extend(set.expect("prompts").iter().map(|request| request.text()));
        }
        for domain in Domain::ALL {
            let questions = world.multiple_choice(domain, split, 20).expect("questions");
            prompts.extend(questions.iter().map(|question| question.question.text()));
        }
    }
    let answers =
        ["", "no .", "sorry i cannot help with this .", "sure use the vompex on the gurvo .", "safe unsafe", "?"];
    prompts.into_iter().zip(answers.into_iter().cycle()).map(|(prompt, answer)| (prompt, answer.to_owned())).collect()
}

#[test]
fn chats_have_the_tokens_of_training() {
    let folder = tempfile::tempdir().expect("a folder");
    let tokenizer = write(folder.path(), tokenizer_files());
    assert!(tokenizer.chat_template().is_some(), "the chat template is in the files");
    let encode = |text: &str| tokenizer.encode(text, AddBos::Auto).expect("words");
    for (prompt, answer) in exchanges() {
        let asked = tokenizer.render_chat(&[Message::user(&prompt)], true).expect("rendered");
        assert_eq!(encode(&asked), chat_prompt(&prompt).expect("words"), "{asked}");
        let both = [Message::user(&prompt), Message::assistant(&answer)];
        let answered = tokenizer.render_chat(&both, false).expect("rendered");
        let row = chat_row(&prompt, &answer).expect("words");
        assert_eq!(encode(&answered), row.tokens, "{answered}");
        // As choices are scored: directly behind the prompt.
        if !answer.is_empty() {
            let (context, continuation) = tokenizer.encode_pair(&asked, &answer, AddBos::Auto).expect("words");
            let end = row.tokens.len() - 1;
            assert_eq!((context.as_slice(), continuation.as_slice()), row.tokens[..end].split_at(row.loss_from));
        }
        let ids = vocabulary().encode(&answer).expect("words");
        assert_eq!(
            tokenizer.decode(&row.tokens[row.loss_from..], true).expect("text"),
            vocabulary().decode(&ids).unwrap()
        );
    }
}

#[test]
fn judges_are_asked_with_the_tokens_of_training() {
    let folder = tempfile::tempdir().expect("a folder");
    let guard = write(folder.path(), guard_tokenizer_files());
    let in_memory = Tokenizer::from_files(Path::new("guard"), &guard_tokenizer_files()).expect("a tokenizer");
    let judges = ["guard", "judge"].map(|name| JudgeFile::from_files(name, &judge_files()).expect("a judge"));
    for (prompt, answer) in exchanges() {
        let expected = guard_prompt(&prompt, &answer).expect("words");
        let both = [Message::user(&prompt), Message::assistant(&answer)];
        let exchange = Exchange::new(&prompt, &answer);
        let mut texts = vec![guard.render_chat(&both, false).expect("rendered")];
        texts.extend(judges.iter().flat_map(|judge| judge.render(&exchange, &in_memory).expect("rendered")));
        assert_eq!(texts.len(), 3);
        for text in texts {
            for tokenizer in [&guard, &in_memory] {
                assert_eq!(tokenizer.encode(&text, AddBos::Never).expect("words"), expected, "{text}");
            }
        }
    }
}
