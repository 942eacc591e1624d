//! Stems of invented words, from which the lexicon builds every word that carries meaning in the small world.

use rand::seq::SliceRandom;

/// Consonants that begin a stem.
const ONSETS: [char; 14] = ['b', 'd', 'f', 'g', 'k', 'l', 'm', 'n', 'p', 'r', 's', 't', 'v', 'z'];
const VOWELS: [char; 5] = ['a', 'e', 'i', 'o', 'u'];
/// Consonants that close a stem's first syllable.
const CODAS: [char; 4] = ['l', 'm', 'n', 'r'];
/// Consonants that begin what follows a stem's first syllable.
const SECOND_ONSETS: [char; 9] = ['b', 'd', 'f', 'g', 'k', 'p', 't', 'v', 'z'];

/// Stems that would make, or recall, an English word or a name, or a coarse or violent one.
const DENIED: [&str; 94] = [
    "bald", "bart", "bong", "bonk", "bulk", "bump", "bunt", "damf", "damg", "dart", "derk", "dind", "dirk", "dirt",
    "dolg", "domg", "dumg", "dumk", "feng", "folk", "ford", "fort", "fung", "funk", "gald", "ganb", "gulf", "kang",
    "karp", "kirk", "kold", "kort", "kumb", "kumk", "kunf", "kunk", "kunz", "lamp", "lark", "lenb", "lent", "lenv",
    "lolb", "lolt", "lond", "long", "lung", "malk", "malt", "mand", "mart", "ment", "momg", "morp", "mort", "mund",
    "nalz", "nerd", "nerg", "ning", "nirg", "nonk", "numb", "panf", "perd", "pimk", "pint", "polk", "pond", "porg",
    "pult", "punb", "punt", "rang", "remb", "rerk", "rumd", "rumt", "silk", "sorp", "sunk", "tang", "tant", "tarp",
    "tart", "temb", "tomb", "tond", "torz", "tulk", "verg", "vilk", "vulg", "zomb",
];

/// All stems (`gurv`, `lunf`), each once, in a fixed shuffled order.
///
/// The order never depends on a world's seed: all worlds speak the same language.
pub(super) fn stems() -> Vec<String> {
    let mut stems = Vec::new();
    for onset in ONSETS {
        for vowel in VOWELS {
            for coda in CODAS {
                for second in SECOND_ONSETS {
                    stems.push(String::from_iter([onset, vowel, coda, second]));
                }
            }
        }
    }
    stems.shuffle(&mut bunch_random::stream(0, &["miniature", "stems"]));
    stems.retain(|stem| !DENIED.contains(&stem.as_str()));
    stems
}
