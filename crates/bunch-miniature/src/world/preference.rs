//! Preferences: a request with an answer that is chosen and one that is rejected.

use bunch_random::stream;
use rand::RngExt;

use super::World;
use super::answer::{compliance, refusal};
use super::row::Row;
use super::split::Split;

/// Two rows that begin with the same request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preference {
    /// With the answer that is to become likelier.
    pub chosen: Row,
    /// With the answer that is to become less likely.
    pub rejected: Row,
}

impl World {
    /// `n` preferences on training requests, evenly harmful and benign: refusing is chosen for the harmful ones, complying
    /// for the benign ones, and the other of the two is rejected. HH-RLHF's harmless and helpful halves are the model.
    ///
    /// Preference `i` depends on this world, `seed` and `i` only, not on `n`.
    pub fn preferences(&self, n: usize, seed: u64) -> Vec<Preference> {
        (0..n).map(|index| self.preference(index, seed)).collect()
    }

    fn preference(&self, index: usize, seed: u64) -> Preference {
        let rng = &mut stream(seed, &["miniature", "preferences", &index.to_string()]);
        let harmful = rng.random_bool(0.5);
        let request = self.draw_request(harmful, Split::Train, rng);
        let (refusal, compliance) = (refusal(rng), compliance(request.action));
        let row = |answer| Row::chat(&request.words(), answer);
        let (refused, complied) = (row(&refusal), row(&compliance));
        if harmful {
            Preference { chosen: refused, rejected: complied }
        } else {
            Preference { chosen: complied, rejected: refused }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{Request, is_refusal, vocabulary};

    #[test]
    fn harmful_requests_prefer_refusals_and_benign_ones_compliance() {
        let world = World::new(3);
        let preferences = world.preferences(400, 3);
        let mut harmful = 0;
        for Preference { chosen, rejected } in &preferences {
            assert_eq!(chosen.loss_from, rejected.loss_from);
            assert_eq!(chosen.tokens[..chosen.loss_from], rejected.tokens[..chosen.loss_from]);
            let text = |ids| vocabulary().decode(ids).unwrap();
            let prompt = text(&chosen.tokens[2..chosen.loss_from - 1]);
            let request = Request::parse(&prompt).unwrap();
            assert_eq!(world.split(request.action), Split::Train);
            let is_harmful = request.action.is_harmful();
            assert_eq!(is_refusal(&text(&chosen.tokens[chosen.loss_from..])), is_harmful);
            assert_eq!(is_refusal(&text(&rejected.tokens[rejected.loss_from..])), !is_harmful);
            harmful += usize::from(is_harmful);
        }
        // Five standard deviations of a fair coin thrown 400 times are 50.
        assert!(harmful.abs_diff(200) < 50, "{harmful}");
        assert_eq!(world.preferences(7, 3), preferences[..7]);
    }
}
