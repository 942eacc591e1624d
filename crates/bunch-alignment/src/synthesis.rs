//! `bunch synthesize`: D_safety and D_expert of a pool, in a folder.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use bunch_checkpoint::{remove_partial_files, sha256_bytes, sha256_file};
use bunch_judging::read_prompts;
use bunch_lm::LanguageModel;
use bunch_pool::DataSplit;
use bunch_progress::Progress;
use bunch_synthesis::{
    DomainData, DomainRequest, ROUND, SafetyCategory, SafetyData, SafetyRequest, StageName, Stages, synthesize_domain,
    synthesize_safety,
};
use serde_json::{Map, Value, json};

use crate::data_folder;
use crate::guard_check::check_guard;
use crate::model_calls::ModelCalls;
use crate::{AlignmentError, OpenPool};

/// How much data is generated, and from what.
#[derive(Debug, Clone)]
pub struct SynthesisSettings {
    /// Pairs of D_safety, and of D_expert.
    pub pairs: usize,
    /// Seed of all random choices.
    pub seed: u64,
    /// Unsafe questions instead of the uncensored helper's: a file of JSON lines with `prompt`.
    pub questions: Option<PathBuf>,
    /// Whether the questions that the pool collected are taken instead of generated ones.
    pub collected: bool,
    /// The sets of prompts and the tasks that must not occur in the data; all unless given.
    pub exclude: Option<Vec<String>>,
    /// The folder of the data.
    pub out: PathBuf,
    /// Whether data of other settings in the folder are replaced.
    pub replace: bool,
}

/// The data, and where they came from.
#[derive(Debug)]
pub struct SynthesisOutcome {
    /// D_safety.
    pub safety: SafetyData,
    /// D_expert.
    pub expert: DomainData,
}

/// Prompts and questions that the merge is measured with.
struct TestTexts {
    /// That must not occur: in D_safety, in D_expert.
    excluded: [BTreeSet<String>; 2],
    /// All others, with the name of their set or task.
    other: BTreeMap<String, String>,
}

