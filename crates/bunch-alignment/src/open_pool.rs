//! A pool whose models are loaded when they are asked something.

use std::path::{Path, PathBuf};

use bunch_benchmark::{Options, PreparedTasks, questions};
use bunch_checkpoint::Checkpoint;
use bunch_judging::{PromptFile, SafetyPrompt};
use bunch_lm::{AddBos, TemplateChat, Tokenizer};
use bunch_pool::{DataSplit, Pool};
use serde_json::{Map, Value};

use crate::{AlignmentError, LazyModel, Loader, PoolJudge};

/// The helper that judges unless another is named.
const GUARD: &str = "guard";

/// The helper that writes unsafe questions unless another is named.
const UNCENSORED: &str = "uncensored";

/// What of a pool is used.
#[derive(Debug, Clone, Default)]
pub struct PoolChoice {
    /// The members that are merged with the base, in that order; all unless given.
    pub experts: Vec<String>,
    /// The helper that judges; `guard`, or the only one that judges, unless given.
    pub guard: Option<String>,
    /// The helper that writes unsafe questions; `uncensored`, or the only one with `ask`, unless given.
    pub uncensored: Option<String>,
    /// Folder of published prompts and data sets.
    pub data: Option<PathBuf>,
}

/// A pool whose models are loaded when they are asked something.
pub struct OpenPool<'a> {
    pool: Pool,
    choice: PoolChoice,
    loader: &'a dyn Loader,
    /// The base first.
    members: Vec<String>,
    chat: TemplateChat,
}

impl<'a> OpenPool<'a> {
    /// Opens the pool at `path`. Reads tokenizers and no weights.
    ///
    /// # Errors
    /// A pool or tokenizer that cannot be read, an expert that is no member, members that write chats in different ways.
    pub fn open(path: &Path, choice: PoolChoice, loader: &'a dyn Loader) -> Result<Self, AlignmentError> {
        let pool = Pool::open(path)?;
        let base = pool.file().base.clone();
        let known: Vec<&String> = pool.file().members.keys().filter(|name| **name != base).collect();
        let chosen: Vec<&String> =
            if choice.experts.is_empty() { known.clone() } else { choice.experts.iter().collect() };
        for (index, name) in chosen.iter().enumerate() {
            if !known.contains(name) || chosen[..index].contains(name) {
                let known = known.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
                let expected = format!("different members besides the base, of {known}");
                return Err(AlignmentError::Setting { option: "--members", expected, got: format!("`{name}`") });
            }
        }
        if chosen.is_empty() {
            return Err(AlignmentError::Unfit {
                path: pool.path().to_owned(),
                expected: "a member to merge with the base".into(),
                got: "none".into(),
                remedy: "add [member.NAME]".into(),
            });
        }
        let members: Vec<String> = std::iter::once(&base).chain(chosen).cloned().collect();
        let chat = TemplateChat::new(tokenizer(&pool, &base)?, pool.file().generation.system.clone());
        let open = Self { pool, choice, loader, members, chat };
        open.check_chats()?;
        Ok(open)
    }

    /// Members that are merged must read a message as the same tokens: a merge has one template.
    fn check_chats(&self) -> Result<(), AlignmentError> {
        let expected = self.chat.render("?")?;
        for name in self.experts() {
            let chat = self.chat_of(name)?;
            let got = chat.render("?")?;
            let (ours, theirs) = (self.chat.tokenizer(), chat.tokenizer());
            let alike = got == expected
                && ours.stop_tokens() == theirs.stop_tokens()
                && ours.encode(&got, AddBos::Never)? == theirs.encode(&got, AddBos::Never)?;
            if !alike {
                return Err(AlignmentError::Unfit {
                    path: self.pool.model(name)?,
                    expected: format!("the chat template and tokens of {}, {expected:?}", self.base()),
                    got: format!("{got:?} in {name}"),
                    remedy: "members that are merged must share a chat template".into(),
                });
            }
        }
        Ok(())
    }

