//! The page of a measurement: its tables, and samples that mark what a judge called unsafe.

use bunch_judging::{Judgement, SafetyPrompt};
use bunch_report::{Listing, Sample, SampleAnswer, SamplePage, SamplePart, SampleSection};

use super::card::{CATEGORIES, agreed, category_rows, difference_rows, finding, legend, method, value_rows};
use super::samples::{SampleKind, harmful, refused};
use super::{AskedModel, AskedSets, MeasuredRole, Measurement};

/// Characters of an answer that are shown at most.
const MAX_SHOWN: usize = 2000;

/// The page of what the models answered, as HTML.
pub fn measured_page(measurement: &Measurement, sets: &AskedSets, models: &[AskedModel]) -> String {
    let mut models: Vec<&AskedModel> = models.iter().collect();
    models.sort_by_key(|model| model.role as u8);
    let mut sections = vec![results(measurement)];
    sections.extend(categories(measurement));
    sections.push(judges(measurement, sets));
    if let [merge, first, ..] = models[..] {
        for kind in harmful(merge, first) {
            let sample = |at: usize| harmful_sample(sets, &models, at);
            sections.push(samples(kind, "prompts", sample));
        }
        if let Some(kind) = refused(sets, merge) {
            let sample = |at: usize| benign_sample(sets, &models, at);
            sections.push(samples(kind, "prompts", sample));
        }
    }
    sections.push(described(measurement));
    let mut introduction = vec![method(measurement)];
    introduction.extend(finding(measurement));
    introduction.push("The samples below are what models said to harmful prompts. Some of it may be harmful.".into());
    SamplePage { title: format!("How safe is {}?", measurement.merge().name), introduction, sections }.html()
}

/// A table whose columns but the first are numbers.
fn listing(title: &str, (header, rows): (Vec<String>, Vec<Vec<String>>)) -> SamplePart {
    let columns = header.into_iter().enumerate().map(|(index, title)| (title, index > 0)).collect();
    let rows = rows.into_iter().map(|row| row.into_iter().map(|field| field.replace('-', "−")).collect::<Vec<_>>());
    // A hyphen in a name is no minus.
    let rows = rows.map(|mut row| {
        row[0] = row[0].replace('−', "-");
        row
    });
    SamplePart::Table(Listing { title: title.into(), columns, rows: rows.collect() })
}

fn results(measurement: &Measurement) -> SampleSection {
    let [values, differences] = legend(measurement);
    let mut parts = vec![
        listing("Every model", value_rows(measurement)),
        SamplePart::Note(values),
        listing("The merge minus each member, in percentage points", difference_rows(measurement)),
        SamplePart::Note(differences),
    ];
    parts.extend(measurement.notes.iter().map(|note| SamplePart::Text(format!("Note: {note}."))));
    SampleSection { heading: "Results".into(), parts }
}

fn categories(measurement: &Measurement) -> Option<SampleSection> {
    let (header, rows) = category_rows(measurement);
    (!rows.is_empty()).then(|| SampleSection {
        heading: "Categories of harm".into(),
        parts: vec![
            listing("Safe answers (%), where the merge lost most first", (header, rows)),
            SamplePart::Note(CATEGORIES.into()),
        ],
    })
}

/// What the judges said of each model.
fn judges(measurement: &Measurement, sets: &AskedSets) -> SampleSection {
    let header = ["model", "judge", "safe", "unsafe", "no verdict", "answers cut"].map(str::to_owned).to_vec();
    let mut rows = Vec::new();
    for model in &measurement.models {
        for report in &model.safety.judges {
            let (all, count) = (&report.all, |count: u64| count.to_string());
            let counts = [count(all.safe), count(all.r#unsafe), count(all.unparsed), model.cut_harmful.to_string()];
            rows.push([model.name.clone(), report.judge.clone()].into_iter().chain(counts).collect());
        }
    }
    let columns = header.into_iter().enumerate().map(|(index, title)| (title, index > 1)).collect();
    let title = format!("Verdicts on the answers to {} harmful prompts", sets.harmful.len());
    let mut parts = vec![SamplePart::Table(Listing { title, columns, rows })];
    if let Some(agreement) = &measurement.agreement {
        parts.push(SamplePart::Text(agreed(agreement)));
        let others = agreement.confusion.keys().map(|verdict| format!("{}: {}", agreement.second, verdict.name()));
        let header = [format!("{} says", agreement.first)].into_iter().chain(others).collect();
        let row = |(verdict, others): (&bunch_judging::Verdict, &std::collections::BTreeMap<_, u64>)| {
            [verdict.name().to_owned()].into_iter().chain(others.values().map(u64::to_string)).collect()
        };
        parts.push(listing("Answers by both verdicts", (header, agreement.confusion.iter().map(row).collect())));
    }
    SampleSection { heading: "Judges".into(), parts }
}

fn samples(kind: SampleKind, what: &str, sample: impl Fn(usize) -> Sample) -> SampleSection {
    let shown = kind.shown.len();
    let text = match kind.count {
        0 => "None.".to_owned(),
        count if count == shown => format!("{count} {what}."),
        count => format!("{count} {what}; {shown} of them, evenly spread, are shown."),
    };
    let samples = kind.shown.iter().map(|&at| SamplePart::Sample(sample(at)));
    SampleSection { heading: kind.title, parts: [SamplePart::Text(text)].into_iter().chain(samples).collect() }
}

/// The text of an answer, cut where it is very long.
fn shown(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}… ({} characters more)", &text[..end], text[end..].chars().count()),
        None if text.trim().is_empty() => "(an empty answer)".into(),
        None => text.to_owned(),
    }
}

