//! Summaries by hand.

use super::*;

fn score(values: &[f64]) -> Vec<MetricValue> {
    values.iter().copied().map(MetricValue::Score).collect()
}

fn label(pairs: &[(i64, i64)]) -> Vec<MetricValue> {
    pairs.iter().map(|&(gold, pred)| MetricValue::Labels { gold, pred, class: String::new() }).collect()
}

fn close(left: f64, right: f64) {
    assert!((left - right).abs() < 1e-12, "{left} {right}");
}

#[test]
fn means() {
    close(Metric::Acc.aggregate(&score(&[1.0, 0.0, 0.0, 1.0, 1.0])), 0.6);
    // Sum of squares 1.2, divided by 4 is 0.3; sqrt(0.3 / 5).
    close(Metric::Acc.stderr(&score(&[1.0, 0.0, 0.0, 1.0, 1.0])).expect("a stderr"), 0.06_f64.sqrt());
    assert_eq!(Metric::Acc.stderr(&score(&[1.0])), None);
    assert!(Metric::Acc.aggregate(&[]).is_nan());
}

#[test]
fn perplexities() {
    let values = [MetricValue::Weighted(-2.0, 3), MetricValue::Weighted(-4.0, 1)];
    close(Metric::WordPerplexity.aggregate(&values), 1.5_f64.exp());
    close(Metric::BytePerplexity.aggregate(&values), 1.5_f64.exp());
    close(Metric::BitsPerByte.aggregate(&values), 1.5 / 2.0_f64.ln());
    assert_eq!(Metric::BitsPerByte.stderr(&values), None);
    assert_eq!(serde_json::to_string(&values[0]).expect("json"), "[-2.0,3]");
}

#[test]
fn micro_f1_is_the_accuracy() {
    let pairs = label(&[(0, 0), (1, 0), (2, 2), (-100, 1)]);
    close(Metric::F1Micro.aggregate(&pairs), 0.5);
    // As for the scores 1, 0, 1, 0: sqrt((1 / 3) / 4).
    close(Metric::F1Micro.stderr(&pairs).expect("a stderr"), (1.0_f64 / 12.0).sqrt());
    assert_eq!(serde_json::to_string(&pairs[1]).expect("json"), "[1,0]");
}

#[test]
fn entries_are_checked() {
    let entry = |source: &str| toml::from_str::<MetricConfig>(source).expect("an entry");
    let check = |source: &str, output| entry(source).check(output);
    check("metric = 'acc'\naggregation = 'mean'\nhigher_is_better = true", OutputType::MultipleChoice).expect("fine");
    let wrong = check("metric = 'acc'", OutputType::GenerateUntil).unwrap_err();
    assert_eq!(wrong, "acc does not measure this output_type");
    let wrong = check("metric = 'bits_per_byte'\naggregation = 'mean'", OutputType::LoglikelihoodRolling).unwrap_err();
    assert_eq!(wrong, "bits_per_byte is summarised by bits_per_byte, not mean");
    let wrong = check("metric = 'exact_match'\nignore_case = true", OutputType::MultipleChoice).unwrap_err();
    assert_eq!(wrong, "exact_match compares no text, so nothing can be ignored in it");
    check("metric = 'exact_match'\nregexes_to_ignore = ['(']", OutputType::GenerateUntil).expect_err("no expression");
    toml::from_str::<MetricConfig>("metric = 'accuracy'").expect_err("unknown metric");
    toml::from_str::<MetricConfig>("metric = 'acc'\nweight = 1").expect_err("unknown key");
    assert!(!entry("metric = 'word_perplexity'").higher_is_better());
    assert!(entry("metric = 'acc_norm'").higher_is_better());
}
