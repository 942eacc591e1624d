//! `bunch evolve`: the best merge of a pool's members by a strategy, as a recipe.

use std::fs;
use std::path::PathBuf;

use bunch_checkpoint::{Checkpoint, atomic_write, remove_partial_files};
use bunch_evolution::{Environment, Found, Fronts, Goal, GoalQuantity, Members};
use bunch_pool::DataSplit;
use bunch_progress::Progress;
use serde_json::{Map, Value, json};

use crate::data_folder::pretty;
use crate::evaluation_journal::EvaluationJournal;
use crate::recipe_file::recipe_file;
use crate::search_objective::{NoTrainer, SearchObjective};
use crate::{AlignmentError, DataFolder, OpenPool, StrategyChoice, convergence};

/// How a merge is searched, and where that is kept.
#[derive(Debug, Clone)]
pub struct EvolutionSettings {
    /// The strategy.
    pub strategy: StrategyChoice,
    /// The folder of generated data, for strategies that look at some.
    pub data: Option<PathBuf>,
    /// Tasks whose dev accuracy selects among merges; all that have dev questions and are no part of another unless given.
    pub tasks: Option<Vec<String>>,
    /// Seed of all random choices.
    pub seed: u64,
    /// Keys the random streams.
    pub name: String,
    /// The folder of the search.
    pub out: PathBuf,
    /// Whether another search in the folder is replaced.
    pub replace: bool,
}

/// A search that has ended.
#[derive(Debug)]
pub struct EvolutionOutcome {
    /// Coefficients and losses of the best merge, and all that were evaluated.
    pub found: Found,
    /// The recipe's file.
    pub recipe: PathBuf,
    /// Candidates that were evaluated.
    pub evaluated: usize,
}

/// Searches the best merge of a pool's members and writes its recipe. Every evaluation is kept as it comes: a search that was
/// stopped goes on, and one with more evaluations goes further.
///
/// # Errors
/// Settings that cannot be searched, another search in the folder, members that differ in shape, losses that are not numbers.
pub fn evolve(
    pool: &OpenPool<'_>,
    settings: &EvolutionSettings,
    progress: &dyn Progress,
) -> Result<EvolutionOutcome, AlignmentError> {
    let experts = pool.experts().len();
    let strategy = settings.strategy.strategy(experts)?;
    let wanted = settings.strategy.goal.iter().flat_map(Goal::quantities).collect::<Vec<_>>();
    let named = named_tasks(pool, &wanted)?;
    let data = match (&settings.data, strategy.data()) {
        (_, []) => None,
        (Some(folder), _) => Some(DataFolder::read(folder)?),
        (None, _) => {
            let expected = "the folder that bunch synthesize wrote".into();
            return Err(AlignmentError::Setting { option: "--data", expected, got: "none".into() });
        }
    };
    let cost = strategy.cost(experts);
    let selects = cost.dev_accuracies > 0 || wanted.contains(&&GoalQuantity::Accuracy);
    let tasks = if selects { tasks(pool, settings)? } else { Vec::new() };
    let identity = identity(pool, settings, data.as_ref(), &tasks)?;
    fs::create_dir_all(&settings.out).map_err(AlignmentError::io(&settings.out))?;
    let path = settings.out.join("evaluations.jsonl");
    let journal = EvaluationJournal::open(&path, &identity, settings.replace, progress)?;
    remove_partial_files(&settings.out)?;
    let objective = SearchObjective::new(pool, data.as_ref(), &tasks, &named)?;
    check_memory(pool, progress)?;
    let members = members(pool)?;
    let environment = Environment {
        members: &members,
        objective: &objective,
        trainer: &NoTrainer,
        fronts: &Fronts::default(),
        evaluations: &journal,
        seed: settings.seed,
        recipe_only: true,
    };
    progress.begin("evolving", cost.candidates as u64, 0);
    let model = strategy.find(&environment, &settings.name, &mut || progress.advance(1))?;

    let seen = journal.seen();
    let Some(merge) = &model.merge else {
        return Err(AlignmentError::Setting {
            option: "--strategy",
            expected: "one whose merge has a recipe".into(),
            got: strategy.summary(),
        });
    };
    let recipe = recipe_file(merge, pool, settings.seed)?;
    if let Some(why) = &recipe.why_not_mergekit {
        progress.note(&format!("the recipe is {}, which bunch merge reads and mergekit does not: {why}", recipe.name));
    }
    let mut described = identity;
    described.insert("evaluations".into(), seen.len().into());
    described.insert("best".into(), json!(model.found.detail));
    described.insert("recipe".into(), recipe.name.into());
    if let Some((name, figure)) = convergence::figure(&seen) {
        atomic_write(&settings.out.join(format!("{name}.svg")), figure.svg()?.as_bytes())?;
        atomic_write(&settings.out.join(format!("{name}.png")), &figure.png()?)?;
    }
    let path = settings.out.join(recipe.name);
    atomic_write(&path, recipe.text.as_bytes())?;
    atomic_write(&settings.out.join("search.json"), pretty(&described.into()).as_bytes())?;
    Ok(EvolutionOutcome { found: model.found, recipe: path, evaluated: seen.len() })
}

