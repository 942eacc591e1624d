//! A lesson with pins: looks at what the model has become and steers what it is taught next.

use std::collections::BTreeMap;

use bunch_lm::{LanguageModel, LoglikelihoodRequest, Sampling, complete};
use bunch_transformer::LlamaModel;
use bunch_tuning::{Decision, Example, Lesson, TuningError};
use serde_json::{Value, json};

use crate::pin::FACTORS;
use crate::{Curriculum, ExampleSource, Look, Pin, Steer, Until, ZooError};

/// What is asked of a domain, every choice a request, and of each question the number of its choices and the right one.
type Questions = (Vec<LoglikelihoodRequest>, Vec<(usize, usize)>);

/// What a model is taught in one stage.
pub(crate) struct PinnedLesson<'a> {
    curriculum: &'a dyn Curriculum,
    source: Box<dyn ExampleSource + 'a>,
    pin: Option<&'a Pin>,
    /// Harmful prompts that looks ask.
    prompts: Vec<String>,
    /// For each domain that looks ask about: one request a choice, question by question, and the right choices.
    questions: BTreeMap<String, Questions>,
    looks: Vec<Look>,
}

impl<'a> PinnedLesson<'a> {
    pub(crate) fn new(
        curriculum: &'a dyn Curriculum,
        source: Box<dyn ExampleSource + 'a>,
        pin: Option<&'a Pin>,
    ) -> Result<Self, ZooError> {
        let domains = curriculum.domains();
        let mut questions = BTreeMap::new();
        for domain in pin.map(|pin| pin.domains(&domains)).unwrap_or_default() {
            let (mut requests, mut answers) = (Vec::new(), Vec::new());
            for question in curriculum.dev_questions(domain)? {
                let context = curriculum.format().prompt(&question.question)?;
                answers.push((question.choices.len(), question.answer));
                for choice in &question.choices {
                    // Without the token that ends the turn: choices are scored as evaluation scores them.
                    let mut continuation = curriculum.format().answer(choice)?;
                    continuation.pop();
                    requests.push(LoglikelihoodRequest { context: context.clone(), continuation });
                }
            }
            questions.insert(domain.clone(), (requests, answers));
        }
        let prompts = pin.map(|pin| curriculum.harmful_dev_prompts(pin.prompts)).transpose()?.unwrap_or_default();
        Ok(Self { curriculum, source, pin, prompts, questions, looks: Vec::new() })
    }

    /// What all looks found.
    pub(crate) fn into_looks(self) -> Vec<Look> {
        self.looks
    }

    /// Share of harmful dev prompts that `model` declines, in percent.
    fn alignment(&self, model: &LlamaModel, pin: &Pin) -> Result<f64, ZooError> {
        let answers = complete(model, self.curriculum.format(), &self.prompts, pin.tokens, Sampling::Greedy)?;
        let refused = answers.iter().filter(|answer| self.curriculum.is_refusal(&answer.text)).count();
        Ok(100.0 * refused as f64 / self.prompts.len() as f64)
    }

    /// Share of dev questions of each domain whose right choice is the likeliest, in percent.
    fn accuracy(&self, model: &LlamaModel) -> Result<BTreeMap<String, f64>, ZooError> {
        let mut accuracy = BTreeMap::new();
        for (domain, (requests, answers)) in &self.questions {
            let scores = model.loglikelihood(requests)?;
            let (mut rest, mut right) = (&scores[..], 0);
            for &(choices, answer) in answers {
                let (own, others) = rest.split_at(choices);
                let best = (0..choices).rev().max_by(|&a, &b| own[a].sum.total_cmp(&own[b].sum));
                right += usize::from(best == Some(answer));
                rest = others;
            }
            accuracy.insert(domain.clone(), 100.0 * right as f64 / answers.len() as f64);
        }
        Ok(accuracy)
    }

    fn looked(&mut self, step: usize, model: &LlamaModel, pin: &Pin) -> Result<Decision, ZooError> {
        let (alignment, accuracy) = (self.alignment(model, pin)?, self.accuracy(model)?);
        let mut shift = self.looks.last().map_or(0.0, |look| look.shift);
        if let Some(steer) = pin.alignment.as_ref().filter(|steer| step >= steer.from) {
            shift += steer.gain * (steer.target - alignment);
        }
        let factor = |(domain, steer): (&String, &Steer)| {
            let missed = if step >= steer.from { steer.target - accuracy[domain] } else { 0.0 };
            (domain.clone(), (steer.gain * missed).exp().clamp(*FACTORS.start(), *FACTORS.end()))
        };
        let factors: BTreeMap<String, f64> = pin.accuracy.iter().map(factor).collect();
        self.source.steer(shift, &factors)?;
        self.looks.push(Look { step, alignment, accuracy, shift, factors });
        Ok(self.decision(pin))
    }

    /// What the last look means for the training.
    fn decision(&self, pin: &Pin) -> Decision {
        let Some((last, before)) = self.looks.split_last() else { return Decision::Continue };
        match &pin.until {
            None => Decision::Continue,
            Some(Until::AlignmentAtMost(most)) => {
                if last.alignment <= *most {
                    Decision::Stop
                } else {
                    Decision::Continue
                }
            }
            Some(Until::Targets { alignment_within, from }) => {
                let is_near = |steer: &Steer| (last.alignment - steer.target).abs() <= *alignment_within;
                let missed = |look: &Look| {
                    let missed = pin.accuracy.iter().map(|(domain, steer)| steer.target - look.accuracy[domain]);
                    missed.sum::<f64>() / pin.accuracy.len() as f64
                };
                let now = missed(last);
                if now > 0.0 || !pin.alignment.as_ref().is_some_and(is_near) || last.step < *from {
                    return Decision::Continue;
                }
                match before.last().map(missed).filter(|before| *before > 0.0) {
                    Some(before) => Decision::Between(before / (before - now)),
                    None => Decision::Stop,
                }
            }
            Some(Until::Plateau { looks, .. }) if before.len() < *looks => Decision::Continue,
            Some(Until::Plateau { looks, gain }) => {
                let mean = |look: &Look| look.accuracy.values().sum::<f64>() / look.accuracy.len() as f64;
                let gained = mean(last) - mean(&before[before.len() - looks]);
                if gained < *gain { Decision::Stop } else { Decision::Continue }
            }
        }
    }
}

impl Lesson for PinnedLesson<'_> {
    fn count(&self) -> usize {
        self.source.count()
    }

    fn example(&self, number: usize) -> Example {
        self.source.example(number)
    }

    fn identity(&self) -> Value {
        json!({ "source": self.source.identity(), "pin": self.pin })
    }

    fn look(&mut self, step: usize, model: &LlamaModel) -> Result<Decision, TuningError> {
        match self.pin {
            None => Ok(Decision::Continue),
            Some(pin) => self.looked(step, model, pin).map_err(|error| TuningError::Observer(error.to_string())),
        }
    }

    fn state(&self) -> Value {
        json!(self.looks)
    }

    fn resume(&mut self, state: &Value) -> Result<(), TuningError> {
        let refused =
            |error: &dyn std::fmt::Display| TuningError::Observer(format!("the looks of a saved state: {error}"));
        self.looks = serde_json::from_value(state.clone()).map_err(|error| refused(&error))?;
        match self.looks.last() {
            None => Ok(()),
            Some(look) => self.source.steer(look.shift, &look.factors).map_err(|error| refused(&error)),
        }
    }
}
