//! A pool: reads its file, and finds what it names when that is asked for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bunch_benchmark::{Catalog, Selection};
use bunch_hub::downloaded;
use bunch_judging::{JudgeFile, PromptFile, PromptSet, RefusalList, SafetyPrompt, read_prompts};
use bunch_recipe::{ModelReference, read_toml};
use bunch_synthesis::{QuestionForm, SafetyCategory};

use crate::pool_file::{DataSplit, PoolFile, SCHEMA};
use crate::{PoolError, TestAndDev, ask_prompts};

/// The name of a pool's file.
pub(crate) const POOL_TOML: &str = "pool.toml";

/// A folder that says who the members are, who judges, and what is asked. Opening reads `pool.toml` and nothing else.
#[derive(Debug, Clone)]
pub struct Pool {
    path: PathBuf,
    folder: PathBuf,
    file: PoolFile,
    /// Where models are looked for too.
    models: Option<PathBuf>,
}

impl Pool {
    /// Opens the pool in the folder `path`, or of the file `path`.
    ///
    /// # Errors
    /// No file; a key or value that does not belong there, with line, column and the key that was meant.
    pub fn open(path: &Path) -> Result<Self, PoolError> {
        let path = if path.is_dir() { path.join(POOL_TOML) } else { path.to_owned() };
        let text = std::fs::read_to_string(&path).map_err(|source| PoolError::Read { path: path.clone(), source })?;
        let file: PoolFile = read_toml(&path, &text)?;
        let value = |key, expected: String, got: String| PoolError::Value { path: path.clone(), key, expected, got };
        if file.schema != SCHEMA {
            return Err(value("schema", SCHEMA.to_string(), file.schema.to_string()));
        }
        if file.generation.max_new_tokens == 0 {
            return Err(value("generation.max_new_tokens", "at least 1".into(), "0".into()));
        }
        if file.generation.max_asked == 0 {
            return Err(value("generation.max_asked", "at least 1".into(), "0".into()));
        }
        if !(0.0..=100.0).contains(&file.generation.temperature) {
            let got = file.generation.temperature.to_string();
            return Err(value("generation.temperature", "a number from 0 to 100".into(), got));
        }
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        Ok(Self { path, folder, file, models: None })
    }

    /// The same pool, whose models are looked for below the folder `models` too, as in `models/org/name`.
    pub fn with_models(self, models: &Path) -> Self {
        Self { models: Some(models.to_owned()), ..self }
    }

    /// Its `pool.toml`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What `pool.toml` says.
    pub fn file(&self) -> &PoolFile {
        &self.file
    }

