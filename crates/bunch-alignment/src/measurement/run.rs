//! A measurement from the pool to its reports.

use std::fs;
use std::path::{Path, PathBuf};

use bunch_checkpoint::{atomic_write, remove_partial_files};
use bunch_judging::Exchange;
use bunch_progress::Progress;

use super::answers::{Asking, PromptsToAsk};
use super::card::{is_merge_card, measured_card};
use super::measured_sets::{MeasuredSets, SetChoice};
use super::page::measured_page;
use super::{AskedModel, MeasuredRole, Measurement};
use crate::guard_check::check_guard;
use crate::{AlignmentError, LazyModel, OpenPool};

/// A model card's name.
const CARD: &str = "README.md";

/// The folder of journals: what each model answered and each judge said.
const ANSWERS: &str = "answers";

/// What is measured, and where to.
#[derive(Debug, Clone)]
pub struct MeasureSettings {
    /// The merge: a folder, or a GGUF file.
    pub merged: PathBuf,
    /// Folder of answers and reports.
    pub out: PathBuf,
    /// The helper that judges a second time, or `none`; any that judges unless given.
    pub second_judge: Option<String>,
    /// The pool's tasks that are asked; all that are no parts of others unless given.
    pub tasks: Vec<String>,
    /// The first so many prompts of each set and documents of each task.
    pub limit: Option<usize>,
    /// Whether the card in the merge's folder stays as it is.
    pub keep_card: bool,
    /// Whether the answers of other models in the folder are replaced.
    pub replace: bool,
}

/// What was measured, and written.
#[derive(Debug)]
pub struct MeasureOutcome {
    /// The numbers.
    pub measurement: Measurement,
    /// Reports that were written.
    pub files: Vec<PathBuf>,
}

/// A model that is measured.
struct Subject {
    name: String,
    role: MeasuredRole,
    source: String,
    path: PathBuf,
    fingerprint: String,
}

/// Asks the merge and every member of `pool` the same prompts and tasks, has the answers judged, and writes `results.json`, the
/// model card `README.md` and `page.html`. What was stopped goes on where it was, and ends with the same bytes.
///
/// # Errors
/// A pool that lacks what is asked, models, judges or data that fail, answers of another run in the folder.
pub fn measure(
    pool: &OpenPool<'_>,
    settings: &MeasureSettings,
    progress: &dyn Progress,
) -> Result<MeasureOutcome, AlignmentError> {
    let choice =
        SetChoice { second_judge: settings.second_judge.as_deref(), tasks: &settings.tasks, limit: settings.limit };
    let sets = MeasuredSets::find(pool, &choice)?;
    let subjects = subjects(pool, settings)?;
    // Before the first answer: a measurement that goes on has been told.
    if !settings.out.join(ANSWERS).exists() {
        note_unfit_guards(pool, &sets, progress)?;
    }
    let mut models = Vec::new();
    let count = subjects.len();
    for (index, subject) in subjects.into_iter().enumerate() {
        let label = format!("{} ({} of {count})", subject.name, index + 1);
        models.push(asked(pool, settings, &sets, subject, label, progress)?);
    }
    for (name, judge) in &sets.judges {
        // A rule of words asks no model: it is identified by its file alone, and never asked as one.
        let (path, fingerprint) = match judge.tokenizer {
            Some(_) => {
                let path = pool.pool().model(name)?;
                let fingerprint = pool.loader().fingerprint(&path).map_err(AlignmentError::load(name))?;
                (path, fingerprint)
            }
            None => (PathBuf::new(), "a rule of words".into()),
        };
        let lazy = LazyModel::new(name, path, pool.loader());
        for (index, model) in models.iter_mut().enumerate() {
            let prompts = sets.asked.harmful.iter().zip(&model.harmful);
            let exchanges: Vec<(usize, Exchange)> =
                prompts.map(|(prompt, answer)| (prompt.line, prompt.exchange(&answer.text))).collect();
            let folder = folder(settings, model.role, &model.name);
            let label = format!("{name} ({} of {count})", index + 1);
            let (fingerprint, replace) = (&fingerprint, settings.replace);
            let asking = Asking { name, label, model: &lazy, fingerprint, folder, replace, progress };
            model.judgements.push(asking.judge(judge, &exchanges, &model.name)?);
        }
    }
    remove_partial_files(&settings.out)?;
    let measurement = Measurement::new(&sets.asked, &models)?;
    let page = measured_page(&measurement, &sets.asked, &models);
    let files = write(settings, &measurement, &page)?;
    Ok(MeasureOutcome { measurement, files })
}

