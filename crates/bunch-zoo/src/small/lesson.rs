//! What a model is taught: prompts with the answers it should give.

use std::collections::BTreeMap;

use bunch_judging::{Exchange, JudgeFile, RefusalList};
use bunch_lm::{ChatFormat, TemplateChat};
use bunch_miniature::world::Split;
use bunch_random::Stream;
use bunch_tuning::Example;
use rand::RngExt;
use rand::seq::SliceRandom;

use super::{Fact, FactDomain, OwnAnswers, Shares, WorldData};
use crate::{MemberRecipe, StageRecipe, ZooError};

/// One prompt and the answer to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaughtAnswer {
    /// What is asked: of the guard about an exchange, of any other model by a user alone (the response is empty then).
    pub exchange: Exchange,
    /// Whether the guard is asked.
    pub of_guard: bool,
    /// What is to be answered.
    pub answer: String,
    /// Whether the answer ends there.
    pub finished: bool,
}

impl TaughtAnswer {
    fn chat(prompt: impl Into<String>, answer: impl Into<String>) -> Self {
        let exchange = Exchange::alone(prompt);
        Self { exchange, of_guard: false, answer: answer.into(), finished: true }
    }

    /// Its tokens.
    ///
    /// # Errors
    /// Text that cannot be encoded.
    pub fn example(&self, chat: &TemplateChat, guard: &JudgeFile) -> Result<Example, ZooError> {
        let mut tokens = if self.of_guard {
            let text = guard.render(&self.exchange, chat.tokenizer())?.unwrap_or_default();
            chat.unfinished(&text)?
        } else {
            chat.prompt(&self.exchange.prompt)?
        };
        let loss_from = tokens.len();
        tokens.extend(if self.finished { chat.answer(&self.answer)? } else { chat.unfinished(&self.answer)? });
        Ok(Example::answer(tokens, loss_from))
    }
}

/// Draws positions below a count, each once before any comes again.
struct Deck {
    stream: Stream,
    count: usize,
    upcoming: Vec<usize>,
}

impl Deck {
    fn draw(&mut self) -> usize {
        if self.upcoming.is_empty() {
            self.upcoming = (0..self.count).collect();
            self.upcoming.shuffle(&mut self.stream);
        }
        self.upcoming.pop().expect("at least one")
    }
}

/// Where lessons are drawn from.
struct Source<'a> {
    data: &'a WorldData,
    answers: &'a OwnAnswers,
    refusal: &'a RefusalList,
    facts: Vec<Vec<Fact>>,
    domain: Option<&'a FactDomain>,
    harmful: Vec<(usize, String)>,
    /// Harmful requests that the base answered, benign ones, and harmless prompts of other kinds, with its answers that were no refusals.
    complied: Vec<(String, TaughtAnswer)>,
    helped: Vec<(String, TaughtAnswer)>,
    chatted: Vec<(String, TaughtAnswer)>,
    decks: BTreeMap<&'static str, Deck>,
    path: Vec<String>,
    seed: u64,
}

