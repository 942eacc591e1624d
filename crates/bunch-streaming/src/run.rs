//! Carrying out a plan: reading, merging and writing tensor by tensor, several at a time.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use bunch_checkpoint::{CheckpointWriter, StoredDtype, WriterOptions, count_non_finite};
use bunch_merging::{MergeError, Method, ReadValues, Source, Survey, TensorAcrossModels, TensorSource, Values};
use bunch_progress::Progress;

use crate::card;
use crate::error::StreamingError;
use crate::plan::MergePlan;
use crate::planned_tensor::{Input, PlannedTensor};
use crate::space;
use crate::values::{ModelTensor, VocabularyTensor};

/// Values that are merged before they are written: with those that are read for them, they fit a processor's cache.
const CHUNK: usize = 1 << 15;

/// Bytes of memory that a thread needs besides what it needs for each model: the merged chunk, and what is about to be
/// written.
const MEMORY_OF_THREAD: u64 = 8 << 20;

/// Bytes of memory that a thread needs for each model: what is read ahead, and histograms.
const MEMORY_OF_MODEL: u64 = 3 << 20;

/// Bytes of memory that the program needs besides: code, headers, tokenizers, what waits to be written.
const MEMORY_OF_PROGRAM: u64 = 24 << 20;

/// What a merge has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// Tensors of the output.
    pub tensors: usize,
    /// Parameters of the output.
    pub parameters: u64,
    /// Bytes of the output's tensors.
    pub bytes: u64,
    /// Tensors that were merged at a time.
    pub threads: usize,
}

/// What the threads of a merge share.
struct Work<'a> {
    plan: &'a MergePlan<'a>,
    survey: Option<Survey>,
    writer: &'a CheckpointWriter,
    progress: &'a dyn Progress,
    stop: &'a AtomicBool,
    /// The tensors' positions, the largest first: threads then finish at about the same time.
    order: Vec<usize>,
    next: AtomicUsize,
    /// The first error by the position of its tensor.
    failed: Mutex<Option<(usize, StreamingError)>>,
}

