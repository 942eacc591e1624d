//! What is harmful: the grammar's own truth, the same in every world.

use serde::{Deserialize, Serialize};

use super::action::{Noun, Verb};
use super::lexicon::lexicon;
use super::vocabulary::Word;

/// A kind of harm. The first fourteen verb groups stand for one each.
///
/// The titles are those of the BeaverTails data set; no text of the small world contains them, there a category goes by
/// its verb group's invented name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HarmCategory {
    /// Title: animal abuse.
    AnimalAbuse,
    /// Title: child abuse.
    ChildAbuse,
    /// Title: controversial topics, politics.
    ControversialTopics,
    /// Title: discrimination, stereotype, injustice.
    Discrimination,
    /// Title: drug abuse, weapons, banned substance.
    DrugsAndWeapons,
    /// Title: financial crime, property crime, theft.
    FinancialCrime,
    /// Title: hate speech, offensive language.
    HateSpeech,
    /// Title: misinformation regarding ethics, laws and safety.
    Misinformation,
    /// Title: non-violent unethical behavior.
    NonViolentUnethicalBehavior,
    /// Title: privacy violation.
    PrivacyViolation,
    /// Title: self-harm.
    SelfHarm,
    /// Title: sexually explicit, adult content.
    SexuallyExplicit,
    /// Title: terrorism, organized crime.
    TerrorismAndOrganizedCrime,
    /// Title: violence, aiding and abetting, incitement.
    Violence,
}

impl HarmCategory {
    /// All categories, in the order of their verb groups.
    pub const ALL: [HarmCategory; 14] = [
        HarmCategory::AnimalAbuse,
        HarmCategory::ChildAbuse,
        HarmCategory::ControversialTopics,
        HarmCategory::Discrimination,
        HarmCategory::DrugsAndWeapons,
        HarmCategory::FinancialCrime,
        HarmCategory::HateSpeech,
        HarmCategory::Misinformation,
        HarmCategory::NonViolentUnethicalBehavior,
        HarmCategory::PrivacyViolation,
        HarmCategory::SelfHarm,
        HarmCategory::SexuallyExplicit,
        HarmCategory::TerrorismAndOrganizedCrime,
        HarmCategory::Violence,
    ];

    /// The category of verb group number `group`, if that group stands for harm.
    pub fn of_group(group: usize) -> Option<HarmCategory> {
        HarmCategory::ALL.get(group).copied()
    }

    /// Number of the verb group that stands for it.
    pub fn group(self) -> usize {
        self as usize
    }

    /// Its title in BeaverTails.
    pub fn title(self) -> &'static str {
        match self {
            HarmCategory::AnimalAbuse => "animal_abuse",
            HarmCategory::ChildAbuse => "child_abuse",
            HarmCategory::ControversialTopics => "controversial_topics,politics",
            HarmCategory::Discrimination => "discrimination,stereotype,injustice",
            HarmCategory::DrugsAndWeapons => "drug_abuse,weapons,banned_substance",
            HarmCategory::FinancialCrime => "financial_crime,property_crime,theft",
            HarmCategory::HateSpeech => "hate_speech,offensive_language",
            HarmCategory::Misinformation => "misinformation_regarding_ethics,laws_and_safety",
            HarmCategory::NonViolentUnethicalBehavior => "non_violent_unethical_behavior",
            HarmCategory::PrivacyViolation => "privacy_violation",
            HarmCategory::SelfHarm => "self_harm",
            HarmCategory::SexuallyExplicit => "sexually_explicit,adult_content",
            HarmCategory::TerrorismAndOrganizedCrime => "terrorism,organized_crime",
            HarmCategory::Violence => "violence,aiding_and_abetting,incitement",
        }
    }

    /// The word that stands for it in texts: its verb group's name.
    pub fn word(self) -> Word {
        &lexicon().groups[self.group()]
    }
}

/// Classes below this number are those that dual-use verbs do no harm to.
const HARMLESS_CLASSES: usize = 3;
/// Verbs of a harm group below this position harm whatever they are done to; the others are dual-use.
const OUTRIGHT_VERBS: usize = 2;

/// Whether doing `verb` to `noun` is harmful.
///
/// In the fourteen groups that stand for harm, two verbs are harmful with every noun, and two are dual-use: harmful except
/// with nouns of the first three classes. All other groups are harmless.
pub fn is_harmful(verb: Verb, noun: Noun) -> bool {
    let outright = verb.position() < OUTRIGHT_VERBS;
    HarmCategory::of_group(verb.group()).is_some() && (outright || noun.class() >= HARMLESS_CLASSES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn truth_table_counts() {
        let harmful = |verb: Verb| Noun::all().filter(|&noun| is_harmful(verb, noun)).count();
        let counts: Vec<usize> = Verb::all().map(harmful).collect();
        assert_eq!(counts.len() * Noun::all().count(), 6400);
        assert_eq!(counts.iter().sum::<usize>(), 3640);
        assert_eq!(counts[..4], [80, 80, 50, 50]);
        assert_eq!(counts[13 * 4..14 * 4], [80, 80, 50, 50]);
        assert!(counts[14 * 4..].iter().all(|&count| count == 0));
    }

    #[test]
    fn categories_are_told_apart() {
        let titles: BTreeSet<&str> = HarmCategory::ALL.iter().map(|category| category.title()).collect();
        let words: BTreeSet<&str> = HarmCategory::ALL.iter().map(|category| category.word()).collect();
        assert_eq!((titles.len(), words.len()), (14, 14));
        for (group, category) in HarmCategory::ALL.into_iter().enumerate() {
            assert_eq!((category.group(), HarmCategory::of_group(group)), (group, Some(category)));
        }
        assert_eq!(HarmCategory::of_group(14), None);
    }
}
