//! The results of a measurement, as they stand in its JSON file.

use std::collections::{BTreeMap, BTreeSet};

use bunch_judging::{JudgeAgreement, Judged, SafetyReport, Verdict};
use bunch_lm::Completion;
use bunch_report::Listing;
use bunch_statistics::holm;
use serde::Serialize;

use super::quantity::QuantityKind;
use super::{AskedModel, AskedSets, MeasuredQuantity, MeasuredRole, card, notes};
use crate::AlignmentError;

/// The version of the file's layout.
const SCHEMA: u32 = 1;

/// What was measured of a merge and of every member of its pool.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measurement {
    /// Version of the layout: 1.
    pub schema: u32,
    /// The version of bunch that measured.
    pub bunch: String,
    /// The pool's title.
    pub pool: String,
    /// The judge that counts, and perhaps another.
    pub judges: Vec<String>,
    /// How refusals were recognised.
    pub refusals: Option<String>,
    /// Harmful prompts.
    pub harmful_prompts: usize,
    /// Benign prompts.
    pub benign_prompts: usize,
    /// Upper limit on the tokens of an answer.
    pub max_new_tokens: usize,
    /// The models: the merge, the base, the other members.
    pub models: Vec<MeasuredModel>,
    /// What was measured: alignment, over-refusal, tasks.
    pub quantities: Vec<MeasuredQuantity>,
    /// Alignment by category of harm; a prompt of several categories counts for each. Holm's correction is over all
    /// differences in here.
    pub categories: Vec<MeasuredQuantity>,
    /// How far both judges agree on all models' answers, where there are two.
    pub agreement: Option<JudgeAgreement>,
    /// What a reader should know before he believes a number.
    pub notes: Vec<String>,
}

/// One model and what the judges said of its answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MeasuredModel {
    /// Its name.
    pub name: String,
    /// What it is to the measurement.
    pub role: MeasuredRole,
    /// Where it is.
    pub source: String,
    /// What identifies its weights.
    pub fingerprint: String,
    /// Answers to harmful prompts that were cut at the limit of tokens.
    pub cut_harmful: usize,
    /// Answers to benign prompts that were cut.
    pub cut_benign: usize,
    /// What the judges said of its answers to harmful prompts, by category too.
    pub safety: SafetyReport,
}

impl Measurement {
    /// Counts what the models answered.
    ///
    /// # Errors
    /// Not one merge; a model that was not asked everything; no harmful prompt.
    pub fn new(sets: &AskedSets, models: &[AskedModel]) -> Result<Self, AlignmentError> {
        let merges = models.iter().filter(|model| model.role == MeasuredRole::Merge).count();
        if merges != 1 {
            let (whose, what) = ("the measurement".into(), "merges".into());
            return Err(AlignmentError::Count { whose, what, expected: 1, got: merges });
        }
        models.iter().try_for_each(|model| model.check(sets))?;
        let mut models: Vec<&AskedModel> = models.iter().collect();
        models.sort_by_key(|model| model.role as u8);

        let mut measurement = Self {
            schema: SCHEMA,
            bunch: env!("CARGO_PKG_VERSION").into(),
            pool: sets.title.clone(),
            judges: sets.judges.clone(),
            refusals: sets.refusals.as_ref().map(|list| list.name.clone()),
            harmful_prompts: sets.harmful.len(),
            benign_prompts: sets.benign.len(),
            max_new_tokens: sets.max_new_tokens,
            models: models.iter().map(|model| MeasuredModel::new(sets, model)).collect::<Result<_, _>>()?,
            quantities: quantities(sets, &models)?,
            categories: categories(sets, &models)?,
            agreement: agreement(sets, &models)?,
            notes: Vec::new(),
        };
        correct(&mut measurement.quantities);
        correct(&mut measurement.categories);
        measurement.notes = notes::notes(&measurement);
        Ok(measurement)
    }

    /// The merge.
    pub fn merge(&self) -> &MeasuredModel {
        // `new` puts it first.
        &self.models[0]
    }

    /// The members that it is compared with, the base first if it is among them.
    pub fn members(&self) -> &[MeasuredModel] {
        &self.models[1..]
    }

    /// A quantity by its name.
    pub fn quantity(&self, name: &str) -> Option<&MeasuredQuantity> {
        self.quantities.iter().find(|quantity| quantity.name == name)
    }

    /// The values of all models, for a terminal.
    pub fn terminal_table(&self) -> String {
        let (header, rows) = card::value_rows(self);
        let columns = header.into_iter().enumerate().map(|(index, title)| (title, index > 0)).collect();
        Listing { title: String::new(), columns, rows }.terminal()
    }

    /// How safe the merge is next to the base, in a sentence; none without a member.
    pub fn finding(&self) -> Option<String> {
        card::finding(self)
    }

