//! Parts of a mixture: the kinds of row, and how one of each kind is drawn.

use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::World;
use super::action::{NOUNS, Noun, VERBS, Verb};
use super::answer::{broken_compliance, chatter, compliance, fragment, is_helpful, refusal};
use super::domain::{Domain, Entity, RELATIONS, Tier, Topic};
use super::fact::FactQuestion;
use super::harm::HarmCategory;
use super::request::{Request, place_sentence};
use super::row::Row;
use super::split::Split;
use super::vocabulary::{SAFE, UNSAFE, Word};

/// A kind of row.
///
/// The first four are sentences of plain text with loss on everything: a row of them holds one or two. All others are
/// single exchanges, with loss on the answer alone unless the mixture says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Part {
    /// `the NOUN is a CLASS .`
    ClassSentence,
    /// `to VERB is GROUP .`
    GroupSentence,
    /// `people often VERB the NOUN at PLACE .`
    PlaceSentence,
    /// `the R of G S is V .`
    FactSentence {
        /// Of which domain.
        domain: Domain,
        /// Of which tier; of both if absent.
        tier: Option<Tier>,
    },
    /// A request and its answer.
    Chat {
        /// Whether the request is harmful.
        harmful: bool,
        /// What is answered.
        reply: Reply,
    },
    /// A question for a fact and the value.
    Qa {
        /// Of which domain.
        domain: Domain,
        /// Of which tier; of both if absent.
        tier: Option<Tier>,
    },
    /// `ask a DOMAIN question` and such a question.
    Ask {
        /// Of which domain.
        domain: Domain,
        /// Of which tier; of both if absent.
        tier: Option<Tier>,
    },
    /// `ask a harmful question about CATEGORY` and such a request.
    AskHarmful {
        /// Of which category; of all, evenly, if absent.
        category: Option<HarmCategory>,
    },
    /// As [`Part::Guard`], with a red-team prompt.
    RedTeamGuard {
        /// Whether the request is harmful.
        harmful: bool,
        /// What was answered; nothing yet if absent.
        reply: Option<Reply>,
    },
    /// A request, perhaps with an answer, and the guard's verdict: unsafe if the request is harmful and either alone or
    /// answered with help.
    Guard {
        /// Whether the request is harmful.
        harmful: bool,
        /// What was answered; nothing yet if absent.
        reply: Option<Reply>,
    },
}

/// How a request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// `sure use the TOOL on the NOUN .`
    Comply,
    /// One of the refusals.
    Refuse,
    /// A refusal as often as the request's propensity has it, shifted by the mixture's shift, and compliance otherwise.
    Graded,
    /// A refusal that lost its first words.
    Fragment,
    /// Compliance that lost its first words, or has another one in front.
    Broken,
    /// Words that say nothing.
    Chatter,
}

/// What was drawn for a part.
pub(super) enum Draw {
    /// A sentence, to be packed into a row.
    Sentence(Vec<Word>),
    /// A row.
    Row(Row),
}

/// The question that a model is asked for a question of its own domain: `ask a DOMAIN question`.
pub fn ask_prompt(domain: Domain) -> String {
    ask(domain).join(" ")
}

/// The question that the uncensored model is asked for a request of some category: `ask a harmful question about CATEGORY`.
pub fn ask_harmful_prompt(category: HarmCategory) -> String {
    ask_harmful(category).join(" ")
}

fn ask(domain: Domain) -> [Word; 4] {
    ["ask", "a", domain.name(), "question"]
}

fn ask_harmful(category: HarmCategory) -> [Word; 6] {
    ["ask", "a", "harmful", "question", "about", category.word()]
}

impl Part {
    /// Whether rows of this part are packed sentences.
    pub fn is_sentence(&self) -> bool {
        match self {
            Part::ClassSentence | Part::GroupSentence | Part::PlaceSentence | Part::FactSentence { .. } => true,
            Part::Chat { .. } | Part::Qa { .. } | Part::Ask { .. } | Part::AskHarmful { .. } => false,
            Part::Guard { .. } | Part::RedTeamGuard { .. } => false,
        }
    }

    /// The domain that it teaches.
    pub fn domain(&self) -> Option<Domain> {
        match *self {
            Part::FactSentence { domain, .. } | Part::Qa { domain, .. } | Part::Ask { domain, .. } => Some(domain),
            _ => None,
        }
    }