    /// A file that the pool names, seen from its folder.
    pub fn place(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    /// Whether a member or a helper is called `name`.
    pub fn has_model(&self, name: &str) -> bool {
        self.file.members.contains_key(name) || self.file.helpers.contains_key(name)
    }

    /// Where the model of the member or helper `name` is: a folder or a GGUF file.
    ///
    /// # Errors
    /// No such name, a helper without a model, or a model that is not there.
    pub fn model(&self, name: &str) -> Result<PathBuf, PoolError> {
        if let Some(member) = self.file.members.get(name) {
            return self.find_model(&format!("member.{name}.model"), &member.model);
        }
        let Some(helper) = self.file.helpers.get(name) else {
            let known = self.file.members.keys().chain(self.file.helpers.keys()).cloned().collect();
            return Err(self.unknown("model", name, known));
        };
        match &helper.model {
            Some(model) => self.find_model(&format!("helper.{name}.model"), model),
            None => Err(self.lacking(format!("helper `{name}`"), "model")),
        }
    }

    /// How the helper `name` judges.
    ///
    /// # Errors
    /// No such helper, one that does not judge, or a judge's file or template that is missing or wrong.
    pub fn judge(&self, name: &str) -> Result<JudgeFile, PoolError> {
        let Some(helper) = self.file.helpers.get(name) else {
            return Err(self.unknown("helper", name, self.file.helpers.keys().cloned().collect()));
        };
        match &helper.judge {
            Some(judge) if is_definition(judge) => Ok(JudgeFile::load(&self.place(judge))?),
            Some(judge) => Ok(JudgeFile::builtin(judge)?),
            None => Err(self.lacking(format!("helper `{name}`"), "judge")),
        }
    }

    /// The prompts `name` for `split`. Published sets are looked for in the folder `data`.
    ///
    /// # Errors
    /// No such prompts, or a file that is missing or wrong.
    pub fn prompts(&self, name: &str, split: DataSplit, data: Option<&Path>) -> Result<PromptFile, PoolError> {
        let source = self.source("set of prompts", &self.file.prompts, name, split)?;
        if Path::new(source).extension().is_none() {
            return Ok(PromptSet::builtin(source)?.read(data)?);
        }
        let path = self.place(source);
        Ok(PromptFile { prompts: read_prompts(&path)?, path })
    }

    /// The task `name` for `split`, as [`Catalog::select`] takes it: a name, or a file's path.
    ///
    /// # Errors
    /// No such task.
    pub fn task(&self, name: &str, split: DataSplit) -> Result<String, PoolError> {
        let source = self.source("task", &self.file.tasks, name, split)?;
        let is_file = is_definition(source);
        Ok(if is_file { self.place(source).display().to_string() } else { source.to_owned() })
    }

    /// The task `name` for `split`; several tasks if it is a group.
    ///
    /// # Errors
    /// No such task, or a task file that is missing or wrong.
    pub fn selection(&self, name: &str, split: DataSplit) -> Result<Selection, PoolError> {
        Ok(Catalog::builtin()?.select(&[&self.task(name, split)?])?)
    }

    /// Categories of harm, each with the message that asks the helper `writer` for an unsafe question: its own prompts, or
    /// BeaverTails' 14 where it has none.
    ///
    /// # Errors
    /// No such helper, or a file that is missing or wrong.
    pub fn categories(&self, writer: &str) -> Result<Vec<SafetyCategory>, PoolError> {
        if self.file.helpers.get(writer).is_some_and(|helper| helper.ask.is_none()) {
            return Ok(ask_prompts::categories(&self.question_form()?));
        }
        let category = |prompt: SafetyPrompt| SafetyCategory {
            ask_prompt: prompt.request(),
            name: prompt.category.unwrap_or_else(|| prompt.line.to_string()),
        };
        Ok(self.ask(writer)?.into_iter().map(category).collect())
    }

    /// The message that asks the member `expert` for a question of its field: one about its topic, or its first prompt.
    ///
    /// # Errors
    /// No such member, one without `topic` and `ask`, or a file that is missing, wrong or empty.
    pub fn ask_prompt(&self, expert: &str) -> Result<String, PoolError> {
        if let Some(topic) = self.file.members.get(expert).and_then(|member| member.topic.as_ref()) {
            return Ok(ask_prompts::of_topic(topic, &self.question_form()?));
        }
        let first = self.ask(expert)?.first().map(SafetyPrompt::request);
        first.ok_or_else(|| PoolError::Value {
            path: self.path.clone(),
            key: "ask",
            expected: format!("a prompt that `{expert}` is asked with, or a topic"),
            got: "an empty file".into(),
        })
    }

    /// The prompts that the member or helper `name` is asked with for questions.
    ///
    /// # Errors
    /// No such name, one without `ask`, or a file that is missing or wrong.
    pub fn ask(&self, name: &str) -> Result<Vec<SafetyPrompt>, PoolError> {
        let (file, helper) = (&self.file, self.file.helpers.get(name));
        let ask = file.members.get(name).map(|member| &member.ask).or(helper.map(|helper| &helper.ask));
        self.prompts_of(name, "ask", ask)
    }

    /// The questions that people asked instead of the member or helper `name`.
    ///
    /// # Errors
    /// No such name, one without `questions`, or a file that is missing or wrong.
    pub fn questions(&self, name: &str) -> Result<Vec<SafetyPrompt>, PoolError> {
        let (file, helper) = (&self.file, self.file.helpers.get(name));
        let questions = file.members.get(name).map(|member| &member.questions);
        self.prompts_of(name, "questions", questions.or(helper.map(|helper| &helper.questions)))
    }

    fn prompts_of(
        &self,
        name: &str,
        key: &'static str,
        file: Option<&Option<String>>,
    ) -> Result<Vec<SafetyPrompt>, PoolError> {
        let known = || self.file.members.keys().chain(self.file.helpers.keys()).cloned().collect();
        match file.ok_or_else(|| self.unknown("model", name, known()))? {
            Some(file) => Ok(read_prompts(&self.place(file))?),
            None => Err(self.lacking(format!("`{name}`"), key)),
        }
    }

    /// How a question is recognised in what a model wrote.
    ///
    /// # Errors
    /// No such form, or a file that is missing or wrong.
    pub fn question_form(&self) -> Result<QuestionForm, PoolError> {
        Ok(QuestionForm::find(&self.file.generation.questions, &self.folder)?)
    }

    /// How answers to benign prompts are recognised that decline.
    ///
    /// # Errors
    /// The pool does not say, or names a list that is missing or wrong.
    pub fn refusals(&self) -> Result<RefusalList, PoolError> {
        match &self.file.refusals {
            Some(list) if is_definition(list) => Ok(RefusalList::load(&self.place(list))?),
            Some(list) => Ok(RefusalList::builtin(list)?),
            None => Err(self.lacking("the pool".into(), "refusals")),
        }
    }

    /// Where the pairs of a better and a worse answer are.
    ///
    /// # Errors
    /// The pool has none.
    pub fn preferences(&self) -> Result<PathBuf, PoolError> {
        self.file
            .preferences
            .as_ref()
            .map(|file| self.place(file))
            .ok_or_else(|| self.lacking("the pool".into(), "preferences"))
    }

    fn lacking(&self, place: String, key: &'static str) -> PoolError {
        PoolError::Lacking { path: self.path.clone(), place, key }
    }

    fn source<'a>(
        &self,
        kind: &'static str,
        sources: &'a BTreeMap<String, TestAndDev>,
        name: &str,
        split: DataSplit,
    ) -> Result<&'a str, PoolError> {
        let source = sources.get(name).ok_or_else(|| self.unknown(kind, name, sources.keys().cloned().collect()))?;
        let path = self.path.clone();
        let missing = || PoolError::NoSplit { path, kind, name: name.to_owned(), split: split.name() };
        source.of(split).ok_or_else(missing)
    }

    fn find_model(&self, place: &str, model: &str) -> Result<PathBuf, PoolError> {
        let path = self.place(model);
        let elsewhere = self.models.iter().map(|models| models.join(model));
        if let Some(found) = [path.clone()].into_iter().chain(elsewhere).find(|path| path.exists()) {
            return Ok(found);
        }
        let missing = |expected: &str, got: String, remedy: String| PoolError::NoModel {
            place: format!("{}: {place}", self.path.display()),
            expected: expected.into(),
            got,
            remedy,
        };
        let kinds = "a folder, a GGUF file or org/name@revision";
        let reference = ModelReference::parse(model)
            .map_err(|expected| missing(kinds, format!("`{model}`"), format!("write {expected}")))?;
        if reference.lora.is_some() {
            let remedy = "merge the adapter into its model first: bunch merge";
            return Err(missing("a whole model", format!("`{model}` with an adapter"), remedy.into()));
        }
        if let Some(folder) = downloaded(&reference.path, reference.revision.as_deref()) {
            return Ok(folder);
        }
        let is_repository = match model.split('/').collect::<Vec<_>>()[..] {
            [organisation, name] => {
                !organisation.starts_with('.') && !name.ends_with(".gguf") && !self.place(organisation).is_dir()
            }
            _ => false,
        };
        let revision = reference.revision.map(|revision| format!(" --revision {revision}")).unwrap_or_default();
        let remedy = if is_repository {
            format!(
                "fetch it: bunch fetch {}{revision} --out {}, or correct the path",
                reference.path,
                self.models.as_deref().unwrap_or(&self.folder).join(&reference.path).display()
            )
        } else {
            "correct the path, which is seen from the pool's folder".into()
        };
        Err(missing(kinds, format!("nothing at {}", path.display()), remedy))
    }

    fn unknown(&self, kind: &'static str, name: &str, known: Vec<String>) -> PoolError {
        PoolError::Unknown { path: self.path.clone(), kind, got: name.to_owned(), known }
    }
}

/// Whether a name that a pool gives means a TOML file.
fn is_definition(name: &str) -> bool {
    name.ends_with(".toml")
}