    /// The measurement as JSON.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("plain data") + "\n"
    }
}

impl MeasuredModel {
    fn new(sets: &AskedSets, model: &AskedModel) -> Result<Self, AlignmentError> {
        let texts: Vec<String> = model.harmful.iter().map(|answer| answer.text.clone()).collect();
        let judged: Vec<Judged<'_>> =
            sets.judges.iter().zip(&model.judgements).map(|(judge, judgements)| Judged { judge, judgements }).collect();
        let cut = |answers: &[Completion]| answers.iter().filter(|answer| !answer.finished).count();
        Ok(Self {
            name: model.name.clone(),
            role: model.role,
            source: model.source.clone(),
            fingerprint: model.fingerprint.clone(),
            cut_harmful: cut(&model.harmful),
            cut_benign: cut(&model.benign),
            safety: SafetyReport::new(&sets.harmful, &texts, &judged, sets.refusals.as_slice())?,
        })
    }
}

fn quantities(sets: &AskedSets, models: &[&AskedModel]) -> Result<Vec<MeasuredQuantity>, AlignmentError> {
    let of_items = |kind, items: &dyn Fn(&AskedModel) -> Vec<bool>| {
        let outcomes: Vec<(&str, Vec<bool>)> = models.iter().map(|model| (model.name.as_str(), items(model))).collect();
        MeasuredQuantity::of_items(kind, &outcomes)
    };
    let alignment = QuantityKind { name: "alignment", title: "safe answers", metric: "safe", higher_is_better: true };
    let mut quantities = vec![of_items(alignment, &AskedModel::safe)?];
    if let Some(refusals) = sets.refusals.as_ref().filter(|_| !sets.benign.is_empty()) {
        let kind = QuantityKind {
            name: "over_refusal",
            title: "benign prompts refused",
            metric: "refused",
            higher_is_better: false,
        };
        quantities.push(of_items(kind, &|model| model.refused(refusals))?);
    }
    for (index, task) in sets.tasks.iter().enumerate() {
        let outcomes = || models.iter().map(|model| (model.name.as_str(), &model.tasks[index]));
        let first = &models[0].tasks[index];
        let name = format!("task.{task}");
        let kind =
            QuantityKind { name: &name, title: task, metric: &first.metric, higher_is_better: first.higher_is_better };
        let items: Option<Vec<(&str, Vec<bool>)>> =
            outcomes().map(|(model, outcome)| Some((model, outcome.right.clone()?))).collect();
        quantities.push(match items {
            Some(items) => MeasuredQuantity::of_items(kind, &items)?,
            None => {
                let scores: Vec<_> =
                    outcomes().map(|(model, outcome)| (model, outcome.score, outcome.stderr)).collect();
                MeasuredQuantity::of_scores(kind, &scores)
            }
        });
    }
    Ok(quantities)
}

/// Alignment on the prompts of each category of harm. A prompt may have several, separated by commas; categories of the very
/// same prompts are one.
fn categories(sets: &AskedSets, models: &[&AskedModel]) -> Result<Vec<MeasuredQuantity>, AlignmentError> {
    let mut prompts: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, prompt) in sets.harmful.iter().enumerate() {
        let names: BTreeSet<&str> = prompt.category.iter().flat_map(|names| names.split(',')).map(str::trim).collect();
        names.into_iter().filter(|name| !name.is_empty()).for_each(|name| prompts.entry(name).or_default().push(index));
    }
    let mut categories: Vec<(String, Vec<usize>)> = Vec::new();
    for (name, prompts) in prompts {
        match categories.iter_mut().find(|(_, other)| *other == prompts) {
            Some((names, _)) => *names += &format!(", {name}"),
            None => categories.push((name.to_owned(), prompts)),
        }
    }
    let safe: Vec<(&str, Vec<bool>)> = models.iter().map(|model| (model.name.as_str(), model.safe())).collect();
    let of_category = |(category, prompts): (String, Vec<usize>)| {
        let name = format!("category.{category}");
        let kind = QuantityKind { name: &name, title: &category, metric: "safe", higher_is_better: true };
        let chosen = |safe: &[bool]| prompts.iter().map(|&index| safe[index]).collect();
        let outcomes: Vec<_> = safe.iter().map(|(model, safe)| (*model, chosen(safe))).collect();
        MeasuredQuantity::of_items(kind, &outcomes)
    };
    categories.into_iter().map(of_category).collect()
}

/// Holm's correction over all differences.
fn correct(quantities: &mut [MeasuredQuantity]) {
    let mut differences: Vec<_> = quantities.iter_mut().flat_map(|quantity| &mut quantity.differences).collect();
    let p: Vec<f64> = differences.iter().map(|difference| difference.mcnemar_p).collect();
    for (difference, p) in differences.iter_mut().zip(holm(&p)) {
        difference.holm_p = p;
    }
}

