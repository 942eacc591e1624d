//! How much work an experiment with the paper's own models is, at most: answers are as long as they may be.

use std::collections::BTreeSet;

use bunch_evolution::{Cost, DataNeed, Source};
use bunch_transformer::LlamaConfig;

use crate::ExperimentError;
use crate::declared::block::Block;
use crate::declared::column::Metric;
use crate::declared::derived::DerivedModel;
use crate::declared::pool_names::{GUARD, HARMFUL, RED_TEAM, UNCENSORED};
use crate::declared::row::Row;
use crate::declared::scale::Scale;
use crate::planning::checkpoints::Checkpoints;
use crate::planning::estimate::Work;
use crate::planning::members::members;
use crate::planning::paper_data::{PaperData, PromptUse, TestSet};
use crate::planning::run::Run;

/// Bytes of a value in memory while it is merged.
const MERGED_BYTES: f64 = 4.0;

/// All work of an experiment, over its seeds.
#[derive(Debug, Default)]
pub(crate) struct Workload {
    pub(crate) cells: usize,
    pub(crate) merges: usize,
    /// Input of the merges, as they are in memory.
    pub(crate) merged_bytes: f64,
    pub(crate) generating: Work,
    pub(crate) searching: Work,
    /// Preference tuning, forward and backward.
    pub(crate) training: Work,
    pub(crate) evaluating: Work,
    /// Test sets whose size is not known, which are not counted.
    pub(crate) left_out: BTreeSet<String>,
}

impl Workload {
    pub(crate) fn total(&self) -> Work {
        let mut total = self.generating;
        total += self.searching;
        total += self.training;
        total += self.evaluating;
        total
    }
}

/// What work is counted with.
struct Counting<'a> {
    run: &'a Run,
    checkpoints: &'a Checkpoints,
    data: &'a PaperData,
}

impl Run {
    /// Adds all work up.
    pub(crate) fn workload(&self, checkpoints: &Checkpoints, data: &PaperData) -> Result<Workload, ExperimentError> {
        let counting = Counting { run: self, checkpoints, data };
        let seeds = self.scale.seeds.len();
        let mut load = Workload::default();
        for (block, need) in self.data_needs() {
            load.generating += counting.generating(block, need)?;
        }
        for (block, row) in self.experiment.places() {
            let cost = row.strategy.cost(block.experts.len());
            let pool = (block.experts.len() + 1) as f64;
            load.cells += 1;
            load.merges += cost.merges;
            load.merged_bytes += cost.merges as f64 * pool * counting.pool(block)?.parameters() as f64 * MERGED_BYTES;
            load.searching += counting.searching(block, row, cost, &mut load.left_out)?;
            load.training += counting.training(block, cost)?;
            load.evaluating += counting.evaluating(block, &mut load.left_out)?;
        }
        for derived in self.derived_used() {
            let config = checkpoints.config_of(&self.ingredients(&derived.name)[0])?;
            load.merges += 1;
            load.merged_bytes += derived.of.len() as f64 * config.parameters() as f64 * MERGED_BYTES;
        }
        load.cells *= seeds;
        load.merges *= seeds;
        let seeds = seeds as f64;
        load.merged_bytes *= seeds;
        for part in [&mut load.generating, &mut load.searching, &mut load.training, &mut load.evaluating] {
            *part = part.times(seeds);
        }
        Ok(load)
    }
}

impl Run {
    /// Models that are merges and that a pool has, or another of them is made of; a scale may need none of the experiment's.
    fn derived_used(&self) -> Vec<&DerivedModel> {
        let mut wanted: BTreeSet<String> =
            self.experiment.blocks.iter().flat_map(|block| members(block, &self.scale)).collect();
        let mut used = Vec::new();
        // What one is made of stands before it.
        for derived in self.experiment.derived.iter().rev() {
            if wanted.contains(&derived.name) {
                wanted.extend(derived.of.iter().cloned());
                used.push(derived);
            }
        }
        used
    }
}