/// What evaluations follow from. How many there are to be is left out: a longer search goes on where a shorter one ended.
fn identity(
    pool: &OpenPool<'_>,
    settings: &EvolutionSettings,
    data: Option<&DataFolder>,
    tasks: &[String],
) -> Result<Map<String, Value>, AlignmentError> {
    let one = StrategyChoice { evaluations: 100, ..settings.strategy.clone() };
    let mut strategy = serde_json::to_value(one.strategy(pool.experts().len())?).expect("plain data");
    for settings in strategy.as_object_mut().into_iter().flat_map(Map::values_mut).filter_map(Value::as_object_mut) {
        settings.remove("evaluations");
    }
    let identity = json!({
        "bunch": env!("CARGO_PKG_VERSION"),
        "models": pool.fingerprints(pool.members().iter().map(String::as_str))?,
        "members": pool.members(),
        "data": data.map(|data| &data.sha256),
        "tasks": tasks,
        "strategy": strategy,
        "seed": settings.seed,
        "name": settings.name,
    });
    Ok(identity.as_object().cloned().unwrap_or_default())
}

/// The tasks that select: those named, or all with dev questions that are no part of another, as `task/part` is.
fn tasks(pool: &OpenPool<'_>, settings: &EvolutionSettings) -> Result<Vec<String>, AlignmentError> {
    if let Some(tasks) = &settings.tasks {
        return Ok(tasks.clone());
    }
    let known = pool.pool().file().tasks.iter().filter(|(name, _)| !name.contains('/'));
    let tasks: Vec<String> =
        known.filter(|(_, task)| task.of(DataSplit::Dev).is_some()).map(|(name, _)| name.clone()).collect();
    if tasks.is_empty() {
        return Err(AlignmentError::Unfit {
            path: pool.pool().path().to_owned(),
            expected: "a task with dev questions, by which a grid selects".into(),
            got: "none".into(),
            remedy: "add one below [tasks], or search with --strategy evomm".into(),
        });
    }
    Ok(tasks)
}

/// The tasks that a goal names, and nothing else that it wants and the pool lacks: found out before any merge.
fn named_tasks(pool: &OpenPool<'_>, wanted: &[&GoalQuantity]) -> Result<Vec<String>, AlignmentError> {
    let known = &pool.pool().file().tasks;
    let mut named = Vec::new();
    for quantity in wanted {
        match quantity {
            GoalQuantity::Alignment => drop((pool.guard()?, pool.prompts("harmful", DataSplit::Dev)?)),
            GoalQuantity::OverRefusal => drop((pool.pool().refusals()?, pool.prompts("benign", DataSplit::Dev)?)),
            GoalQuantity::Task(task) if !known.contains_key(task) => {
                let tasks = known.keys().map(String::as_str).filter(|name| !name.contains('/')).collect::<Vec<_>>();
                return Err(AlignmentError::Setting {
                    option: "--keep, --maximize, --minimize",
                    expected: format!(
                        "loss, loss_safety, loss_expert, alignment, over_refusal, accuracy, or a task of the pool ({})",
                        tasks.join(", ")
                    ),
                    got: format!("`{task}`"),
                });
            }
            GoalQuantity::Task(task) => named.push(task.clone()),
            GoalQuantity::Loss | GoalQuantity::LossSafety | GoalQuantity::LossExpert | GoalQuantity::Accuracy => {}
        }
    }
    Ok(named)
}

/// Refuses a search that does not fit into memory, before anything is loaded: one candidate as it is read, in the dtypes of the
/// base. The members stay in their files; what they take there should fit beside it into the operating system's cache, or
/// every merge reads them from the disk again, which is noted.
fn check_memory(pool: &OpenPool<'_>, progress: &dyn Progress) -> Result<(), AlignmentError> {
    let loader = pool.loader();
    let candidate = loader.memory_need(&pool.pool().model(pool.base())?).map_err(AlignmentError::load(pool.base()))?;
    loader.check_memory(pool.pool().path(), candidate).map_err(AlignmentError::load("the search"))?;
    let mut stored = 0;
    for name in pool.members() {
        for file in Checkpoint::open(&pool.pool().model(name)?)?.weight_files() {
            stored += fs::metadata(file).map_err(AlignmentError::io(file))?.len();
        }
    }
    if let Some(available) = loader.available_memory().filter(|&available| available < candidate + stored) {
        let gibibytes = |bytes: u64| bytes as f64 / f64::from(1 << 30);
        progress.note(&format!(
            "a candidate needs {:.1} GiB of memory, and the members' files have {:.1} GiB; with {:.1} GiB available every merge \
             reads from the disk again",
            gibibytes(candidate),
            gibibytes(stored),
            gibibytes(available)
        ));
    }
    Ok(())
}

/// The members in their files.
fn members(pool: &OpenPool<'_>) -> Result<Members, AlignmentError> {
    let open = |name: &String| Ok(Checkpoint::open(&pool.pool().model(name)?)?);
    let mut models = pool.members().iter().map(open).collect::<Result<Vec<_>, AlignmentError>>()?;
    let base = models.remove(0);
    Ok(Members::stored(base, models)?)
}