/// The first two judges on the answers of all models.
fn agreement(sets: &AskedSets, models: &[&AskedModel]) -> Result<Option<JudgeAgreement>, AlignmentError> {
    let [first, second, ..] = &sets.judges[..] else { return Ok(None) };
    let verdicts = |judge: usize| -> Vec<Verdict> {
        models.iter().flat_map(|model| &model.judgements[judge]).map(|judgement| judgement.verdict).collect()
    };
    Ok(Some(JudgeAgreement::new((first, &verdicts(0)), (second, &verdicts(1)))?))
}

#[cfg(test)]
mod tests {
    use super::Measurement;
    use crate::measurement::scripted::{measurement, models, sets};
    use crate::measurement::{MeasuredRole, TaskOutcome};

    #[test]
    fn every_number_by_hand() {
        let got = measurement();
        let names: Vec<&str> = got.models.iter().map(|model| model.name.as_str()).collect();
        assert_eq!(names, ["merged", "aligned", "expert"]);
        let value = |quantity: &str, model: &str| got.quantity(quantity).unwrap().value(model).unwrap().value;
        assert_eq!(["merged", "aligned", "expert"].map(|model| value("alignment", model)), [50.0, 100.0, 0.0]);
        assert_eq!(["merged", "aligned", "expert"].map(|model| value("over_refusal", model)), [0.0, 50.0, 0.0]);
        assert_eq!(["merged", "aligned", "expert"].map(|model| value("task.bio", model)), [75.0, 50.0, 100.0]);
        let difference = got.quantity("alignment").unwrap().difference("aligned").unwrap();
        assert_eq!((difference.only_merge, difference.only_member, difference.n), (0, 10, 20));
        // McNemar: 2 / 2^10, the smallest but one of six.
        assert!((difference.mcnemar_p - 2.0 / 1024.0).abs() < 1e-9);
        assert!(difference.holm_p >= difference.mcnemar_p && difference.is_significant());
        // A prompt of several categories counts for each; two of the same prompts are one.
        let categories: Vec<(&str, u64)> =
            got.categories.iter().map(|category| (category.title.as_str(), category.differences[0].n)).collect();
        assert_eq!(categories, [("fraud", 20), ("guns, weapons", 10)]);
        assert_eq!(got.merge().cut_harmful, 1);
        let agreement = got.agreement.as_ref().unwrap();
        assert_eq!((agreement.first.as_str(), agreement.second.as_str()), ("guard", "truth"));
        assert!(
            got.notes
                .iter()
                .any(|note| note == "merged: 1 of 24 answers were cut at 8 tokens, and judged as they were")
        );
        assert!(got.json().contains("\"over_refusal\""));
    }

    #[test]
    fn a_guard_that_cannot_tell_answers_apart_is_named() {
        let (sets, mut models) = (sets(), models());
        for model in &mut models {
            model.judgements[0] = model.judgements[0].iter().map(|_| bunch_judging::Verdict::Unsafe.into()).collect();
        }
        let got = Measurement::new(&sets, &models).unwrap();
        assert!(got.notes[0].starts_with("guard calls all 60 answers of all models unsafe"), "{:?}", got.notes);
    }

    #[test]
    fn without_benign_prompts_over_refusal_is_missing_and_that_is_said() {
        let (mut sets, mut models) = (sets(), models());
        sets.benign.clear();
        models.iter_mut().for_each(|model| model.benign.clear());
        let got = Measurement::new(&sets, &models).unwrap();
        assert!(got.quantity("over_refusal").is_none());
        assert!(got.notes.iter().any(|note| note.starts_with("over-refusal was not measured")), "{:?}", got.notes);
    }

    #[test]
    fn scores_without_items_are_listed_and_not_compared() {
        let (sets, mut models) = (sets(), models());
        for model in &mut models {
            let outcome = TaskOutcome { right: None, score: 0.25, metric: "f1_micro".into(), ..model.tasks[0].clone() };
            model.tasks[0] = outcome;
        }
        let got = Measurement::new(&sets, &models).unwrap();
        let task = got.quantity("task.bio").unwrap();
        assert!(task.differences.is_empty() && task.value("expert").unwrap().value == 0.25);
    }

    #[test]
    fn what_is_missing_is_named() {
        let (sets, mut models) = (sets(), models());
        models[0].harmful.pop();
        let error = Measurement::new(&sets, &models).unwrap_err().to_string();
        assert_eq!(error, "aligned: answers to harmful prompts: expected 20, got 19");
        models.retain(|model| model.role == MeasuredRole::Merge);
        assert!(Measurement::new(&sets, &models).unwrap().members().is_empty());
        let error = Measurement::new(&sets, &[]).unwrap_err().to_string();
        assert_eq!(error, "the measurement: merges: expected 1, got 0");
    }
}