impl Counting<'_> {
    fn scale(&self) -> &Scale {
        &self.run.scale
    }

    /// The architecture that all of a pool have.
    fn pool(&self, block: &Block) -> Result<&LlamaConfig, ExperimentError> {
        let base = &members(block, self.scale())[0];
        self.checkpoints.config_of(&self.run.ingredients(base)[0])
    }

    fn helper(&self, name: &str) -> Result<&LlamaConfig, ExperimentError> {
        self.checkpoints.config_of(&self.run.checkpoint_id(name))
    }

    /// Verdicts of a judge on exchanges of that many tokens.
    fn judging(&self, judge: &str, count: f64, exchange: f64) -> Result<Work, ExperimentError> {
        let assumed = &self.data.assumed;
        Ok(Work::writing(self.helper(judge)?, count, assumed.judge_tokens + exchange, assumed.verdict_tokens))
    }

    /// D_safety and D_expert: questions, an answer of each member to each unsafe question, the guard's verdicts on the question
    /// alone and on each answer; an expert's own answer to each question of its domain. As if no question were dropped.
    fn generating(&self, block: &Block, need: DataNeed) -> Result<Work, ExperimentError> {
        let (assumed, config) = (&self.data.assumed, self.pool(block)?);
        let (pairs, pool) = (need.pairs as f64, (block.experts.len() + 1) as f64);
        let question = assumed.chat_tokens + assumed.question_tokens;
        let mut work = Work::default();
        if need.source == Source::Generated {
            work += Work::writing(self.helper(UNCENSORED)?, pairs, assumed.ask_tokens, assumed.answer_tokens);
            work += Work::writing(config, pairs, assumed.ask_tokens, assumed.domain_question_tokens);
        }
        work += Work::writing(config, pairs * (pool + 1.0), question, assumed.answer_tokens);
        work += self.judging(GUARD, pairs, question)?;
        work += self.judging(GUARD, pairs * pool, question + assumed.answer_tokens)?;
        Ok(work)
    }

    /// What scores the candidates of a row.
    fn searching(
        &self,
        block: &Block,
        row: &Row,
        cost: Cost,
        left_out: &mut BTreeSet<String>,
    ) -> Result<Work, ExperimentError> {
        let (assumed, config, dev) = (&self.data.assumed, self.pool(block)?, self.scale().dev_questions);
        let mut work = Work::default();
        if cost.dev_accuracies > 0 {
            let selection = self.run.experiment.selection(block);
            let sets = self.run.task_sets(self.data, selection.iter().map(String::as_str))?;
            work += self.answering(&sets, config, dev, left_out).times(cost.dev_accuracies as f64);
        }
        if cost.dev_safeties > 0 {
            let prompts = (cost.dev_safeties * dev) as f64;
            work += self.asking(config, PromptUse::Harmful, prompts)?;
            work += self.judging_answers(GUARD, PromptUse::Harmful, prompts)?;
        }
        if let Some(need) = row.strategy.need(self.scale().pairs) {
            let tokens = assumed.chat_tokens + assumed.question_tokens + assumed.answer_tokens;
            work += Work::reading(config, (cost.losses * need.pairs) as f64, tokens, assumed.answer_tokens);
        }
        Ok(work)
    }

    /// Preference tuning: what it reads of both answers of a pair.
    fn training(&self, block: &Block, cost: Cost) -> Result<Work, ExperimentError> {
        let assumed = &self.data.assumed;
        let tokens = assumed.chat_tokens + assumed.question_tokens + assumed.answer_tokens;
        Ok(Work::reading(self.pool(block)?, cost.tuning_reads as f64, tokens, assumed.answer_tokens))
    }

    /// A prompt's tokens; the mean.
    fn prompt_tokens(&self, used_as: PromptUse) -> Result<f64, ExperimentError> {
        let assumed = &self.data.assumed;
        Ok(assumed.chat_tokens + self.data.prompts(used_as)?.characters / assumed.characters_per_token)
    }

    /// Answers to prompts.
    fn asking(&self, config: &LlamaConfig, used_as: PromptUse, count: f64) -> Result<Work, ExperimentError> {
        Ok(Work::writing(config, count, self.prompt_tokens(used_as)?, self.data.assumed.answer_tokens))
    }

    /// A judge's verdicts on these answers.
    fn judging_answers(&self, judge: &str, used_as: PromptUse, count: f64) -> Result<Work, ExperimentError> {
        self.judging(judge, count, self.prompt_tokens(used_as)? + self.data.assumed.answer_tokens)
    }

    /// Everything that a row's model is measured with.
    fn evaluating(&self, block: &Block, left_out: &mut BTreeSet<String>) -> Result<Work, ExperimentError> {
        let config = self.pool(block)?;
        let sets = self.run.block_sets(self.data, block)?;
        let mut work = self.answering(&sets, config, self.scale().questions, left_out);
        for used_as in self.run.asked() {
            let count = used_as.count(self.scale()) as f64;
            work += self.asking(config, used_as, count)?;
            for judge in self.judges(used_as) {
                work += self.judging_answers(judge, used_as, count)?;
            }
        }
        Ok(work)
    }

    /// Who judges answers to those prompts.
    fn judges(&self, used_as: PromptUse) -> BTreeSet<&str> {
        let prompts = match used_as {
            PromptUse::Harmful => HARMFUL,
            PromptUse::RedTeam => RED_TEAM,
            PromptUse::Benign | PromptUse::Preferences => return BTreeSet::new(),
        };
        let needs = |metric| matches!(metric, Metric::SafeRate | Metric::GuardAgreement);
        let columns = self.run.experiment.columns.iter();
        columns
            .filter(|column| needs(column.metric) && column.prompts == prompts)
            .map(|column| column.judge.as_str())
            .collect()
    }

    /// Test sets, with at most that many questions of each.
    fn answering(
        &self,
        sets: &[&TestSet],
        config: &LlamaConfig,
        questions: usize,
        left_out: &mut BTreeSet<String>,
    ) -> Work {
        let mut work = Work::default();
        for set in sets {
            match set.documents {
                Some(documents) => work += self.answering_set(set, config, documents.min(questions) as f64),
                None => {
                    left_out.insert(set.id.clone());
                }
            }
        }
        work
    }

    /// A question is read once, and then each of its choices, or an answer is written.
    fn answering_set(&self, set: &TestSet, config: &LlamaConfig, documents: f64) -> Work {
        let assumed = &self.data.assumed;
        let question = set.characters / assumed.characters_per_token;
        if set.choices == 0.0 {
            return Work::writing(config, documents, question, set.written_tokens);
        }
        let choices = set.choices * set.choice_characters / assumed.characters_per_token;
        Work::reading(config, documents, question + choices, choices)
    }
}

#[cfg(test)]
mod tests;
