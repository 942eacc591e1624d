//! All tasks and groups that are known by name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::definition::Task;
use super::family::Family;
use super::group::Group;
use crate::BenchmarkError;
use crate::metric::Metric;

/// The task files of `data/tasks` and their contents.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/task_files.rs"));

/// Tasks and groups by name.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    tasks: BTreeMap<String, Task>,
    groups: BTreeMap<String, Group>,
}

/// Tasks to run, each once, and the groups they are summarised in.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// In the order asked for.
    pub tasks: Vec<Task>,
    /// Every group comes after the groups it contains.
    pub groups: Vec<Group>,
}

impl Selection {
    /// Refuses tasks whose first metric does not say of each document whether it is right.
    ///
    /// # Errors
    /// The first of these tasks, with its metric.
    pub fn check_right_or_wrong(&self) -> Result<(), BenchmarkError> {
        let metric = |task: &Task| task.metric_list.first().map(|config| config.metric);
        match self.tasks.iter().find(|task| !metric(task).is_some_and(Metric::is_right_or_wrong)) {
            None => Ok(()),
            Some(task) => {
                let got = metric(task).map_or("none", Metric::name);
                let reason = format!("expected a first metric that is 0 or 1 for each document, as acc is, got {got}");
                Err(BenchmarkError::Task { task: task.task.clone(), reason })
            }
        }
    }
}

impl Catalog {
    /// What `data/tasks` holds.
    ///
    /// # Errors
    /// A file that cannot be read; the ones compiled in can.
    pub fn builtin() -> Result<Self, BenchmarkError> {
        let mut catalog = Self::default();
        for (file, source) in FILES {
            catalog.add_source(source, file, None)?;
        }
        Ok(catalog)
    }

    /// Adds the task, group or family of tasks that a file defines, in place of others of the same names, and returns the
    /// name to select it by.
    ///
    /// # Errors
    /// A file that cannot be read or defines none of these.
    pub fn add(&mut self, path: &Path) -> Result<String, BenchmarkError> {
        let source = std::fs::read_to_string(path).map_err(|error| BenchmarkError::read(path, error))?;
        self.add_source(&source, &path.display().to_string(), path.parent())
    }

    fn add_source(&mut self, source: &str, file: &str, folder: Option<&Path>) -> Result<String, BenchmarkError> {
        let wrong = BenchmarkError::definition(file);
        let table: toml::Table = toml::from_str(source).map_err(&wrong)?;
        if table.contains_key("family") {
            let family: Family = toml::from_str(source).map_err(&wrong)?;
            let (tasks, groups) = family.members(file)?;
            let name = groups.last().map(|group| group.group.clone()).unwrap_or_default();
            self.tasks.extend(tasks.into_iter().map(|task| (task.task.clone(), task)));
            self.groups.extend(groups.into_iter().map(|group| (group.group.clone(), group)));
            Ok(name)
        } else if table.contains_key("group") {
            let group: Group = toml::from_str(source).map_err(&wrong)?;
            let name = group.group.clone();
            self.groups.insert(name.clone(), group);
            Ok(name)
        } else {
            let task = Task::parse(source, file, folder)?;
            let name = task.task.clone();
            self.tasks.insert(name.clone(), task);
            Ok(name)
        }
    }

    /// The task of this name.
    ///
    /// # Errors
    /// There is none.
    pub fn task(&self, name: &str) -> Result<&Task, BenchmarkError> {
        self.tasks.get(name).ok_or_else(|| self.unknown(name))
    }

    fn unknown(&self, name: &str) -> BenchmarkError {
        let inside = |task: &&String| self.groups.values().any(|group| group.task.contains(*task));
        let alone = self.tasks.keys().filter(|task| !inside(task));
        let near = near(name, self.tasks.keys().chain(self.groups.keys()));
        BenchmarkError::UnknownTask {
            name: name.to_string(),
            near,
            groups: self.groups.keys().chain(alone).cloned().collect(),
        }
    }

    /// The tasks' names, sorted.
    #[must_use]
    pub fn task_names(&self) -> Vec<String> {
        self.tasks.keys().cloned().collect()
    }

