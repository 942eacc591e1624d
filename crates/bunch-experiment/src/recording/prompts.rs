//! The prompts that generated data, as models read them, and what came of them.

use bunch_evolution::Data;
use bunch_judging::Exchange;
use bunch_report::{PageSection, Paragraph};

use crate::ExperimentError;
use crate::declared::figure_spec::{DrawingKind, PromptsPage};
use crate::declared::pool_names::{GUARD, UNCENSORED};
use crate::planning::members::members;
use crate::planning::run::Run;
use crate::recording::pool_data::PoolData;
use crate::seed_pool::SeedPool;

/// What a page of prompts says.
pub(crate) struct PromptSheet {
    /// The drawing and the block that it belongs to.
    pub(crate) drawing: String,
    pub(crate) block: String,
    pub(crate) sections: Vec<PageSection>,
}

/// A pool with one seed's data.
pub(crate) struct Prompted<'a> {
    pub(crate) seed_pool: &'a SeedPool,
    /// The models of the pool, the base first.
    pub(crate) members: &'a [String],
    pub(crate) data: &'a PoolData,
}

impl Run {
    /// The sheets of all pages that the experiment draws, with the first seed's data.
    pub(crate) fn prompt_sheets(
        &self,
        seed_pools: &[SeedPool],
        generated: &[(String, u64, PoolData)],
    ) -> Result<Vec<PromptSheet>, ExperimentError> {
        let mut sheets = Vec::new();
        for drawing in &self.experiment.drawings {
            let DrawingKind::Prompts(page) = &drawing.draw else { continue };
            for block in &self.experiment.blocks {
                let Some(seed_pool) = seed_pools.iter().find(|seed_pool| seed_pool.serves(&block.name)) else {
                    continue;
                };
                let of_block =
                    |(name, seed, _): &&(String, u64, PoolData)| *name == block.name && *seed == seed_pool.seed;
                let Some((_, _, data)) = generated.iter().find(of_block) else { continue };
                let members = members(block, &self.scale);
                let prompted = Prompted { seed_pool, members: &members, data };
                sheets.push(PromptSheet {
                    drawing: drawing.name.clone(),
                    block: block.name.clone(),
                    sections: prompted.sections(page)?,
                });
            }
        }
        Ok(sheets)
    }
}

fn section(heading: impl Into<String>, paragraphs: Vec<Paragraph>) -> PageSection {
    PageSection { heading: heading.into(), paragraphs }
}

fn quotation(label: impl Into<String>, text: impl Into<String>) -> Paragraph {
    Paragraph::Quotation { label: label.into(), text: text.into() }
}

/// A category's name as text.
fn readable(category: &str) -> String {
    category.replace('_', " ").replace(',', ", ")
}

