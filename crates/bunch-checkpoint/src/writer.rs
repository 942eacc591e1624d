//! A model directory that is written tensor by tensor.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::aligned_buffer::AlignedBuffer;
use crate::checkpoint::{CONFIG_FILE, check_config};
use crate::file_name::check_file_name;
use crate::output_file::OutputFile;
use crate::shard_layout::{ShardLayout, TensorLayout, lay_out};
use crate::staging::{Contention, Staging};
use crate::weight_files::WEIGHTS_SUFFIX;
use crate::weight_index::{INDEX_FILE, WeightIndex};
use crate::write_behind::{Failure, WriteBehind};
use crate::{CheckpointError, StoredDtype};

/// How a directory is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriterOptions {
    /// Weights of more bytes than this are split into shards of at most this size; a tensor is never split.
    pub max_shard_size: u64,
    /// Whether a model directory that is already there is replaced; else it is an error.
    pub replace: bool,
}

impl Default for WriterOptions {
    /// Shards of at most 5 GB, transformers' limit; nothing is replaced.
    fn default() -> Self {
        Self { max_shard_size: 5_000_000_000, replace: false }
    }
}

/// A model directory that is written tensor by tensor, in any order, by any number of threads, and is there in full or
/// not at all.
///
/// All files are made at once in a hidden folder beside the directory, `.<name>.partial`. [`CheckpointWriter::finish`]
/// brings them to the disk and renames the folder; dropping the writer before that removes it. What a killed process
/// leaves is removed by the next writer of the same directory.
#[derive(Debug)]
pub struct CheckpointWriter {
    dir: PathBuf,
    replace: bool,
    tensors: Vec<TensorLayout>,
    /// Where the tensors go, one for each.
    places: Vec<Place>,
    /// These two before `staging`, to be closed before the folder is removed.
    files: Vec<Arc<OutputFile>>,
    write_behind: WriteBehind,
    staging: Staging,
}

/// Where a tensor goes.
#[derive(Debug)]
struct Place {
    /// Position in `CheckpointWriter::files`.
    file: usize,
    /// In bytes from the file's beginning.
    start: u64,
    byte_length: u64,
    filling: Mutex<Filling>,
}

/// How far a tensor is.
#[derive(Debug, Default)]
struct Filling {
    /// Bytes that were given so far.
    given: u64,
    /// The last of them, which wait until they are many.
    pending: Option<AlignedBuffer>,
}