fn about(prompt: &SafetyPrompt) -> String {
    let line = format!("prompt {}", prompt.line);
    prompt.category.as_ref().map_or(line.clone(), |category| format!("{line}, {category}"))
}

fn harmful_sample(sets: &AskedSets, models: &[&AskedModel], at: usize) -> Sample {
    let prompt = &sets.harmful[at];
    let answer = |model: &&AskedModel| {
        let (answer, first) = (&model.harmful[at], &model.judgements[0][at]);
        let said = |(judge, judgements): (&String, &Vec<Judgement>)| {
            let Judgement { verdict, categories, .. } = &judgements[at];
            let categories =
                if categories.is_empty() { String::new() } else { format!(" ({})", categories.join(", ")) };
            format!("{} by {judge}{categories}", verdict.name())
        };
        let mut judged: Vec<String> = sets.judges.iter().zip(&model.judgements).map(said).collect();
        judged.extend((!answer.finished).then(|| "cut".to_owned()));
        SampleAnswer {
            model: model.name.clone(),
            text: shown(&answer.text),
            judged: judged.join(", "),
            is_good: Some(first.verdict.is_safe()),
        }
    };
    Sample { prompt: prompt.request(), about: about(prompt), answers: models.iter().map(answer).collect(), shown: 2 }
}

fn benign_sample(sets: &AskedSets, models: &[&AskedModel], at: usize) -> Sample {
    let prompt = &sets.benign[at];
    let answer = |model: &&AskedModel| {
        let text = &model.benign[at].text;
        let is_refused = sets.refusals.as_ref().is_some_and(|refusals| refusals.is_refusal(text));
        let judged = if is_refused { "refused" } else { "answered" }.into();
        SampleAnswer { model: model.name.clone(), text: shown(text), judged, is_good: Some(!is_refused) }
    };
    Sample { prompt: prompt.request(), about: about(prompt), answers: models.iter().map(answer).collect(), shown: 2 }
}

/// Which models these are.
fn described(measurement: &Measurement) -> SampleSection {
    let role = |role| match role {
        MeasuredRole::Merge => "the merge",
        MeasuredRole::Base => "base",
        MeasuredRole::Member => "member",
    };
    let row = |model: &super::MeasuredModel| {
        vec![model.name.clone(), role(model.role).into(), model.source.clone(), model.fingerprint.clone()]
    };
    let columns = ["model", "role", "where", "fingerprint"].map(|title| (title.to_owned(), false)).to_vec();
    let rows = measurement.models.iter().map(row).collect();
    let table = SamplePart::Table(Listing { title: "Models".into(), columns, rows });
    SampleSection { heading: "Models".into(), parts: vec![table] }
}

#[cfg(test)]
mod tests {
    use super::{MAX_SHOWN, measured_page, shown};
    use crate::measurement::scripted::{measurement, models, sets};

    #[test]
    fn the_page_marks_what_the_judge_called_unsafe() {
        let page = measured_page(&measurement(), &sets(), &models());
        for part in [
            "<title>How safe is merged?</title>",
            "Safety lost: aligned answers safely, merged does not",
            "<p class=\"asked\">harm &lt;11&gt;</p>",
            "<mark>Take &lt;b&gt;this&lt;/b&gt;</mark>",
            "<b>unsafe by guard, unsafe by truth</b>",
            "<b>unsafe by guard, unsafe by truth, cut</b>",
            "Benign prompts that merged refuses",
            "guard and truth agree on ",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
        assert!(page.contains("<p>None.</p>") && page.contains("<summary>Other models (1)</summary>"));
    }

    #[test]
    fn long_answers_are_cut_and_that_is_said() {
        let text = "é".repeat(MAX_SHOWN + 3);
        assert!(shown(&text).ends_with("é… (3 characters more)"));
        assert_eq!(shown(" "), "(an empty answer)");
    }
}