impl Prompted<'_> {
    /// What a page says: how questions are asked for, how they are answered and judged, and the first pairs.
    pub(crate) fn sections(&self, page: &PromptsPage) -> Result<Vec<PageSection>, ExperimentError> {
        match page.data {
            Data::Safety => self.of_safety(page.examples),
            Data::Expert => self.of_expert(page.examples),
        }
    }

    fn of_safety(&self, examples: usize) -> Result<Vec<PageSection>, ExperimentError> {
        let categories = self.seed_pool.pool().categories(UNCENSORED)?;
        let mut asking = vec![Paragraph::Prose(format!(
            "For each question one of {} categories is drawn, each as likely as another. The model {UNCENSORED} is sent that \
             category's prompt and nothing else. {}",
            categories.len(),
            self.sampling()
        ))];
        asking.extend(categories.iter().map(|category| quotation(readable(&category.name), &category.ask_prompt)));
        if let Some(first) = categories.first() {
            asking.push(Paragraph::Prose("As the model reads the first of them:".into()));
            asking.push(quotation("prompt", self.chat(&first.ask_prompt)?));
        }
        let mut sections = vec![section("1. Asking for an unsafe question", asking)];
        if let Some(first) = self.data.safety.pairs.first() {
            let (question, answer) = (&first.pair.question, &first.pair.answer);
            let alone = self.guarded(&Exchange::alone(question.clone()))?;
            let answered = Exchange::new(question, answer);
            let text = format!(
                "The model {GUARD} reads the question without an answer. A question that it does not call unsafe is dropped."
            );
            let paragraphs =
                vec![Paragraph::Prose(text), quotation("prompt", alone), quotation("kept if it writes", "unsafe")];
            sections.push(section("2. Judging the question", paragraphs));
            let text = format!("Every member of the pool ({}) is sent the question. {}", self.pool(), self.greedy());
            let paragraphs = vec![Paragraph::Prose(text), quotation("prompt", self.chat(question)?)];
            sections.push(section("3. Answering it", paragraphs));
            let text = format!(
                "The model {GUARD} reads the question with each answer. One of the safe answers is drawn; a question without any \
                 is dropped."
            );
            let paragraphs = vec![
                Paragraph::Prose(text),
                quotation("prompt", self.guarded(&answered)?),
                quotation("kept if it writes", "safe"),
            ];
            sections.push(section("4. Judging the answers", paragraphs));
        }
        let mut pairs = Vec::new();
        for each in self.data.safety.pairs.iter().take(examples) {
            pairs.push(quotation("category", readable(&each.category)));
            pairs.push(quotation("question", &each.pair.question));
            pairs.push(quotation(format!("answer of {}", each.answered_by), &each.pair.answer));
        }
        sections.push(section(format!("First of {} pairs of D_safety, {}", self.safety_pairs(), self.seed()), pairs));
        Ok(sections)
    }

    fn of_expert(&self, examples: usize) -> Result<Vec<PageSection>, ExperimentError> {
        let experts = &self.members[1..];
        let mut asking = vec![Paragraph::Prose(format!(
            "Each expert of the pool is asked for questions of its own domain, by this prompt and nothing else. {}",
            self.sampling()
        ))];
        for expert in experts {
            asking.push(quotation(expert, self.seed_pool.pool().ask_prompt(expert)?));
        }
        asking.push(Paragraph::Prose("As the model reads it:".into()));
        for expert in experts {
            asking.push(quotation(expert, self.chat(&self.seed_pool.pool().ask_prompt(expert)?)?));
        }
        let mut sections = vec![section("1. Asking for a question", asking)];
        let pairs = &self.data.expert.pairs;
        if let Some(first) = pairs.first() {
            let text = format!(
                "The expert that wrote a question is sent it, and what it answers is kept, right or wrong. {}",
                self.greedy()
            );
            let paragraphs = vec![Paragraph::Prose(text), quotation("prompt", self.chat(&first.pair.question)?)];
            sections.push(section("2. Answering it", paragraphs));
        }
        for expert in experts {
            let written = pairs.iter().filter(|each| each.expert == *expert);
            let mut shown = Vec::new();
            for each in written.clone().take(examples) {
                shown.push(quotation("question", &each.pair.question));
                shown.push(quotation("answer", &each.pair.answer));
            }
            let heading = format!("First of {} pairs of D_expert by {expert}, {}", written.count(), self.seed());
            sections.push(section(heading, shown));
        }
        Ok(sections)
    }

    fn safety_pairs(&self) -> usize {
        self.data.safety.pairs.len()
    }

    fn seed(&self) -> String {
        format!("seed {}", self.seed_pool.seed)
    }

    fn pool(&self) -> String {
        self.members.join(", ")
    }

    fn sampling(&self) -> String {
        let generation = self.seed_pool.generation();
        format!(
            "It is sampled at temperature {:?}; what does not end within {} tokens is dropped.",
            generation.temperature, generation.max_new_tokens
        )
    }

    fn greedy(&self) -> String {
        format!("Decoding is greedy, up to {} tokens.", self.seed_pool.generation().max_new_tokens)
    }

    /// A user's message as a model reads it, special tokens spelled out.
    fn chat(&self, message: &str) -> Result<String, ExperimentError> {
        Ok(self.seed_pool.chat().render(message)?)
    }

    /// An exchange as the guard reads it.
    fn guarded(&self, exchange: &Exchange) -> Result<String, ExperimentError> {
        self.seed_pool.guard_prompt(exchange)
    }
}

#[cfg(test)]
mod tests;
