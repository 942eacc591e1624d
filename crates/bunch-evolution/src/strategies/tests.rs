//! Tests of the list: how strategies are read and written.

use super::*;

/// A strategy with no more than it needs, and how it is written: cells are addressed by that text, so that a field that is
/// added must be left out at its default, or every cell of the strategy is computed again.
const WRITTEN: &[(&str, &str)] = &[
    ("member = 1", r#"{"member":1}"#),
    ("fixed.merge.slerp = { t = 0.5 }", r#"{"fixed":{"merge":{"slerp":{"t":0.5}}}}"#),
    ("grid = { merge = 'slerp', values = { t = [0, 0.5] } }", r#"{"grid":{"merge":"slerp","values":{"t":[0.0,0.5]}}}"#),
    (
        "evomm = { merge = 'slerp', genes = { t = [0, 1] }, data = ['expert', 'safety'], alpha = 0.3, evaluations = 100, \
         sigma = 0.25, restarts = 2 }",
        r#"{"evomm":{"merge":"slerp","genes":{"t":[0.0,1.0]},"data":["expert","safety"],"alpha":0.3,"evaluations":100,"sigma":0.25,"restarts":2}}"#,
    ),
    (
        "random = { merge = 'slerp', genes = { t = [0, 1] }, data = ['expert'], alpha = 0.3, evaluations = 100 }",
        r#"{"random":{"merge":"slerp","genes":{"t":[0.0,1.0]},"data":["expert"],"alpha":0.3,"evaluations":100}}"#,
    ),
    (
        "front = { merge = 'slerp', genes = { t = [0, 1] }, evaluations = 90, population = 30, points = 9, point = 1 }",
        r#"{"front":{"merge":"slerp","genes":{"t":[0.0,1.0]},"evaluations":90,"population":30,"points":9,"point":1}}"#,
    ),
    (
        "lm_cocktail = { data = ['expert'], temperature = 1.0 }",
        r#"{"lm_cocktail":{"data":["expert"],"temperature":1.0}}"#,
    ),
    (
        "preference = { member = 1, loss.dpo.beta = 0.1, pairs = 14, epochs = 3, batch_size = 2, warmup = 0, \
         learning_rate = 1e-4 }",
        r#"{"preference":{"member":1,"loss":{"dpo":{"beta":0.1}},"pairs":14,"epochs":3,"batch_size":2,"warmup":0.0,"learning_rate":0.0001}}"#,
    ),
    ("best = [{ member = 0 }]", r#"{"best":[{"member":0}]}"#),
];

#[test]
fn a_strategy_is_written_without_its_defaults_and_read_back() {
    for (text, written) in WRITTEN {
        let strategy: AnyStrategy = toml::from_str(text).unwrap();
        assert!(strategy.check(1).is_ok(), "{text}");
        assert_eq!(serde_json::to_string(&strategy).unwrap(), *written);
        assert_eq!(serde_json::from_str::<AnyStrategy>(written).unwrap(), strategy);
    }
}

#[test]
fn every_strategy_of_the_list_is_among_them() {
    let error = toml::from_str::<AnyStrategy>("anneal = {}").unwrap_err().to_string();
    let known: Vec<&str> = error.split('`').skip(3).step_by(2).collect();
    assert!(known.len() > 5, "{error}");
    for name in known {
        assert!(WRITTEN.iter().any(|(_, written)| written.starts_with(&format!("{{\"{name}\""))), "{name}");
    }
}

#[test]
fn mistakes_have_a_line_and_say_what_was_meant() {
    let error = |text: &str| toml::from_str::<AnyStrategy>(text).unwrap_err().to_string();
    assert!(error("grid = { merge = 'slrep', values = { t = [0.5] } }").contains("did you mean `slerp`?"));
    assert!(error("front = { merge = 'slerp', genes = { t = [0, 1] }, evaluation = 5 }").contains("`evaluation`"));
    let genes = error("evomm = { merge = 'slerp', genes = { t = [0, 1, 2] } }");
    assert!(genes.contains("line 1"), "{genes}");
}
