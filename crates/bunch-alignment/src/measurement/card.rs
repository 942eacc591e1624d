//! The model card of a merge that was measured: its text for people, its metadata for the Hugging Face hub.

use std::fmt::Write as _;

use super::front_matter::{split, without_key, without_sections};
use super::{MeasuredModel, MeasuredQuantity, MeasuredRole, Measurement};

/// By this a section is recognised that an earlier measurement wrote.
const MARK: &str = "<!-- written by bunch measure -->";

/// How the table of categories is read.
pub(crate) const CATEGORIES: &str = "A prompt of several categories counts for each. * marks p of at most 0.05 by McNemar's exact test, after \
    Holm's correction over all categories and members.";

/// By this the section of a merge's card is recognised that a measurement replaces.
const NOT_MEASURED: &str = "The safety of this merge was not measured";

/// Categories of harm that the card shows at most: those where the merge lost most.
const MAX_CATEGORIES: usize = 20;

/// Whether `bunch merge` wrote the card.
pub fn is_merge_card(card: &str) -> bool {
    let (metadata, text) = split(card);
    metadata.lines().any(|line| line.trim() == "- bunch") && text.contains("made with bunch")
}

/// `card` with what was measured: `model-index` in its metadata, and a section in place of the one that says that nothing
/// was. Without a card, one that says nothing else.
pub fn measured_card(measurement: &Measurement, card: Option<&str>) -> String {
    let bare = format!("---\nlibrary_name: transformers\ntags:\n- merge\n---\n# {}\n", measurement.merge().name);
    let (metadata, text) = split(card.unwrap_or(&bare));
    let metadata = without_key(metadata, "model-index");
    let is_replaced =
        |section: &str| section.starts_with("## ") && (section.contains(MARK) || section.contains(NOT_MEASURED));
    let text = without_sections(text, is_replaced);
    let (index, section) = (model_index(measurement), section(measurement));
    format!("---\n{metadata}{index}---\n{}\n\n{section}", text.trim_end())
}

/// The metadata by which the hub lists results.
fn model_index(measurement: &Measurement) -> String {
    // A text in quotes is the same in JSON and in YAML.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut text = format!("model-index:\n- name: {}\n  results:\n", quoted(&measurement.merge().name));
    for quantity in &measurement.quantities {
        let Some(value) = quantity.values.first() else { continue };
        let data = match quantity.name.as_str() {
            "alignment" => "harmful prompts",
            "over_refusal" => "benign prompts",
            _ => &quantity.title,
        };
        let name = match quantity.name.as_str() {
            "alignment" => format!("safe answers, judged by {} (%)", judge(measurement)),
            _ => heading(quantity),
        };
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "  - task:\n      type: text-generation\n    dataset:\n      name: {}\n      type: {}\n      split: test\n    \
             metrics:\n    - type: {}\n      name: {}\n      value: {}\n",
            quoted(&format!("{data} ({})", measurement.pool)),
            quoted(&quantity.name.replace("task.", "")),
            quoted(if quantity.name == "alignment" { "alignment" } else { &quantity.metric }),
            quoted(&name),
            (value.value * 1e4).round() / 1e4,
        );
    }
    text
}

fn judge(measurement: &Measurement) -> &str {
    measurement.judges.first().map_or("", String::as_str)
}

/// A quantity's column: `bio, acc (%)`.
pub(crate) fn heading(quantity: &MeasuredQuantity) -> String {
    let metric = if quantity.name.starts_with("task.") { format!(", {}", quantity.metric) } else { String::new() };
    format!("{}{metric}{}", quantity.title, if quantity.is_percent() { " (%)" } else { "" })
}

/// An arrow to where a quantity is better.
pub(crate) fn arrow(quantity: &MeasuredQuantity) -> &'static str {
    if quantity.higher_is_better { "↑" } else { "↓" }
}

/// What was asked, in a paragraph.
pub(crate) fn method(measurement: &Measurement) -> String {
    let Measurement { bunch, pool, harmful_prompts, benign_prompts, max_new_tokens, .. } = measurement;
    let mut text = format!(
        "bunch {bunch} asked this merge and {} of the pool \"{pool}\" the same {harmful_prompts} harmful prompts",
        match measurement.members().len() {
            1 => "a member".to_owned(),
            count => format!("{count} members"),
        },
    );
    if measurement.quantity("over_refusal").is_some() {
        let _ = write!(text, ", {benign_prompts} benign prompts");
    }
    let tasks: Vec<&str> =
        measurement.quantities.iter().filter_map(|quantity| quantity.name.strip_prefix("task.")).collect();
    match tasks[..] {
        [] => {}
        [task] => text += &format!(" and the task {task}"),
        _ => text += &format!(" and the tasks {}", tasks.join(", ")),
    }
    let _ = write!(
        text,
        ". Answers are greedy and have at most {max_new_tokens} tokens. An answer to a harmful prompt is safe if {} says so",
        judge(measurement)
    );
    if let Some(refusals) = measurement.refusals.as_ref().filter(|_| measurement.quantity("over_refusal").is_some()) {
        let _ = write!(text, "; the list {refusals} says which benign prompts were refused");
    }
    text + "."
}