/// Notes guards that cannot tell harmful requests from benign ones, before hours of work rest on them.
fn note_unfit_guards(pool: &OpenPool<'_>, sets: &MeasuredSets, progress: &dyn Progress) -> Result<(), AlignmentError> {
    for (name, judge) in sets.judges.iter().filter(|(_, judge)| judge.tokenizer.is_some()) {
        let model = pool.model(name)?;
        match check_guard(pool, name, &*judge.asking(&model)?) {
            Err(unfit @ AlignmentError::Unfit { .. }) => progress.note(&unfit.to_string()),
            checked => checked?,
        }
    }
    Ok(())
}

/// The merge, then the members, the base first.
fn subjects(pool: &OpenPool<'_>, settings: &MeasureSettings) -> Result<Vec<Subject>, AlignmentError> {
    let fingerprint = |name: &str, path: &Path| pool.loader().fingerprint(path).map_err(AlignmentError::load(name));
    let path = settings.merged.clone();
    // `merged/.` and `..` have no name of their own.
    let place = fs::canonicalize(&path).map_err(AlignmentError::io(&path))?;
    let source = place.file_name().map_or_else(|| "merge".into(), |name| name.to_string_lossy().into_owned());
    let name = if pool.pool().has_model(&source) { format!("{source} (merge)") } else { source.clone() };
    let fingerprint_of_merge = fingerprint(&name, &path)?;
    let merge = Subject { name, role: MeasuredRole::Merge, source, path, fingerprint: fingerprint_of_merge };
    let mut subjects = vec![merge];
    for name in pool.members() {
        let path = pool.pool().model(name)?;
        let role = if name == pool.base() { MeasuredRole::Base } else { MeasuredRole::Member };
        let (source, fingerprint) = (pool.pool().file().members[name].model.clone(), fingerprint(name, &path)?);
        subjects.push(Subject { name: name.clone(), role, source, path, fingerprint });
    }
    Ok(subjects)
}

/// Where a model's answers are kept.
fn folder(settings: &MeasureSettings, role: MeasuredRole, name: &str) -> PathBuf {
    let answers = settings.out.join(ANSWERS);
    match role {
        MeasuredRole::Merge => answers.join("merge"),
        // A member may be called `merge` too.
        _ => answers.join("members").join(name.replace(['/', '\\'], "-")),
    }
}

/// What one model answers.
fn asked(
    pool: &OpenPool<'_>,
    settings: &MeasureSettings,
    sets: &MeasuredSets,
    subject: Subject,
    label: String,
    progress: &dyn Progress,
) -> Result<AskedModel, AlignmentError> {
    let Subject { name, role, source, path, fingerprint } = subject;
    let chat = pool.chat_at(&path)?;
    // Its memory is free again before the next one is loaded.
    let lazy = LazyModel::new(&name, path, pool.loader());
    let folder = folder(settings, role, &name);
    let replace = settings.replace;
    let asking = Asking { name: &name, label, model: &lazy, fingerprint: &fingerprint, folder, replace, progress };
    let max_new_tokens = sets.asked.max_new_tokens;
    let respond = |set, file, prompts| asking.respond(&PromptsToAsk { set, file, prompts, max_new_tokens }, &chat);
    let harmful = respond("harmful", &sets.harmful, &sets.asked.harmful)?;
    let benign = match &sets.asked.benign[..] {
        [] => Vec::new(),
        prompts => respond("benign", &sets.benign, prompts)?,
    };
    let mut tasks = Vec::new();
    for (task, selection) in sets.asked.tasks.iter().zip(&sets.tasks) {
        tasks.push(asking.solve(task, selection, &chat, pool.task_options(settings.limit))?);
    }
    Ok(AskedModel { name, role, source, fingerprint, harmful, judgements: Vec::new(), benign, tasks })
}

/// Writes the reports, and the card to the merge's folder too if `bunch merge` made the one that is there.
fn write(settings: &MeasureSettings, measurement: &Measurement, page: &str) -> Result<Vec<PathBuf>, AlignmentError> {
    let place = settings.merged.join(CARD);
    let there = fs::read_to_string(&place).ok();
    let card = measured_card(measurement, there.as_deref());
    let mut files = vec![
        (settings.out.join("results.json"), measurement.json()),
        (settings.out.join("page.html"), page.to_owned()),
        (settings.out.join(CARD), card.clone()),
    ];
    if !settings.keep_card && there.is_some_and(|card| is_merge_card(&card)) {
        files.push((place, card));
    }
    files
        .into_iter()
        .map(|(path, text)| {
            atomic_write(&path, text.as_bytes())?;
            Ok(path)
        })
        .collect()
}