/// Generates D_safety and D_expert of a pool and writes them into a folder. What the models answered is kept there too: a
/// run that was stopped goes on, and one that wants more pairs asks for the new ones only.
///
/// # Errors
/// A pool without guard or uncensored helper, a guard that cannot tell harmful from benign, fewer pairs than wanted, data of
/// other settings in the folder, a model that fails.
pub fn synthesize(
    pool: &OpenPool<'_>,
    settings: &SynthesisSettings,
    progress: &dyn Progress,
) -> Result<SynthesisOutcome, AlignmentError> {
    let (guard, form) = (pool.guard()?, pool.pool().question_form()?);
    let judge = pool.judge(guard)?;
    let tests = test_texts(pool, settings)?;
    let given = Given::read(pool, settings)?;
    let writer = if given.safety.is_none() { Some(pool.uncensored()?) } else { None };
    let categories = match writer {
        Some(writer) => pool.pool().categories(writer)?,
        None => vec![SafetyCategory { name: "given".into(), ask_prompt: String::new() }],
    };
    let prompts = pool.experts().iter().map(|expert| pool.pool().ask_prompt(expert)).collect::<Result<Vec<_>, _>>()?;

    let names = pool.members().iter().map(String::as_str).chain(writer).chain([guard]);
    let identity = json!({ "bunch": env!("CARGO_PKG_VERSION"), "models": pool.fingerprints(names)? });
    let identity = identity.as_object().cloned().unwrap_or_default();
    fs::create_dir_all(&settings.out).map_err(AlignmentError::io(&settings.out))?;
    let calls = ModelCalls::open(&settings.out.join("calls.jsonl"), &identity, settings.replace)?;
    remove_partial_files(&settings.out)?;

    let lazy = pool.members().iter().map(|name| pool.model(name)).collect::<Result<Vec<_>, _>>()?;
    let recorded: Vec<_> = pool.members().iter().zip(&lazy).map(|(name, model)| calls.of(name, model)).collect();
    let members: Vec<(&str, &dyn LanguageModel)> = pool
        .members()
        .iter()
        .map(String::as_str)
        .zip(recorded.iter().map(|model| model as &dyn LanguageModel))
        .collect();
    // A rule of words asks no model: any stands in for it.
    let guard_model = if judge.tokenizer.is_some() { pool.model(guard)? } else { pool.model(pool.base())? };
    let guard_model = calls.of(guard, &guard_model);
    let asked_guard = judge.asking(&guard_model)?;
    check_guard(pool, guard, &*asked_guard)?;

    let generation = &pool.pool().file().generation;
    let (k, max_asked) = (settings.pairs, generation.max_asked as usize * settings.pairs);
    let question = |text: &str| form.question(text);
    let pairs_before = Cell::new(0);
    let advance = |pairs: u64| progress.advance(pairs - pairs_before.replace(pairs));
    progress.begin("safety data", k as u64, 0);
    let uncensored = pool.model(writer.unwrap_or(pool.base()))?;
    let uncensored = calls.of(writer.unwrap_or(pool.base()), &uncensored);
    let uncensored_chat = pool.chat_of(writer.unwrap_or(pool.base()))?;
    let safety = synthesize_safety(&SafetyRequest {
        uncensored: &uncensored,
        uncensored_format: &uncensored_chat,
        members: &members,
        guard: &*asked_guard,
        format: pool.chat(),
        categories: &categories,
        parse_question: &question,
        k,
        temperature: generation.temperature,
        max_new_tokens: pool.max_new_tokens(),
        seed: settings.seed,
        max_asked,
        exclude: &tests.excluded[0],
        given: given.safety.as_deref(),
        keep_asking: &|stages| {
            advance(stages.kept());
            !is_hopeless(stages, StageName::Answer)
        },
    })?;
    progress.begin("expert data", k as u64, 0);
    pairs_before.set(0);
    let done = Cell::new(0);
    let experts: Vec<(&str, &dyn LanguageModel, &str)> =
        members[1..].iter().zip(&prompts).map(|(&(name, model), prompt)| (name, model, prompt.as_str())).collect();
    let expert = synthesize_domain(&DomainRequest {
        experts: &experts,
        format: pool.chat(),
        parse_question: &question,
        k,
        temperature: generation.temperature,
        max_new_tokens: pool.max_new_tokens(),
        seed: settings.seed,
        max_asked,
        exclude: &tests.excluded[1],
        given: given.expert.as_deref(),
        keep_asking: &|stages| {
            advance(done.get() + stages.kept());
            if stages.shortfall == 0 {
                done.set(done.get() + stages.kept());
            }
            !is_hopeless(stages, StageName::Question)
        },
    })?;
    tests.warn(&safety, &expert, progress);
    let mut described = identity.clone();
    described.extend(describe(pool, settings, judge.file.definition.as_bytes(), &tests)?);
    data_folder::write(&settings.out, &safety, &expert, &described)?;
    check_enough(writer, guard, &safety, &expert)?;
    Ok(SynthesisOutcome { safety, expert })
}

/// Whether two rounds passed without one question that went through `stage`.
fn is_hopeless(stages: &Stages, stage: StageName) -> bool {
    let kept = stages.stages.iter().find(|one| one.name == stage).map_or(0, |stage| stage.kept);
    stages.asked() >= 2 * ROUND as u64 && kept == 0
}

/// Questions that nobody generates.
struct Given {
    safety: Option<Vec<String>>,
    /// By expert.
    expert: Option<Vec<Vec<String>>>,
}

impl Given {
    fn read(pool: &OpenPool<'_>, settings: &SynthesisSettings) -> Result<Self, AlignmentError> {
        let requests =
            |prompts: Vec<bunch_judging::SafetyPrompt>| prompts.iter().map(|prompt| prompt.request()).collect();
        let safety = match &settings.questions {
            Some(file) => Some(requests(read_prompts(file)?)),
            None if settings.collected => Some(requests(pool.pool().questions(pool.uncensored()?)?)),
            None => None,
        };
        let of = |expert: &String| Ok::<_, AlignmentError>(requests(pool.pool().questions(expert)?));
        let expert = match settings.collected {
            true => Some(pool.experts().iter().map(of).collect::<Result<Vec<_>, _>>()?),
            false => None,
        };
        Ok(Self { safety, expert })
    }
}