/// How safe the merge is next to the base, or to the first member, in a sentence.
pub(crate) fn finding(measurement: &Measurement) -> Option<String> {
    let (alignment, member) = (measurement.quantity("alignment")?, measurement.members().first()?);
    let (value, difference) = (alignment.values.first()?, alignment.difference(&member.name)?);
    let what = match (difference.is_significant(), difference.difference < 0.0) {
        (true, true) => "less safe than",
        (true, false) => "safer than",
        (false, _) => "not significantly different in safety from",
    };
    let role = if member.role == MeasuredRole::Base { "the base " } else { "" };
    Some(format!(
        "This merge is {what} {role}{}: {:.1} % of its answers to harmful prompts are safe, {} points.",
        member.name,
        value.value,
        difference.text().trim_end_matches(" *"),
    ))
}

/// What brackets and stars mean.
pub(crate) fn legend(measurement: &Measurement) -> [String; 2] {
    let count: usize = measurement.quantities.iter().map(|quantity| quantity.differences.len()).sum();
    [
        "In brackets are 95 % intervals (Wilson). ↑: more is better, ↓: less is better.".into(),
        format!(
            "Differences are in percentage points and paired: item by item, on the same items. In brackets are intervals of at \
             least 95 %, from Clopper and Pearson's exact ones of the items that differ. * marks p of at most 0.05 by McNemar's \
             exact test, after Holm's correction over all {count} differences."
        ),
    ]
}

/// A model's name with what it is.
pub(crate) fn label(model: &MeasuredModel) -> String {
    match model.role {
        MeasuredRole::Merge => format!("{} (this merge)", model.name),
        MeasuredRole::Base => format!("{} (base)", model.name),
        MeasuredRole::Member => model.name.clone(),
    }
}

/// The values of all models: a header and a row for each.
pub(crate) fn value_rows(measurement: &Measurement) -> (Vec<String>, Vec<Vec<String>>) {
    let columns = measurement.quantities.iter().map(|quantity| format!("{} {}", heading(quantity), arrow(quantity)));
    let header = ["model".to_owned()].into_iter().chain(columns).collect();
    let row = |model: &MeasuredModel| {
        let values = measurement
            .quantities
            .iter()
            .map(|quantity| quantity.value(&model.name).map_or_else(String::new, |value| value.text()));
        [label(model)].into_iter().chain(values).collect()
    };
    (header, measurement.models.iter().map(row).collect())
}

/// The differences from all members: a header and a row for each.
pub(crate) fn difference_rows(measurement: &Measurement) -> (Vec<String>, Vec<Vec<String>>) {
    let paired = || measurement.quantities.iter().filter(|quantity| !quantity.differences.is_empty());
    let header = ["the merge minus".to_owned()].into_iter().chain(paired().map(|quantity| quantity.title.clone()));
    let row = |member: &MeasuredModel| {
        let differences = paired()
            .map(|quantity| quantity.difference(&member.name).map_or_else(String::new, |difference| difference.text()));
        [label(member)].into_iter().chain(differences).collect()
    };
    (header.collect(), measurement.members().iter().map(row).collect())
}

/// Safe answers by category of harm, of the merge and of the first member, where the merge lost most first.
pub(crate) fn category_rows(measurement: &Measurement) -> (Vec<String>, Vec<Vec<String>>) {
    let Some(first) = measurement.members().first() else { return (Vec::new(), Vec::new()) };
    let header = ["category of harm", "prompts", &measurement.merge().name, &first.name, "difference"];
    let mut categories: Vec<&MeasuredQuantity> = measurement.categories.iter().collect();
    let lost = |quantity: &MeasuredQuantity| quantity.difference(&first.name).map_or(0.0, |found| found.difference);
    categories.sort_by(|a, b| lost(a).total_cmp(&lost(b)));
    let row = |quantity: &MeasuredQuantity| {
        let difference = quantity.difference(&first.name)?;
        let value = |model: &str| quantity.value(model).map_or_else(String::new, |value| value.text());
        let name = quantity.title.clone();
        Some(vec![
            name,
            difference.n.to_string(),
            value(&measurement.merge().name),
            value(&first.name),
            difference.text(),
        ])
    };
    (header.map(str::to_owned).to_vec(), categories.into_iter().filter_map(row).collect())
}

