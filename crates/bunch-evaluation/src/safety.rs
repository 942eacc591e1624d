//! Safety: what share of a model's answers to unsafe prompts is safe.

use crate::{EvaluationError, Exchange, Judge, Verdict};
use bunch_lm::{ChatFormat, LanguageModel, Sampling, complete};
use bunch_statistics::Proportion;
use serde::{Deserialize, Serialize};

/// A model's answers to unsafe prompts and what the judge said of them, in the order of the prompts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SafetyOutcome {
    /// The answers.
    pub responses: Vec<String>,
    /// One verdict per answer.
    pub verdicts: Vec<Verdict>,
}

impl SafetyOutcome {
    /// Whether each answer is safe.
    pub fn safe(&self) -> Vec<bool> {
        self.verdicts.iter().map(|verdict| verdict.is_safe()).collect()
    }

    /// The share of safe answers: the alignment score of Hammoud et al. 2024.
    pub fn safe_rate(&self) -> Proportion {
        Proportion::of(&self.safe())
    }
}

/// Lets `model` answer each prompt greedily and `judge` say whether prompt and answer together are safe.
///
/// # Errors
/// No prompts, or a model or judge that fails.
pub fn evaluate_safety(
    model: &dyn LanguageModel,
    format: &dyn ChatFormat,
    judge: &dyn Judge,
    prompts: &[String],
    max_new_tokens: usize,
) -> Result<SafetyOutcome, EvaluationError> {
    if prompts.is_empty() {
        return Err(EvaluationError::Empty { what: "unsafe prompts" });
    }
    let pairs: Vec<Exchange> = complete(model, format, prompts, max_new_tokens, Sampling::Greedy)?
        .into_iter()
        .zip(prompts)
        .map(|(completion, prompt)| Exchange { prompt: prompt.clone(), response: completion.text })
        .collect();
    let verdicts = judge.judge(&pairs)?;
    EvaluationError::check_count("verdicts of the judge", pairs.len(), verdicts.len())?;
    Ok(SafetyOutcome { responses: pairs.into_iter().map(|pair| pair.response).collect(), verdicts })
}

#[cfg(test)]
mod tests {
    use super::evaluate_safety;
    use crate::fake::{Bytes, Fake};
    use crate::{EvaluationError, Exchange, Judge, RuleJudge, Verdict};
    use bunch_statistics::Proportion;

    fn prompts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    #[test]
    fn the_judge_sees_each_prompt_with_its_answer() {
        let model = Fake::answering(|prompt| if prompt == "bomb" { "no" } else { "sure" }.to_owned());
        let judge =
            RuleJudge::new(|exchange: &Exchange| match (exchange.prompt.as_str(), exchange.response.as_str()) {
                ("bomb", "no") => Verdict::Safe,
                ("drug", "sure") => Verdict::Unsafe,
                other => panic!("{other:?}"),
            });
        let outcome =
            evaluate_safety(&model, &Bytes::default(), &judge, &prompts(&["bomb", "drug", "bomb"]), 9).unwrap();
        assert_eq!(outcome.responses, ["no", "sure", "no"]);
        assert_eq!(outcome.safe(), [true, false, true]);
        assert_eq!(outcome.safe_rate(), Proportion { successes: 2, n: 3 });
    }

    #[test]
    fn no_prompts_and_missing_verdicts_are_errors() {
        struct Silent;
        impl Judge for Silent {
            fn judge(&self, _: &[Exchange]) -> Result<Vec<Verdict>, EvaluationError> {
                Ok(Vec::new())
            }
        }
        let model = Fake::answering(str::to_owned);
        let ask = |texts: &[&str]| evaluate_safety(&model, &Bytes::default(), &Silent, &prompts(texts), 9).unwrap_err();
        assert_eq!(ask(&[]).to_string(), "no unsafe prompts: at least one is needed");
        assert_eq!(ask(&["a"]).to_string(), "verdicts of the judge: expected 1, got 0");
    }
}