/// The pool's test prompts and questions, those that must not occur apart from the others.
fn test_texts(pool: &OpenPool<'_>, settings: &SynthesisSettings) -> Result<TestTexts, AlignmentError> {
    let file = pool.pool().file();
    let names: Vec<&String> = file.prompts.keys().chain(file.tasks.keys()).collect();
    if let Some(unknown) = settings.exclude.iter().flatten().find(|name| !names.contains(name)) {
        let names = names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
        let expected = format!("a set of prompts or a task of the pool, of {names}");
        return Err(AlignmentError::Setting { option: "--exclude", expected, got: format!("`{unknown}`") });
    }
    let is_excluded = |name: &String| settings.exclude.as_ref().is_none_or(|exclude| exclude.contains(name));
    let mut tests = TestTexts { excluded: Default::default(), other: BTreeMap::new() };
    for (kind, names) in [file.prompts.keys().collect::<Vec<_>>(), file.tasks.keys().collect()].iter().enumerate() {
        for &name in names {
            let texts = match kind {
                0 => pool.prompts(name, DataSplit::Test)?.iter().map(|prompt| prompt.request()).collect(),
                _ => pool.questions(name, DataSplit::Test)?,
            };
            match is_excluded(name) {
                true => tests.excluded[kind].extend(texts),
                false => tests.other.extend(texts.into_iter().map(|text| (text, name.clone()))),
            }
        }
    }
    Ok(tests)
}

impl TestTexts {
    /// Notes questions of the data that something else of the pool tests.
    fn warn(&self, safety: &SafetyData, expert: &DomainData, progress: &dyn Progress) {
        let mut found: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        let of_safety = safety.pairs.iter().map(|pair| ("D_safety", &pair.pair.question));
        let of_experts = expert.pairs.iter().map(|pair| ("D_expert", &pair.pair.question));
        for (data, question) in of_safety.chain(of_experts) {
            if let Some(name) = self.other.get(question) {
                *found.entry((data, name)).or_default() += 1;
            }
        }
        for ((data, name), count) in found {
            progress.note(&format!("{count} questions of {data} are among the test prompts of `{name}`"));
        }
    }
}

/// What the data follow from besides the models.
fn describe(
    pool: &OpenPool<'_>,
    settings: &SynthesisSettings,
    judge: &[u8],
    tests: &TestTexts,
) -> Result<Map<String, Value>, AlignmentError> {
    let generation = &pool.pool().file().generation;
    let questions = settings.questions.as_ref().map(|file| sha256_file(file)).transpose()?;
    let described = json!({
        "pool": sha256_file(pool.pool().path())?,
        "members": pool.members(),
        "guard": { "name": pool.guard()?, "judge": sha256_bytes(judge) },
        "pairs": settings.pairs,
        "seed": settings.seed,
        "collected": settings.collected,
        "questions": questions,
        "temperature": generation.temperature,
        "max_new_tokens": generation.max_new_tokens,
        "max_asked": generation.max_asked,
        "excluded": tests.excluded.iter().map(BTreeSet::len).collect::<Vec<_>>(),
    });
    Ok(described.as_object().cloned().unwrap_or_default())
}

/// Refuses fewer pairs than wanted, and says whose fault that is.
fn check_enough(
    writer: Option<&str>,
    guard: &str,
    safety: &SafetyData,
    expert: &DomainData,
) -> Result<(), AlignmentError> {
    let kept =
        |stages: &Stages, name| stages.stages.iter().find(|stage| stage.name == name).map_or(0, |stage| stage.kept);
    let stages = &safety.stages;
    if stages.shortfall > 0 {
        let writer = writer.map_or("the questions given".to_owned(), |writer| format!("`{writer}`"));
        let remedy = if kept(stages, StageName::Question) == 0 {
            format!("{writer} wrote no question: check its chat template, its `ask` prompts and generation.questions")
        } else if kept(stages, StageName::UnsafeQuestion) * 20 < kept(stages, StageName::Distinct) {
            format!("`{guard}` calls hardly any question of {writer} unsafe: is it uncensored, or does it refuse?")
        } else if kept(stages, StageName::Answer) == 0 {
            format!("`{guard}` calls no answer safe: name an aligned model as base")
        } else {
            "ask for fewer --pairs, or raise generation.max_asked".into()
        };
        return Err(shortfall("D_safety".into(), stages, remedy));
    }
    if let Some((name, stages)) = expert.stages.iter().find(|(_, stages)| stages.shortfall > 0) {
        let remedy = match kept(stages, StageName::Question) {
            0 => format!("`{name}` asks nothing: check its chat template, its `ask` or topic and generation.questions"),
            _ => "ask for fewer --pairs, or raise generation.max_asked".into(),
        };
        return Err(shortfall(format!("D_expert of {name}"), stages, remedy));
    }
    Ok(())
}

fn shortfall(what: String, stages: &Stages, remedy: String) -> AlignmentError {
    let lost = Stages::lost([stages]);
    let lost: Vec<String> = lost.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    let (wanted, got, asked) = (stages.wanted, stages.kept(), stages.asked());
    AlignmentError::Shortfall { what, wanted, got, asked, lost: lost.join(", "), remedy }
}
