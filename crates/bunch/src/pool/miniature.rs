//! `bunch pool miniature`: trains the models of a small world, once, and writes them as a pool.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail};
use bunch_checkpoint::{Contention, Staging};
use bunch_pool::{Pool, check};
use bunch_tuning::Observer;
use bunch_zoo::miniature::MiniatureCurriculum;
use bunch_zoo::{Curriculum, MemberPlan, Zoo, write_files};
use indicatif::ProgressBar;

use crate::arguments::PoolMiniatureArguments;
use crate::interruption::stop_flag;
use crate::progress;

/// Writes the pool; what was trained before is taken from the cache.
pub fn miniature(arguments: &PoolMiniatureArguments) -> Result<()> {
    let folder = &arguments.folder;
    if folder.exists() {
        bail!("{}: already exists", folder.display());
    }
    let curriculum = Arc::new(MiniatureCurriculum::new(arguments.seed)?);
    let models = train(arguments, curriculum.clone())?;
    let files = curriculum.pool_files(&|name| format!("models/{name}"))?;
    if let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
    }
    let staging = Staging::create(folder, Contention::Refuse)?;
    let new = staging.new_dir();
    for (name, dir) in &models {
        copy_folder(dir, &new.join("models").join(name))?;
    }
    write_files(&new, &files)?;
    staging.install(false)?;
    let report = check(&Pool::open(folder)?, None);
    print!("{report}");
    println!("{}", folder.display());
    if report.problems.is_empty() { Ok(()) } else { bail!("{}: the pool is not sound", folder.display()) }
}

/// Names and folders of all models of the world, each trained now if it never was.
fn train(arguments: &PoolMiniatureArguments, curriculum: Arc<MiniatureCurriculum>) -> Result<Vec<(String, PathBuf)>> {
    let zoo = Zoo::new(curriculum.clone(), &arguments.cache, &arguments.device)?;
    let steps = curriculum.members().iter().map(MemberPlan::steps).sum::<usize>();
    let bar = progress::bar("training", steps as u64, "steps", arguments.quiet);
    let mut watch = Bar { bar, before: 0, stop: stop_flag()? };
    let mut models = Vec::new();
    for member in curriculum.members() {
        watch.bar.set_prefix(format!("training {}", member.name));
        zoo.model(&member.name, &mut watch)?;
        watch.before += member.steps() as u64;
        watch.bar.set_position(watch.before);
        models.push((member.name.clone(), zoo.dir(&member.name)?));
    }
    watch.bar.finish_and_clear();
    Ok(models)
}

/// Copies the files of a folder that has no folders in it. Links would let who edits the pool edit the cache.
fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| to.display().to_string())?;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry.with_context(|| from.display().to_string())?;
        fs::copy(entry.path(), to.join(entry.file_name())).with_context(|| entry.path().display().to_string())?;
    }
    Ok(())
}

/// The progress of training all models, one after the other.
struct Bar {
    bar: ProgressBar,
    /// Steps of the models before this one.
    before: u64,
    stop: Arc<AtomicBool>,
}

impl Observer for Bar {
    fn step(&mut self, step: usize, _steps: usize, _loss: f64) {
        self.bar.set_position(self.before + step as u64);
    }

    fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}