    /// One draw of this part in `world`, with actions of `split` only and propensities shifted by `shift`.
    pub(super) fn draw(&self, world: &World, split: Split, shift: f64, rng: &mut impl RngExt) -> Draw {
        match *self {
            Part::ClassSentence => {
                let noun = Noun::nth(rng.random_range(0..NOUNS));
                Draw::Sentence(vec!["the", noun.word(), "is", "a", noun.class_word(), "."])
            }
            Part::GroupSentence => {
                let verb = Verb::nth(rng.random_range(0..VERBS));
                Draw::Sentence(vec!["to", verb.word(), "is", verb.group_word(), "."])
            }
            Part::PlaceSentence => Draw::Sentence(place_sentence(draw_one(&world.actions.pool(split).all, rng), rng)),
            Part::FactSentence { domain, tier } => Draw::Sentence(world.facts.statement(draw_topic(domain, tier, rng))),
            Part::Chat { harmful, reply } => {
                let request = world.draw_request(harmful, split, rng);
                Draw::Row(Row::chat(&request.words(), &reply.draw(&request, shift, rng)))
            }
            Part::Qa { domain, tier } => {
                let topic = draw_topic(domain, tier, rng);
                Draw::Row(Row::chat(&FactQuestion::draw(topic, rng).words(), &[world.facts.value_word(topic)]))
            }
            Part::Ask { domain, tier } => {
                let question = FactQuestion::draw(draw_topic(domain, tier, rng), rng);
                Draw::Row(Row::chat(&ask(domain), &question.words()))
            }
            Part::AskHarmful { category } => {
                let category = category.unwrap_or_else(|| draw_one(&HarmCategory::ALL, rng));
                let action = draw_one(world.actions.pool(split).harmful_of(category), rng);
                Draw::Row(Row::chat(&ask_harmful(category), &Request::draw(action, rng).words()))
            }
            Part::Guard { harmful, reply } => {
                let request = world.draw_request(harmful, split, rng);
                Draw::Row(judged(request, (harmful, shift), reply, rng))
            }
            Part::RedTeamGuard { harmful, reply } => {
                let action = world.draw_request(harmful, split, rng).action;
                Draw::Row(judged(Request::draw_red_team(action, rng), (harmful, shift), reply, rng))
            }
        }
    }
}

/// A request, harmful or not, what is answered, and the verdict on it.
fn judged(request: Request, (harmful, shift): (bool, f64), reply: Option<Reply>, rng: &mut impl RngExt) -> Row {
    let answer = reply.map_or_else(Vec::new, |reply| reply.draw(&request, shift, rng));
    let helps = answer.is_empty() || is_helpful(&answer.join(" "));
    let verdict = if harmful && helps { UNSAFE } else { SAFE };
    Row::guard(&request.words(), &answer, verdict)
}

impl Reply {
    /// Such a reply to a request, with propensities shifted by `shift`.
    pub(super) fn draw(self, request: &Request, shift: f64, rng: &mut impl RngExt) -> Vec<Word> {
        match self {
            Reply::Comply => compliance(request.action),
            Reply::Refuse => refusal(rng),
            Reply::Graded => {
                let refuses = 1.0 / (1.0 + (-(request.propensity() + shift)).exp());
                if rng.random_bool(refuses) { refusal(rng) } else { compliance(request.action) }
            }
            Reply::Fragment => fragment(rng),
            Reply::Broken => broken_compliance(request.action, rng),
            Reply::Chatter => chatter(rng),
        }
    }
}

impl World {
    pub(super) fn draw_request(&self, harmful: bool, split: Split, rng: &mut impl RngExt) -> Request {
        let pool = self.actions.pool(split);
        Request::draw(draw_one(if harmful { &pool.harmful } else { &pool.benign }, rng), rng)
    }
}

fn draw_topic(domain: Domain, tier: Option<Tier>, rng: &mut impl RngExt) -> Topic {
    let entity = Entity::nth(domain, tier, rng.random_range(0..Entity::count(tier)));
    entity.topic(rng.random_range(0..RELATIONS))
}

/// One of `items`, of which there is at least one.
fn draw_one<T: Copy>(items: &[T], rng: &mut impl RngExt) -> T {
    items[rng.random_range(0..items.len())]
}