fn section(measurement: &Measurement) -> String {
    let mut text = format!("## Measurements\n\n{MARK}\n\n{}\n", escaped(&method(measurement)));
    if let Some(finding) = finding(measurement) {
        let _ = write!(text, "\n**{}**\n", escaped(&finding));
    }
    let [values, differences] = legend(measurement);
    let _ = write!(text, "\n{}\n{}\n", table(value_rows(measurement)), escaped(&values));
    let _ = write!(text, "\n{}\n{}\n", table(difference_rows(measurement)), escaped(&differences));
    let (header, rows) = category_rows(measurement);
    if !rows.is_empty() {
        let count = rows.len();
        let shown = table((header, rows.into_iter().take(MAX_CATEGORIES).collect()));
        let _ = write!(text, "\n### Safe answers by category of harm (%)\n\n{shown}\n{}\n", escaped(CATEGORIES));
        if count > MAX_CATEGORIES {
            let _ = write!(text, "\nThese are the {MAX_CATEGORIES} of {count} categories where the merge lost most.\n");
        }
    }
    let harms = &measurement.merge().safety.judges[0].harms;
    if !harms.is_empty() {
        let harms: Vec<String> = harms.iter().map(|(harm, count)| format!("{harm} {count}")).collect();
        let _ =
            write!(text, "\nHarms that {} named in the merge's answers: {}.\n", judge(measurement), harms.join(", "));
    }
    if let Some(agreement) = &measurement.agreement {
        let _ = write!(text, "\n{}\n", escaped(&agreed(agreement)));
    }
    if !measurement.notes.is_empty() {
        text += "\n### Notes\n\n";
        measurement.notes.iter().for_each(|note| text += &format!("- {}\n", escaped(note)));
    }
    text
}

/// How far two judges agree, in a sentence.
pub(crate) fn agreed(agreement: &bunch_judging::JudgeAgreement) -> String {
    let (first, second) = (&agreement.first, &agreement.second);
    let Some(parsed) = &agreement.parsed else {
        return format!("{first} and {second} never both gave a verdict.");
    };
    let kappa = parsed.cohens_kappa.map_or(String::new(), |kappa| format!(" (Cohen's kappa {kappa:.2})"));
    let (percent, n) = (parsed.equal.percent, parsed.equal.n);
    format!("{first} and {second} agree on {percent:.1} % of {n} answers of all models{kappa}.")
}

/// A table of Markdown whose columns but the first are numbers.
fn table((header, rows): (Vec<String>, Vec<Vec<String>>)) -> String {
    let line = |fields: &[String]| {
        let fields: Vec<String> = fields.iter().map(|field| escaped(field).replace('|', "\\|")).collect();
        format!("| {} |\n", fields.join(" | "))
    };
    let rules: Vec<&str> = (0..header.len()).map(|column| if column == 0 { "---" } else { "---:" }).collect();
    let rows: String = rows.iter().map(|row| line(row)).collect();
    format!("{}| {} |\n{rows}", line(&header), rules.join(" | "))
}

/// A name like `over_refusal` or `<x>` as text, not as Markdown.
fn escaped(text: &str) -> String {
    text.replace('*', "\\*").replace('_', "\\_").replace('<', "&lt;").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::{is_merge_card, measured_card};
    use crate::measurement::scripted::measurement;

    const MERGED: &str = "---\nlibrary_name: transformers\ntags:\n- merge\n- bunch\n---\n# m\n\nmade with bunch 0.1.0.\n\n\
        ## Recipe\n\n```yaml\n## a remark\nx: 1\n```\n\n## Safety\n\n**The safety of this merge was not measured.** More.\n";

    #[test]
    fn what_was_measured_replaces_that_nothing_was() {
        let measurement = measurement();
        let card = measured_card(&measurement, Some(MERGED));
        assert!(is_merge_card(&card) && is_merge_card(MERGED));
        assert!(!card.contains("not measured") && card.contains("```yaml\n## a remark\nx: 1\n```\n"), "{card}");
        assert!(card.starts_with(
            "---\nlibrary_name: transformers\ntags:\n- merge\n- bunch\nmodel-index:\n- name: \"merged\"\n"
        ));
        for part in [
            "## Measurements\n",
            "| model | safe answers (%) ↑ | benign prompts refused (%) ↓ | bio, acc (%) ↑ |",
            "| merged (this merge) | 50.0 [",
            "| aligned (base) | 100.0 [",
            "This merge is less safe than the base aligned: 50.0 % of its answers to harmful prompts are safe, -50.0 [",
            "type: \"alignment\"",
            "      value: 50\n",
            "guard and truth agree on ",
        ] {
            assert!(card.contains(part), "{part}: {card}");
        }
        // Measured again, the card is the same.
        assert_eq!(measured_card(&measurement, Some(&card)), card);
    }

    #[test]
    fn a_card_of_somebody_else_keeps_its_text() {
        let own = "---\nlicense: mit\n---\n# Mine\n\n## Safety\n\nI tested it.\n";
        let card = measured_card(&measurement(), Some(own));
        assert!(!is_merge_card(&card) && card.contains("## Safety\n\nI tested it.\n\n## Measurements"), "{card}");
        assert!(card.starts_with("---\nlicense: mit\nmodel-index:"), "{card}");
        let none = measured_card(&measurement(), None);
        assert!(none.contains("---\n# merged\n\n## Measurements"), "{none}");
    }
}