    /// The groups' names, sorted.
    #[must_use]
    pub fn group_names(&self) -> Vec<String> {
        self.groups.keys().cloned().collect()
    }

    /// The tasks and groups that names stand for. A name that ends in `.toml` is a file, which is added first.
    ///
    /// # Errors
    /// An unknown name, a file that cannot be read, or a group that contains itself.
    pub fn select(&mut self, names: &[&str]) -> Result<Selection, BenchmarkError> {
        let mut selection = Selection::default();
        for name in names {
            let name = if name.ends_with(".toml") { self.add(Path::new(name))? } else { (*name).to_string() };
            self.select_one(&name, &mut selection, &mut Vec::new())?;
        }
        Ok(selection)
    }

    fn select_one(
        &self,
        name: &str,
        selection: &mut Selection,
        inside: &mut Vec<String>,
    ) -> Result<(), BenchmarkError> {
        let Some(group) = self.groups.get(name) else {
            let task = self.task(name)?;
            if !selection.tasks.iter().any(|selected| selected.task == name) {
                selection.tasks.push(task.clone());
            }
            return Ok(());
        };
        if inside.iter().any(|outer| outer == name) {
            return Err(BenchmarkError::Definition {
                file: name.to_string(),
                reason: "the group contains itself".to_string(),
            });
        }
        inside.push(name.to_string());
        for child in &group.task {
            self.select_one(child, selection, inside)?;
        }
        inside.pop();
        if !selection.groups.iter().any(|selected| selected.group == name) {
            selection.groups.push(group.clone());
        }
        Ok(())
    }
}

impl Selection {
    /// These tasks alone.
    #[must_use]
    pub fn of(tasks: Vec<Task>) -> Self {
        Self { tasks, groups: Vec::new() }
    }

    /// The names of the tasks below a group, in its order.
    #[must_use]
    pub fn leaves(&self, group: &Group) -> Vec<&str> {
        let mut leaves = Vec::new();
        self.collect(group, &mut leaves);
        leaves
    }

    fn collect<'selection>(&'selection self, group: &Group, leaves: &mut Vec<&'selection str>) {
        for child in &group.task {
            if let Some(group) = self.groups.iter().find(|group| group.group == *child) {
                self.collect(group, leaves);
            } else if let Some(task) = self.tasks.iter().find(|task| task.task == *child) {
                leaves.push(&task.task);
            }
        }
    }
}

/// The names that differ from `name` least, in at most a third of its characters; or that contain it.
fn near<'names>(name: &str, names: impl Iterator<Item = &'names String>) -> Vec<String> {
    let wanted = name.to_lowercase();
    let far = 1 + wanted.chars().count() / 3;
    let mut near: Vec<(usize, &String)> = names
        .map(|known| (if !wanted.is_empty() && known.contains(&wanted) { 1 } else { distance(&wanted, known) }, known))
        .filter(|(distance, _)| *distance <= far)
        .collect();
    near.sort();
    near.into_iter().take(5).map(|(_, known)| known.clone()).collect()
}

/// Levenshtein's distance: how many characters are put in, left out or replaced.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (at, character) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (column, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(character != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

impl Task {
    /// A task of `data/tasks`.
    ///
    /// # Errors
    /// No task of that name.
    pub fn builtin(name: &str) -> Result<Self, BenchmarkError> {
        Catalog::builtin()?.task(name).cloned()
    }

    /// The names of all tasks of `data/tasks`, sorted.
    ///
    /// # Errors
    /// A task file that cannot be read; the ones compiled in can.
    pub fn names() -> Result<Vec<String>, BenchmarkError> {
        Ok(Catalog::builtin()?.task_names())
    }

    /// The perplexity of a text: a `.txt` file (one document) or JSON lines with `page` or `text`.
    ///
    /// # Errors
    /// The task file compiled in cannot be read; it can.
    pub fn perplexity(path: &Path) -> Result<Self, BenchmarkError> {
        let mut task = Self::builtin("perplexity")?;
        task.dataset = None;
        task.data_files = BTreeMap::from([("test".to_string(), path.display().to_string())]);
        task.folder = Some(PathBuf::new());
        Ok(task)
    }
}
