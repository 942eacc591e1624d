//! Ids of added tokens, and what is left after stripping.

use super::*;

fn abc() -> Vocabulary {
    let ids = [("a", 0), ("b", 1), ("c", 2)].map(|(token, id)| (token.to_owned(), id));
    Vocabulary::new(ModelKind::Bpe, BTreeMap::from(ids))
}

#[test]
fn added_tokens_come_behind_the_model() {
    let mut vocabulary = abc();
    assert_eq!(vocabulary.add(AddedToken::plain("x")), Some(3));
    assert_eq!(vocabulary.add(AddedToken::special("y")), Some(4));
    assert_eq!(vocabulary.len(), 5);
    assert_eq!(vocabulary.rows().unwrap(), ["a", "b", "c", "x", "y"]);
}

#[test]
fn a_token_of_the_model_keeps_its_id_when_it_is_added() {
    let mut vocabulary = abc();
    assert_eq!(vocabulary.add(AddedToken::special("b")), Some(1));
    assert_eq!(vocabulary.len(), 3);
    assert!(vocabulary.is_added("b") && vocabulary.is_regular("b"));
    assert_eq!(vocabulary.add(AddedToken::plain("x")), Some(3));
}

#[test]
fn adding_again_changes_the_settings_alone() {
    let mut vocabulary = abc();
    vocabulary.add(AddedToken::plain("x"));
    assert_eq!(vocabulary.add(AddedToken::special("x")), Some(3));
    assert_eq!(vocabulary.added().collect::<Vec<_>>(), [(3, &AddedToken::special("x"))]);
    assert_eq!(vocabulary.len(), 4);
}

#[test]
fn the_empty_token_is_never_added() {
    let mut vocabulary = abc();
    assert_eq!(vocabulary.add(AddedToken::plain("")), None);
    assert_eq!(vocabulary, abc());
}

#[test]
fn stripping_drops_the_tokens_without_a_row() {
    let mut vocabulary = abc();
    vocabulary.add(AddedToken::plain("b"));
    vocabulary.add(AddedToken::plain("x"));
    assert_eq!(vocabulary.strip(9), Vec::<String>::new());
    assert_eq!(vocabulary.strip(2), ["c", "x"]);
    assert_eq!(vocabulary.rows().unwrap(), ["a", "b"]);
    assert_eq!(vocabulary.id("x"), None);
    assert_eq!(vocabulary.add(AddedToken::plain("y")), Some(2));
}

#[test]
fn ids_with_gaps_or_shared_are_no_rows() {
    let gap = Vocabulary::new(ModelKind::Bpe, BTreeMap::from([("a".to_owned(), 0), ("far".to_owned(), 7)]));
    let message = gap.rows().unwrap_err().to_string();
    assert_eq!(message, "token \"far\" of the output tokenizer has id 7, but the ids of its 2 tokens must be 0 to 1");
    let shared = Vocabulary::new(ModelKind::Bpe, BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 1)]));
    let message = shared.rows().unwrap_err().to_string();
    assert_eq!(message, "tokens \"a\" and \"b\" of the output tokenizer have the same id 1");
}
