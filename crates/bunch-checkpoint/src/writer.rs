//! A model directory that is written tensor by tensor.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::checkpoint::{CONFIG_FILE, check_config};
use crate::shard_layout::{ShardLayout, TensorLayout, lay_out};
use crate::staging::{Contention, Staging};
use crate::weight_files::{WEIGHTS_SUFFIX, check_file_name};
use crate::weight_index::{INDEX_FILE, WeightIndex};
use crate::write_back::WriteBack;
use crate::{CheckpointError, StoredDtype};

/// Values that are converted at a time, which bounds the memory that writing needs.
const PIECE: usize = 1 << 16;

thread_local! {
    /// What is converted and not written yet.
    static SCRATCH: RefCell<Vec<u16>> = const { RefCell::new(Vec::new()) };
}

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
    files: Vec<ShardFile>,
    write_back: WriteBack,
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
    /// Bytes that were written so far.
    written: AtomicU64,
}

/// A safetensors file that is being written.
#[derive(Debug)]
struct ShardFile {
    name: String,
    file: Arc<File>,
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
                places.insert(tensor.index, Place { file: i, start, byte_length, written: AtomicU64::new(0) });
            }
            files.push(ShardFile::create(&staging.new_dir(), dir, shard)?);
        }
        let places = places.into_values().collect();
        Ok(Self { dir: dir.to_path_buf(), replace, tensors, places, files, write_back: WriteBack::start(), staging })
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
        let start_byte = start.checked_mul(dtype.size()).ok_or_else(out_of_range)?;
        if dtype.size() == size_of::<f32>() {
            return self.write_bytes(tensor, start_byte, bytemuck::cast_slice(values));
        }
        SCRATCH.with_borrow_mut(|words| {
            words.resize(PIECE, 0);
            for (i, piece) in values.chunks(PIECE).enumerate() {
                if let Some(value) = dtype.find_overflow(piece) {
                    return Err(CheckpointError::Overflow { tensor: layout.name.clone(), value, dtype });
                }
                let words = &mut words[..piece.len()];
                dtype.encode_words(piece, words);
                let start_byte = start_byte.checked_add(i * PIECE * dtype.size()).ok_or_else(out_of_range)?;
                self.write_bytes(tensor, start_byte, bytemuck::cast_slice(words))?;
            }
            Ok(())
        })
    }

    /// Writes bytes, as they are to be in the file, from `start_byte` of the tensor at position `tensor` of the layout.
    /// Each byte may be written once.
    ///
    /// # Errors
    /// There is no such tensor or part of it, or it was written before; the operating system refuses.
    pub fn write_bytes(&self, tensor: usize, start_byte: usize, bytes: &[u8]) -> Result<(), CheckpointError> {
        let (layout, place) = self.find(tensor)?;
        let count = bytes.len() as u64;
        if (start_byte as u64).checked_add(count).is_none_or(|end| end > place.byte_length) {
            let (tensor, length) = (layout.name.clone(), place.byte_length as usize);
            return Err(CheckpointError::OutOfRange { tensor, start: start_byte, count: bytes.len(), length });
        }
        let file = &self.files[place.file];
        write_all_at(&file.file, place.start + start_byte as u64, bytes).map_err(|source| CheckpointError::Write {
            path: self.dir.join(&file.name),
            tensor: layout.name.clone(),
            source,
        })?;
        self.write_back.note(&file.file, count);
        let got = place.written.fetch_add(count, Ordering::Relaxed) + count;
        if got > place.byte_length {
            let (tensor, expected) = (layout.name.clone(), place.byte_length);
            return Err(CheckpointError::WrittenTwice { tensor, expected, got });
        }
        Ok(())
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
            let (expected, got) = (place.byte_length, place.written.load(Ordering::Relaxed));
            if got != expected {
                return Err(CheckpointError::Incomplete { tensor: tensor.name.clone(), expected, got });
            }
        }
        self.write_back.finish().map_err(CheckpointError::io(&self.dir))?;
        for file in &self.files {
            file.file.sync_all().map_err(CheckpointError::io(&self.dir.join(&file.name)))?;
        }
        if self.files.len() > 1 {
            self.write_file(INDEX_FILE, &pretty(&self.index(), &self.dir.join(INDEX_FILE))?)?;
        }
        self.write_file(CONFIG_FILE, &pretty(config, &self.dir.join(CONFIG_FILE))?)?;
        for (name, bytes) in files {
            self.write_file(name, bytes)?;
        }
        let Self { files, write_back, staging, replace, .. } = self;
        drop((files, write_back));
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
        let file_name = |place: &Place| self.files[place.file].name.clone();
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

impl ShardFile {
    /// Makes the file in `folder`, in its full length; errors name it as a file of `dir`.
    fn create(folder: &Path, dir: &Path, layout: ShardLayout) -> Result<Self, CheckpointError> {
        let ShardLayout { name, header, size, .. } = layout;
        let file = File::create_new(folder.join(&name))
            .and_then(|file| file.set_len(size).map(|()| file))
            .and_then(|file| write_all_at(&file, 0, &header).map(|()| file))
            .map_err(CheckpointError::io(&dir.join(&name)))?;
        Ok(Self { name, file: Arc::new(file) })
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

#[cfg(unix)]
fn write_all_at(file: &File, start: u64, bytes: &[u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, start)
}

#[cfg(windows)]
fn write_all_at(file: &File, mut start: u64, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_write(file, bytes, start) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(length) => {
                start += length as u64;
                bytes = &bytes[length..];
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