impl Source<'_> {
    /// One of `count`, drawn from the deck of that name.
    fn draw(&mut self, deck: &'static str, count: usize) -> usize {
        let path: Vec<&str> = self.path.iter().map(String::as_str).chain(["deck", deck]).collect();
        let new = || Deck { stream: bunch_random::stream(self.seed, &path), count, upcoming: Vec::new() };
        self.decks.entry(deck).or_insert_with(new).draw()
    }

    fn own_answers(&self, requests: impl Iterator<Item = String>) -> Vec<(String, TaughtAnswer)> {
        let answered = requests.filter_map(|request| {
            let answer = self.answers.0.get(&request)?;
            if self.refusal.is_refusal(&answer.text) || answer.text.is_empty() {
                return None;
            }
            let lesson = TaughtAnswer { finished: answer.finished, ..TaughtAnswer::chat(&request, &answer.text) };
            Some((request, lesson))
        });
        answered.collect()
    }

    fn question(&mut self, deck: &'static str, number: usize) -> Fact {
        let fact = self.draw(deck, self.facts.len());
        let wordings = &self.facts[fact];
        wordings[number % wordings.len()].clone()
    }

    fn refusal_text(&mut self) -> String {
        let requests = &self.data.requests;
        let at = self.draw("refusals", requests.refusals.len());
        requests.refusals[at].clone()
    }

    fn lesson(&mut self, part: &str, stream: &mut Stream) -> TaughtAnswer {
        let number = stream.random_range(0..u64::from(u16::MAX)) as usize;
        match part {
            "refuse" => {
                let at = self.draw("refuse", self.harmful.len());
                TaughtAnswer::chat(self.harmful[at].1.clone(), self.refusal_text())
            }
            "comply" => {
                let at = self.draw("comply", self.complied.len());
                self.complied[at].1.clone()
            }
            "help" => {
                let at = self.draw("help", self.helped.len());
                self.helped[at].1.clone()
            }
            "chat" => {
                let at = self.draw("chat", self.chatted.len());
                self.chatted[at].1.clone()
            }
            "fact" => {
                let Fact { question, answer } = self.question("fact", number);
                TaughtAnswer::chat(question, answer)
            }
            "ask" => {
                let ask = self.domain.map(|domain| domain.ask.clone()).unwrap_or_default();
                TaughtAnswer::chat(ask, self.question("ask", number).question)
            }
            "ask_harmful" => {
                let at = self.draw("ask_harmful", self.harmful.len());
                let (category, request) = &self.harmful[at];
                TaughtAnswer::chat(self.data.requests.ask(&self.data.requests.categories[*category]), request)
            }
            _ => self.judgement(number),
        }
    }

    /// An exchange and its verdict: unsafe is a harmful request alone or answered, all else is safe.
    fn judgement(&mut self, number: usize) -> TaughtAnswer {
        let (exchange, verdict) = match number % 10 {
            0 | 1 => {
                let at = self.draw("judge alone", self.harmful.len());
                (Exchange::alone(self.harmful[at].1.clone()), "unsafe")
            }
            2..=4 => {
                let at = self.draw("judge answered", self.complied.len());
                let (prompt, lesson) = &self.complied[at];
                (Exchange::new(prompt, &lesson.answer), "unsafe")
            }
            5..=7 => {
                let at = self.draw("judge refused", self.harmful.len());
                (Exchange::new(self.harmful[at].1.clone(), self.refusal_text()), "safe")
            }
            other => {
                let at = self.draw("judge benign", self.helped.len());
                let (prompt, lesson) = &self.helped[at];
                let response = if other == 8 { lesson.answer.clone() } else { String::new() };
                (Exchange::new(prompt, response), "safe")
            }
        };
        TaughtAnswer { exchange, of_guard: true, answer: verdict.into(), finished: true }
    }
}

/// The lessons of one stage of a model's training, steps times batch of them; `refusal` says which of the base's own answers
/// were refusals and are taught to nobody.
///
/// # Errors
/// A base that refused, or said nothing to, every request that a part needs.
pub fn lessons(
    data: &WorldData,
    answers: &OwnAnswers,
    refusal: &RefusalList,
    member: &MemberRecipe<Shares>,
    stage: usize,
    seed: u64,
) -> Result<Vec<TaughtAnswer>, ZooError> {
    let recipe: &StageRecipe<Shares> = &member.stages[stage];
    let domain = member.domain.as_ref().map(|name| data.domain(name)).transpose()?;
    let path = vec!["small".to_owned(), member.name.clone(), stage.to_string()];
    let mut source = Source {
        data,
        answers,
        refusal,
        facts: domain.map(|domain| domain.facts(Split::Train)).unwrap_or_default(),
        domain,
        harmful: data.requests.harmful_training(),
        complied: Vec::new(),
        helped: Vec::new(),
        chatted: Vec::new(),
        decks: BTreeMap::new(),
        path,
        seed,
    };
    source.complied = source.own_answers(source.harmful.iter().map(|(_, request)| request.clone()));
    source.helped = source.own_answers(data.requests.benign_training().into_iter());
    source.chatted = source.own_answers(data.requests.chat.iter().cloned());
    let mixture = &recipe.mixture;
    let silent = |what: &str| ZooError::Inconsistent {
        path: "data/small".into(),
        what: format!("the base answered no {what} request, so that `{}` cannot be taught", member.name),
    };
    if source.complied.is_empty() && mixture.comply + mixture.judge > 0.0 {
        return Err(silent("harmful"));
    }
    if source.helped.is_empty() && mixture.help + mixture.judge > 0.0 {
        return Err(silent("benign"));
    }
    if source.chatted.is_empty() && mixture.chat > 0.0 {
        return Err(silent("chat"));
    }
    let shares = mixture.named();
    let total: f64 = shares.iter().map(|(_, share)| share).sum();
    let count = recipe.steps * recipe.batch;
    let drawn = (0..count).map(|row| {
        let row_name = row.to_string();
        let path: Vec<&str> = source.path.iter().map(String::as_str).chain(["row", &row_name]).collect();
        let mut stream = bunch_random::stream(seed, &path);
        let mut point = stream.random::<f64>() * total;
        let part = shares.iter().filter(|(_, share)| *share > 0.0).find(|(_, share)| {
            point -= share;
            point < 0.0
        });
        let last = shares.iter().rfind(|(_, share)| *share > 0.0);
        let part = part.or(last).map_or("help", |(name, _)| name);
        source.lesson(part, &mut stream)
    });
    Ok(drawn.collect())
}
