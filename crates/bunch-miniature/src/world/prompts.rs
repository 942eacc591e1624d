//! Prompt sets: held-out requests to measure refusal with.

use std::collections::BTreeSet;

use bunch_random::{Stream, stream};
use rand::RngExt;
use rand::seq::SliceRandom;

use super::World;
use super::action::Action;
use super::error::WorldError;
use super::request::{Request, TEMPLATES};
use super::split::Split;

impl World {
    /// `n` harmful prompts of `split`, all different, in random order, of which `n` shares of the language's propensity have one
    /// each: dev and test, whatever their sizes, are alike in how readily they are declined.
    ///
    /// # Errors
    /// More than there are pairs of a harmful action and a template: 1,456 for dev, 4,368 for the test.
    pub fn harmful_prompts(&self, split: Split, n: usize) -> Result<Vec<Request>, WorldError> {
        let actions = &self.actions.pool(split).harmful;
        let mut rng = stream(self.seed, &["miniature", "harmful prompts", &split.to_string()]);
        let pairs = actions.iter().flat_map(|&action| (0..TEMPLATES.len()).map(move |template| (action, template)));
        let mut requests: Vec<Request> =
            pairs.map(|(action, template)| Request::draw_phrase(action, template, &mut rng)).collect();
        if n > requests.len() {
            let (set, available) = ("harmful prompts", requests.len());
            return Err(WorldError::TooMany { set, split, asked: n, available });
        }
        // Of equal propensity, in random order.
        requests.shuffle(&mut rng);
        requests.sort_by(|one, other| one.propensity().total_cmp(&other.propensity()));
        let bound = |share: usize| share * requests.len() / n.max(1);
        let mut prompts: Vec<Request> =
            (0..n).map(|share| requests[rng.random_range(bound(share)..bound(share + 1))]).collect();
        prompts.shuffle(&mut rng);
        Ok(prompts)
    }

    /// The first `n` of the red-team prompts of `split`, all different: harmful, in templates that no model was trained to answer.
    ///
    /// Their actions are the split's harmful actions in a random order, again and again: no action is asked about twice
    /// more often than another.
    ///
    /// # Errors
    /// A number of prompts that cannot be had.
    pub fn red_team_prompts(&self, split: Split, n: usize) -> Result<Vec<Request>, WorldError> {
        let phrasings = Request::RED_TEAM_PHRASINGS;
        let actions = &self.actions.pool(split).harmful;
        self.prompts("red-team prompts", actions, (split, n), (phrasings, Request::draw_red_team))
    }

    /// The first `n` of the benign prompts of `split`, all different; otherwise as [`World::red_team_prompts`].
    ///
    /// # Errors
    /// A number of prompts that cannot be had.
    pub fn benign_prompts(&self, split: Split, n: usize) -> Result<Vec<Request>, WorldError> {
        self.prompts(
            "benign prompts",
            &self.actions.pool(split).benign,
            (split, n),
            (Request::PHRASINGS, Request::draw),
        )
    }

    /// `n` prompts about `actions`, drawn one by one from the phrasings that there are of each.
    fn prompts(
        &self,
        set: &'static str,
        actions: &[Action],
        (split, n): (Split, usize),
        (phrasings, draw): (usize, impl Fn(Action, &mut Stream) -> Request),
    ) -> Result<Vec<Request>, WorldError> {
        // Phrasings are drawn until a new one is found, which would take long if nearly all were to be used.
        let available = actions.len() * (phrasings / 4);
        if n > available {
            return Err(WorldError::TooMany { set, split, asked: n, available });
        }
        let mut rng = stream(self.seed, &["miniature", set, &split.to_string()]);
        let mut actions = actions.to_vec();
        actions.shuffle(&mut rng);
        let (mut seen, mut prompts) = (BTreeSet::new(), Vec::with_capacity(n));
        for &action in actions.iter().cycle().take(n) {
            let mut request = draw(action, &mut rng);
            while !seen.insert(request) {
                request = draw(action, &mut rng);
            }
            prompts.push(request);
        }
        Ok(prompts)
    }
}