impl MergePlan<'_> {
    /// The number of threads, given the limit of memory.
    ///
    /// # Errors
    /// The limit is too low for one.
    pub fn threads(&self) -> Result<usize, StreamingError> {
        let wanted = self.options.threads.or_else(|| std::thread::available_parallelism().ok().map(usize::from));
        let models = self.tensors.iter().map(|tensor| tensor.inputs.len()).max().unwrap_or(1);
        let methods = self.tensors.iter().filter_map(|tensor| Some(tensor.method.as_ref()?.memory(&tensor.shape)));
        let of_method = methods.max().unwrap_or(0) as u64;
        let of_thread = MEMORY_OF_THREAD + models as u64 * MEMORY_OF_MODEL + of_method;
        let limit = self.options.max_memory;
        let fitting = limit.saturating_sub(MEMORY_OF_PROGRAM) / of_thread;
        if fitting == 0 {
            return Err(StreamingError::Memory { limit, needed: MEMORY_OF_PROGRAM + of_thread });
        }
        Ok(wanted.unwrap_or(1).clamp(1, usize::try_from(fitting).unwrap_or(usize::MAX)).min(self.tensors.len().max(1)))
    }

    /// Carries out the plan: writes the merged model to `dir`, whose parent must exist.
    ///
    /// # Errors
    /// `dir` is there already; the disk is too small; weights that are not finite; a file that cannot be read or changes
    /// meanwhile; somebody asks to stop by setting `stop`. Nothing is left then.
    pub fn run(&self, dir: &Path, progress: &dyn Progress, stop: &AtomicBool) -> Result<Merged, StreamingError> {
        let threads = self.threads()?;
        CheckpointWriter::check_files(dir, &self.config, &self.files)?;
        self.check_space(dir)?;
        let options = WriterOptions { max_shard_size: self.options.max_shard_size, replace: self.options.replace };
        let writer = CheckpointWriter::create(dir, self.layout(), options)?;
        let survey = self.survey(progress, stop)?;
        let mut order: Vec<usize> = (0..self.tensors.len()).collect();
        order.sort_by_key(|&index| std::cmp::Reverse(self.tensors[index].values_read()));
        let bytes = self.tensors.iter().map(|tensor| self.bytes_read(tensor, tensor.len())).sum();
        progress.begin(&format!("merging into {}", dir.display()), bytes, 0);
        let work = Work {
            plan: self,
            survey,
            writer: &writer,
            progress,
            stop,
            order,
            next: AtomicUsize::new(0),
            failed: Mutex::new(None),
        };
        std::thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(|| work.merge_tensors());
            }
            work.merge_tensors();
        });
        if let Some((_, error)) = work.failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error);
        }
        if stop.load(Ordering::Relaxed) {
            return Err(StreamingError::Interrupted);
        }
        for model in self.models {
            model.checkpoint.check_unchanged()?;
            if let Some(adapter) = &model.adapter {
                adapter.weights().check_unchanged()?;
            }
        }
        let mut files = self.files.clone();
        files.extend(card::files(self, dir)?);
        writer.finish(&self.config, &files)?;
        let parameters = self.tensors.iter().map(|tensor| tensor.len() as u64).sum();
        Ok(Merged { tensors: self.tensors.len(), parameters, bytes: self.output_bytes(), threads })
    }

    /// Bytes of all models that are read to merge so many values of a tensor.
    fn bytes_read(&self, tensor: &PlannedTensor, values: usize) -> u64 {
        let bits = |input: &Input| {
            let stored = self.models[input.model].stored(&input.tensor);
            let info = stored.and_then(|(checkpoint, name)| checkpoint.info(name));
            info.map_or(8, |info| info.dtype.size() * 8)
        };
        tensor.inputs.iter().map(|input| (bits(input) * values / 8) as u64).sum()
    }

    fn check_space(&self, dir: &Path) -> Result<(), StreamingError> {
        let folder = dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let needed = self.output_bytes();
        match space::available(folder) {
            Some(available) if available < needed => {
                Err(StreamingError::Space { folder: folder.to_path_buf(), needed, available })
            }
            _ => Ok(()),
        }
    }

    /// The first pass over the whole model, for methods that need one.
    fn survey(&self, progress: &dyn Progress, stop: &AtomicBool) -> Result<Option<Survey>, StreamingError> {
        let mut methods = self.tensors.iter().filter_map(|tensor| Some((tensor, tensor.method.as_ref()?)));
        // The plan has made sure that all tensors are merged alike if one needs a survey.
        let Some((first, method)) = methods.next() else { return Ok(None) };
        let experts = first.inputs.len() - usize::from(first.has_base);
        method.survey(experts, &mut WholeModel { plan: self, progress, stop, visits: 0 })
    }

    /// Opens the tensors of the models that a tensor of the output is made of, and calls `visit` with them.
    fn with_tensor<R>(
        &self,
        tensor: &PlannedTensor,
        survey: Option<&Survey>,
        stop: &AtomicBool,
        visit: impl FnOnce(&TensorAcrossModels<'_>) -> Result<R, StreamingError>,
    ) -> Result<R, StreamingError> {
        let open = |input| {
            let (model, opened) = self.open(tensor, input)?;
            Ok((model, ModelTensor { stop: Some(stop), ..opened }))
        };
        let opened: Vec<(usize, ModelTensor<'_>)> =
            tensor.inputs.iter().map(open).collect::<Result<_, StreamingError>>()?;
        let width = tensor.shape.iter().skip(1).product();
        let rows = tensor.inputs.iter().map(|input| input.rows.as_deref()).enumerate();
        let reordered = rows.map(|(own, rows)| {
            rows.map(|rows| VocabularyTensor { models: &opened, own, rows, width, mean: OnceLock::new() })
        });
        let reordered: Vec<Option<VocabularyTensor<'_>>> = reordered.collect();
        let values = opened.iter().zip(&reordered).map(|((_, stored), reordered)| {
            let values: &dyn ReadValues = match reordered {
                Some(reordered) => reordered,
                None => stored,
            };
            Values::Stream(values)
        });
        let values: Vec<Values<'_>> = values.collect();
        let (base, experts) = values.split_at(usize::from(tensor.has_base));
        let across = TensorAcrossModels::new(&tensor.name, &tensor.shape, base.first().copied(), experts);
        let allows_non_finite = self.options.allow_non_finite;
        visit(&TensorAcrossModels { survey, allows_non_finite, ..across })
    }

    /// Opens a model's tensor, with its adapter.
    fn open(&self, tensor: &PlannedTensor, input: &Input) -> Result<(usize, ModelTensor<'_>), StreamingError> {
        let model = &self.models[input.model];
        let adapter = model.adapter.as_ref();
        let (checkpoint, name) = model.find(&input.tensor)?;
        let reader = checkpoint.reader(name)?;
        let delta = adapter.map(|adapter| adapter.delta(&input.tensor)).transpose()?.flatten();
        // A tensor whose rows are put in order is read row by row; one that is cut ends early.
        let len = if input.rows.is_some() { reader.len() } else { tensor.len() };
        let rounding = self.rounding.filter(|rounding| delta.is_some() || *rounding != reader.dtype());
        let ahead = Mutex::default();
        Ok((input.model, ModelTensor { reader, delta, rounding, len, ahead, stop: None }))
    }

    /// Says which model's values are not finite, and how many.
    fn explain(&self, tensor: &PlannedTensor, error: MergeError, stop: &AtomicBool) -> StreamingError {
        // A method that takes several passes over a large tensor is stopped by its reader.
        if matches!(error, MergeError::Read { .. }) && stop.load(Ordering::Relaxed) {
            return StreamingError::Interrupted;
        }
        let MergeError::NonFinite { from, .. } = &error else { return error.into() };
        let position = match from {
            Source::Base => 0,
            Source::Expert(expert) | Source::Role { expert, .. } => expert + usize::from(tensor.has_base),
            Source::Merged => return error.into(),
        };
        let Some(input) = tensor.inputs.get(position) else { return error.into() };
        let model = &self.models[input.model];
        let Ok((_, opened)) = self.open(tensor, input) else { return error.into() };
        let factors = model.adapter.as_ref().map(|adapter| adapter.factor_readers(&input.tensor));
        let factors = factors.and_then(Result::ok).unwrap_or_default();
        for reader in std::iter::once(opened.reader).chain(factors) {
            match count_non_finite(reader) {
                Ok((0, 0)) => {}
                Ok((nan, infinite)) => {
                    let (model, tensor, values) = (model.name(), reader.name().to_owned(), reader.len());
                    return StreamingError::NonFinite { model, tensor, nan, infinite, values };
                }
                Err(_) => return error.into(),
            }
        }
        StreamingError::NonFiniteSum { model: model.name(), tensor: input.tensor.clone() }
    }
}

/// All tensors of a merge, for methods that look at the whole model first.
struct WholeModel<'a> {
    plan: &'a MergePlan<'a>,
    progress: &'a dyn Progress,
    stop: &'a AtomicBool,
    visits: u32,
}