impl Place {
    fn filling(&self) -> MutexGuard<'_, Filling> {
        self.filling.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CheckpointWriter {
    /// Prepares the directory `dir`, whose parent must exist, for `tensors`: makes the files of weights in their full
    /// length. The tensors are split into shards in the order given here.
    ///
    /// # Errors
    /// `dir` exists and is not to be replaced, or is something else than a model directory; another process is writing
    /// it; two tensors have the same name, or one has a reserved name or an impossible size; the operating system
    /// refuses.
    pub fn create(dir: &Path, tensors: Vec<TensorLayout>, options: WriterOptions) -> Result<Self, CheckpointError> {
        Self::create_or(dir, tensors, options, Contention::Refuse)
    }

    /// [`CheckpointWriter::create`], where `contention` says what happens if another process is writing `dir`.
    pub(crate) fn create_or(
        dir: &Path,
        tensors: Vec<TensorLayout>,
        options: WriterOptions,
        contention: Contention,
    ) -> Result<Self, CheckpointError> {
        let WriterOptions { max_shard_size, replace } = options;
        let shards = lay_out(&tensors, max_shard_size, dir)?;
        check_dir(dir, replace)?;
        let staging = Staging::create(dir, contention)?;
        // While we waited it may have come into being.
        check_dir(dir, replace)?;

        let (mut files, mut places) = (Vec::with_capacity(shards.len()), BTreeMap::new());
        for (i, shard) in shards.into_iter().enumerate() {
            for tensor in &shard.tensors {
                let (start, byte_length) = (tensor.start, tensor.byte_length);
                places.insert(tensor.index, Place { file: i, start, byte_length, filling: Mutex::default() });
            }
            let ShardLayout { name, header, size, .. } = shard;
            let path = dir.join(&name);
            let file = OutputFile::create(&staging.new_dir(), name, size, &header);
            files.push(Arc::new(file.map_err(CheckpointError::io(&path))?));
        }
        let places = places.into_values().collect();
        Ok(Self {
            dir: dir.to_path_buf(),
            replace,
            tensors,
            places,
            files,
            write_behind: WriteBehind::start(),
            staging,
        })
    }

    /// The tensors, as they were given to [`CheckpointWriter::create`].
    pub fn layout(&self) -> &[TensorLayout] {
        &self.tensors
    }

    /// Writes the values `start..start + values.len()` of the tensor at position `tensor` of the layout, each rounded
    /// to the nearest value of its dtype, ties to even. Infinite values and NaNs stay what they are. Each value may be
    /// written once.
    ///
    /// # Errors
    /// A finite value is too large for the dtype; the tensor's dtype is none of [`Dtype`](crate::Dtype); there is no
    /// such tensor or part of it, or it was written before; the operating system refuses.
    pub fn write_values(&self, tensor: usize, start: usize, values: &[f32]) -> Result<(), CheckpointError> {
        let layout = self.find(tensor)?.0;
        let StoredDtype::Float(dtype) = layout.dtype else {
            let (tensor, dtype) = (layout.name.clone(), layout.dtype.to_string());
            return Err(CheckpointError::NotFloat { tensor, dtype });
        };
        let out_of_range = || {
            let (count, length) = (values.len(), layout.shape.iter().product());
            CheckpointError::OutOfRange { tensor: layout.name.clone(), start, count, length }
        };
        let size = dtype.size();
        let start_byte = start.checked_mul(size).ok_or_else(out_of_range)?;
        self.fill(tensor, start_byte, values.len() * size, |part, bytes| {
            let values = &values[part.start / size..part.end / size];
            let overflow = |value| CheckpointError::Overflow { tensor: layout.name.clone(), value, dtype };
            dtype.encode_into(values, bytes).map_err(overflow)
        })
    }

    /// Writes bytes, as they are to be in the file, from `start_byte` of the tensor at position `tensor` of the layout.
    /// Each byte may be written once.
    ///
    /// # Errors
    /// There is no such tensor or part of it, or it was written before; the operating system refuses.
    pub fn write_bytes(&self, tensor: usize, start_byte: usize, bytes: &[u8]) -> Result<(), CheckpointError> {
        self.fill(tensor, start_byte, bytes.len(), |part, out| {
            out.copy_from_slice(&bytes[part]);
            Ok(())
        })
    }

    /// Writes `count` bytes from `start_byte` of a tensor on, made by `make(part, bytes)` where they are written from; parts
    /// begin and end with a value.
    fn fill(
        &self,
        tensor: usize,
        start_byte: usize,
        count: usize,
        make: impl Fn(Range<usize>, &mut [u8]) -> Result<(), CheckpointError>,
    ) -> Result<(), CheckpointError> {
        let (layout, place) = self.find(tensor)?;
        if (start_byte as u64).checked_add(count as u64).is_none_or(|end| end > place.byte_length) {
            let (tensor, length) = (layout.name.clone(), place.byte_length as usize);
            return Err(CheckpointError::OutOfRange { tensor, start: start_byte, count, length });
        }
        let mut filling = place.filling();
        let got = filling.given + count as u64;
        if got > place.byte_length {
            let (tensor, expected) = (layout.name.clone(), place.byte_length);
            return Err(CheckpointError::WrittenTwice { tensor, expected, got });
        }
        let write = |buffer| {
            self.write_behind.write(&self.files[place.file], tensor, buffer).map_err(|failure| self.explain(failure))
        };
        let mut done = 0;
        while done < count {
            let position = place.start + (start_byte + done) as u64;
            if let Some(elsewhere) = filling.pending.take_if(|pending| pending.next_position() != position) {
                write(elsewhere)?;
            }
            let buffer = filling.pending.get_or_insert_with(|| self.write_behind.buffer(position));
            let room = buffer.room();
            let part = room.len().min(count - done);
            make(done..done + part, &mut room[..part])?;
            buffer.advance(part);
            done += part;
            filling.given += part as u64;
            let is_complete = filling.given == place.byte_length;
            if let Some(full) = filling.pending.take_if(|pending| is_complete || pending.is_full()) {
                write(full)?;
            }
        }
        Ok(())
    }

    fn explain(&self, failure: &Failure) -> CheckpointError {
        CheckpointError::TensorIo {
            path: self.dir.join(failure.file.name()),
            tensor: self.tensors.get(failure.tensor).map(|tensor| tensor.name.clone()).unwrap_or_default(),
            source: failure.error(),
        }
    }

    /// Checks what [`CheckpointWriter::finish`] is to be given, so that a mistake is found before the work.
    ///
    /// # Errors
    /// The configuration is no JSON object; a file's name is not plain, or is that of config or weights.
    pub fn check_files(
        dir: &Path,
        config: &serde_json::Value,
        files: &BTreeMap<String, Vec<u8>>,
    ) -> Result<(), CheckpointError> {
        check_config(&dir.join(CONFIG_FILE), config)?;
        for name in files.keys() {
            check_file_name(name)?;
            if name == CONFIG_FILE || name == INDEX_FILE || name.ends_with(WEIGHTS_SUFFIX) {
                return Err(CheckpointError::ReservedFileName { name: name.clone() });
            }
        }
        Ok(())
    }

    /// Writes `config` as config.json, the index and further `files` by name, brings everything to the disk and renames
    /// the directory into place.
    ///
    /// Where an old directory is replaced, a process killed between two renames leaves none; the next writer of the
    /// same directory moves the old one back.
    ///
    /// # Errors
    /// A tensor was not written in full; those of [`CheckpointWriter::check_files`]; the operating system refuses.
    /// Nothing is left then, and an old directory stays.
    pub fn finish(
        mut self,
        config: &serde_json::Value,
        files: &BTreeMap<String, Vec<u8>>,
    ) -> Result<(), CheckpointError> {
        Self::check_files(&self.dir, config, files)?;
        for (tensor, place) in self.tensors.iter().zip(&self.places) {
            let (expected, got) = (place.byte_length, place.filling().given);
            if got != expected {
                return Err(CheckpointError::Incomplete { tensor: tensor.name.clone(), expected, got });
            }
        }
        self.write_behind.finish();
        self.write_behind.failure().map_or(Ok(()), |failure| Err(self.explain(failure)))?;
        for file in &self.files {
            file.sync_all().map_err(CheckpointError::io(&self.dir.join(file.name())))?;
        }
        if self.files.len() > 1 {
            self.write_file(INDEX_FILE, &pretty(&self.index(), &self.dir.join(INDEX_FILE))?)?;
        }
        self.write_file(CONFIG_FILE, &pretty(config, &self.dir.join(CONFIG_FILE))?)?;
        for (name, bytes) in files {
            self.write_file(name, bytes)?;
        }
        let Self { files, write_behind, staging, replace, .. } = self;
        drop((files, write_behind));
        staging.install(replace)
    }

    fn find(&self, tensor: usize) -> Result<(&TensorLayout, &Place), CheckpointError> {
        match (self.tensors.get(tensor), self.places.get(tensor)) {
            (Some(layout), Some(place)) => Ok((layout, place)),
            _ => Err(CheckpointError::NoSuchLayout { index: tensor, length: self.tensors.len() }),
        }
    }

    fn index(&self) -> WeightIndex {
        let total_size: u64 = self.places.iter().map(|place| place.byte_length).sum();
        let file_name = |place: &Place| self.files[place.file].name().to_owned();
        let names = self.tensors.iter().map(|tensor| tensor.name.clone());
        let weight_map = names.zip(self.places.iter().map(file_name)).collect();
        WeightIndex { metadata: serde_json::json!({ "total_size": total_size }), weight_map }
    }

    /// Writes a file and brings it to the disk; errors name it as a file of the directory to be.
    fn write_file(&self, name: &str, bytes: &[u8]) -> Result<(), CheckpointError> {
        File::create_new(self.staging.new_dir().join(name))
            .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
            .map_err(CheckpointError::io(&self.dir.join(name)))
    }
}

/// Checks that a directory can be written to `dir`: there is none, or a model that is to be replaced.
fn check_dir(dir: &Path, replace: bool) -> Result<(), CheckpointError> {
    if fs::symlink_metadata(dir).is_err() {
        return Ok(());
    }
    if !replace {
        return Err(CheckpointError::AlreadyExists { dir: dir.to_path_buf() });
    }
    if !dir.join(CONFIG_FILE).is_file() {
        return Err(CheckpointError::NotAModelDirectory { dir: dir.to_path_buf() });
    }
    Ok(())
}

/// JSON as transformers lays it out.
fn pretty(value: &impl serde::Serialize, path: &Path) -> Result<Vec<u8>, CheckpointError> {
    let mut text = serde_json::to_vec_pretty(value).map_err(CheckpointError::json(path))?;
    text.push(b'\n');
    Ok(text)
}