    /// What the pool says.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// How models are loaded.
    pub fn loader(&self) -> &'a dyn Loader {
        self.loader
    }

    /// The members that are merged, the base first.
    pub fn members(&self) -> &[String] {
        &self.members
    }

    /// The base.
    pub fn base(&self) -> &str {
        &self.members[0]
    }

    /// The members that are merged with the base.
    pub fn experts(&self) -> &[String] {
        &self.members[1..]
    }

    /// How members and merges are talked to.
    pub fn chat(&self) -> &TemplateChat {
        &self.chat
    }

    /// How the member or helper `name` is talked to.
    pub fn chat_of(&self, name: &str) -> Result<TemplateChat, AlignmentError> {
        self.chat_at(&self.pool.model(name)?)
    }

    /// How the model at `path` is talked to, which need not be the pool's.
    pub(crate) fn chat_at(&self, path: &Path) -> Result<TemplateChat, AlignmentError> {
        Ok(TemplateChat::new(tokenizer_at(path)?, self.pool.file().generation.system.clone()))
    }

    /// Upper limit on the tokens of an answer.
    pub fn max_new_tokens(&self) -> usize {
        self.pool.file().generation.max_new_tokens as usize
    }

    /// The member or helper `name`, loaded when it is first asked something.
    pub fn model(&self, name: &str) -> Result<LazyModel<'a>, AlignmentError> {
        Ok(LazyModel::new(name, self.pool.model(name)?, self.loader))
    }

    /// What identifies each of these members and helpers; those without a model are left out.
    pub fn fingerprints<'n>(
        &self,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Result<Map<String, Value>, AlignmentError> {
        let mut fingerprints = Map::new();
        for name in names.into_iter().filter(|name| self.has_model(name)) {
            let fingerprint = self.loader.fingerprint(&self.pool.model(name)?);
            fingerprints.insert(name.to_owned(), fingerprint.map_err(AlignmentError::load(name))?.into());
        }
        Ok(fingerprints)
    }

    fn has_model(&self, name: &str) -> bool {
        self.pool.file().helpers.get(name).is_none_or(|helper| helper.model.is_some())
    }

    /// The helper that judges.
    ///
    /// # Errors
    /// None, or several of which none is called `guard`.
    pub fn guard(&self) -> Result<&str, AlignmentError> {
        let judges = self.pool.file().helpers.iter().filter(|(_, helper)| helper.judge.is_some());
        self.helper(("--guard", self.choice.guard.as_deref(), GUARD), judges.map(|(name, _)| name.as_str()), "judge")
    }

    /// The helper that writes unsafe questions.
    ///
    /// # Errors
    /// None, or several of which none is called `uncensored`.
    pub fn uncensored(&self) -> Result<&str, AlignmentError> {
        let named = self.choice.uncensored.as_deref();
        let writers = self.pool.file().helpers.iter();
        let writers =
            writers.filter(|(name, helper)| helper.ask.is_some() || *name == UNCENSORED || named == Some(name));
        self.helper(("--uncensored", named, UNCENSORED), writers.map(|(name, _)| name.as_str()), "ask")
    }

    fn helper<'n>(
        &'n self,
        (option, named, usual): (&'static str, Option<&str>, &str),
        known: impl Iterator<Item = &'n str>,
        key: &str,
    ) -> Result<&'n str, AlignmentError> {
        let known: Vec<&str> = known.collect();
        let names = || if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        if let Some(named) = named {
            let found = known.iter().find(|name| **name == named);
            let expected = || format!("a helper with `{key}`, of {}", names());
            return found.copied().ok_or_else(|| AlignmentError::Setting {
                option,
                expected: expected(),
                got: format!("`{named}`"),
            });
        }
        match (known.iter().find(|name| **name == usual), &known[..]) {
            (Some(name), _) | (None, [name]) => Ok(name),
            _ => Err(AlignmentError::Unfit {
                path: self.pool.path().to_owned(),
                expected: format!("a helper `{usual}` with `{key}`"),
                got: names(),
                remedy: format!("add [helper.{usual}], or name one by {option}"),
            }),
        }
    }

    /// The helper `name`, which judges.
    pub fn judge(&self, name: &str) -> Result<PoolJudge, AlignmentError> {
        let file = self.pool.judge(name)?;
        let tokenizer = if file.rule().is_none() { Some(tokenizer(&self.pool, name)?) } else { None };
        Ok(PoolJudge { file, tokenizer })
    }

    /// The prompts of a set, in order.
    pub fn prompts(&self, set: &str, split: DataSplit) -> Result<Vec<SafetyPrompt>, AlignmentError> {
        Ok(self.prompt_file(set, split)?.prompts)
    }

    /// The prompts of a set with their file.
    pub(crate) fn prompt_file(&self, set: &str, split: DataSplit) -> Result<PromptFile, AlignmentError> {
        Ok(self.pool.prompts(set, split, self.choice.data.as_deref())?)
    }

    /// How tasks are asked.
    pub(crate) fn task_options(&self, limit: Option<usize>) -> Options {
        Options {
            limit,
            data_dir: self.choice.data.clone(),
            add_bos: AddBos::Never,
            apply_chat_template: true,
            system_instruction: self.pool.file().generation.system.clone(),
            ..Options::default()
        }
    }

    /// The questions of a task, in order.
    pub fn questions(&self, task: &str, split: DataSplit) -> Result<Vec<String>, AlignmentError> {
        Ok(questions(&self.pool.selection(task, split)?, &self.task_options(None))?.concat())
    }

    /// A task in tokens, ready to be asked of members and merges; its first `limit` documents if that is given.
    pub fn prepared_task(
        &self,
        task: &str,
        split: DataSplit,
        limit: Option<usize>,
    ) -> Result<PreparedTasks, AlignmentError> {
        let window = self.loader.context_window(&self.pool.model(self.base())?);
        let window = window.map_err(AlignmentError::load(self.base()))?;
        let selection = self.pool.selection(task, split)?;
        Ok(PreparedTasks::new(&selection, self.chat.tokenizer(), &self.task_options(limit), window)?)
    }
}

/// How the member or helper `name` reads and writes text.
fn tokenizer(pool: &Pool, name: &str) -> Result<Tokenizer, AlignmentError> {
    tokenizer_at(&pool.model(name)?)
}

fn tokenizer_at(path: &Path) -> Result<Tokenizer, AlignmentError> {
    let checkpoint = Checkpoint::open(path)?;
    Ok(Tokenizer::from_model(checkpoint.dir(), checkpoint.gguf_metadata()?.as_ref())?)
}