impl TensorSource for WholeModel<'_> {
    type Error = StreamingError;

    fn visit(
        &mut self,
        visit: &mut dyn FnMut(&TensorAcrossModels<'_>) -> Result<(), MergeError>,
    ) -> Result<(), StreamingError> {
        let plan = self.plan;
        let merged = || plan.tensors.iter().filter(|tensor| tensor.method.is_some());
        let bytes = |tensor: &PlannedTensor| plan.bytes_read(tensor, tensor.len());
        self.visits += 1;
        let stage = format!("surveying the models, pass {}", self.visits);
        self.progress.begin(&stage, merged().map(bytes).sum(), 0);
        for tensor in merged() {
            if self.stop.load(Ordering::Relaxed) {
                return Err(StreamingError::Interrupted);
            }
            let explain = |error| plan.explain(tensor, error, self.stop);
            plan.with_tensor(tensor, None, self.stop, |across| visit(across).map_err(explain))?;
            self.progress.advance(bytes(tensor));
        }
        Ok(())
    }
}

impl Work<'_> {
    /// Merges one tensor after another until there are no more.
    fn merge_tensors(&self) {
        let mut out = Vec::new();
        while let Some(&index) = self.order.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            if self.stop.load(Ordering::Relaxed) || self.lock().is_some() {
                return;
            }
            let tensor = &self.plan.tensors[index];
            let done = match &tensor.method {
                Some(method) => self.merge_tensor(index, tensor, method, &mut out),
                None => self.copy_integers(index, tensor),
            };
            if let Err(error) = done {
                let mut failed = self.lock();
                if failed.as_ref().is_none_or(|(other, _)| index < *other) {
                    *failed = Some((index, error));
                }
                return;
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(usize, StreamingError)>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn merge_tensor(
        &self,
        index: usize,
        tensor: &PlannedTensor,
        method: &Method,
        out: &mut Vec<f32>,
    ) -> Result<(), StreamingError> {
        self.plan.with_tensor(tensor, self.survey.as_ref(), self.stop, |across| {
            let explain = |error| self.plan.explain(tensor, error, self.stop);
            let prepared = method.prepare(across, self.plan.options.seed).map_err(explain)?;
            let chunk = CHUNK.next_multiple_of(prepared.unit());
            for start in (0..tensor.len()).step_by(chunk) {
                if self.stop.load(Ordering::Relaxed) {
                    return Err(StreamingError::Interrupted);
                }
                let end = tensor.len().min(start + chunk);
                out.resize(end - start, 0.0);
                prepared.merge(start..end, out).map_err(explain)?;
                self.writer.write_values(index, start, out)?;
                self.progress.advance(self.plan.bytes_read(tensor, end - start));
            }
            Ok(())
        })
    }

    /// Copies integers, which must be the same in all models.
    fn copy_integers(&self, index: usize, tensor: &PlannedTensor) -> Result<(), StreamingError> {
        let mut first: Option<(usize, Vec<u8>)> = None;
        for input in &tensor.inputs {
            let model = &self.plan.models[input.model];
            let (checkpoint, name) = model.find(&input.tensor)?;
            let reader = checkpoint.raw_reader(name)?;
            let mut bytes = vec![0; reader.byte_length()];
            reader.read_bytes(0, &mut bytes)?;
            match &first {
                None => first = Some((input.model, bytes)),
                Some((model, expected)) if *expected != bytes => {
                    let name = |model: usize| self.plan.models[model].name();
                    let (tensor, dtype) = (tensor.name.clone(), tensor.dtype.to_string());
                    let (first, second) = (name(*model), name(input.model));
                    return Err(StreamingError::IntegersDiffer { tensor, dtype, first, second });
                }
                Some(_) => {}
            }
        }
        let (_, bytes) = first.unwrap_or_default();
        self.writer.write_bytes(index, 0, &bytes)?;
        self.progress.advance(self.plan.bytes_read(tensor, tensor.len()));
        Ok(())
    }
}

/// Bytes of the output by dtype, for the summary.
impl MergePlan<'_> {
    /// The output's dtypes with the number of tensors of each.
    pub fn dtypes(&self) -> BTreeMap<String, usize> {
        let mut dtypes = BTreeMap::new();
        for tensor in &self.tensors {
            let name = match tensor.dtype {
                StoredDtype::Float(dtype) => dtype.name().to_owned(),
                other => other.to_string(),
            };
            *dtypes.entry(name).or_insert(0) += 1;
        }
        dtypes
    }
}
