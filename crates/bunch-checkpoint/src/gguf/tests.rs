//! Files that are wrong in one place, and any change of a file that is right.

use std::path::Path;

use proptest::prelude::*;

use super::{GgufError, GgufModel};
use crate::CheckpointError;
use crate::fuzzing;
use crate::source::MemorySource;

/// The bytes of a GGUF file, part by part.
#[derive(Clone)]
struct File {
    version: u32,
    pairs: Vec<(String, Vec<u8>)>,
    tensors: Vec<Listed>,
    data: Vec<u8>,
}

#[derive(Clone)]
struct Listed {
    name: String,
    shape: Vec<u64>,
    kind: u32,
    offset: u64,
}

fn text(value: &str) -> Vec<u8> {
    [&(value.len() as u64).to_le_bytes(), value.as_bytes()].concat()
}

/// Values with their types.
fn text_value(value: &str) -> Vec<u8> {
    [&8_u32.to_le_bytes()[..], &text(value)].concat()
}

fn u32_value(value: u32) -> Vec<u8> {
    [4_u32.to_le_bytes(), value.to_le_bytes()].concat()
}

fn f32_value(value: f32) -> Vec<u8> {
    [6_u32.to_le_bytes(), value.to_le_bytes()].concat()
}

impl File {
    /// A model of one layer with only an embedding matrix of three rows of 32 values in f32, and queries of two heads.
    fn new() -> Self {
        let numbers = [
            ("llama.context_length", 16),
            ("llama.embedding_length", 32),
            ("llama.block_count", 1),
            ("llama.feed_forward_length", 8),
            ("llama.attention.head_count", 2),
        ];
        let mut pairs = vec![("general.architecture".to_owned(), text_value("llama"))];
        pairs.extend(numbers.map(|(key, value)| (key.to_owned(), u32_value(value))));
        pairs.push(("llama.attention.layer_norm_rms_epsilon".to_owned(), f32_value(1e-5)));
        let listed = |name: &str, shape: &[u64], kind, offset| Listed {
            name: name.to_owned(),
            shape: shape.to_vec(),
            kind,
            offset,
        };
        let tensors = vec![
            listed("token_embd.weight", &[32, 3], 0, 0),
            listed("blk.0.attn_q.weight", &[1, 8], 0, 384),
            listed("output_norm.weight", &[32], 8, 416),
        ];
        let data = (0..450).map(|i| i as u8).collect();
        Self { version: 3, pairs, tensors, data }
    }

    fn set(mut self, key: &str, value: Vec<u8>) -> Self {
        self.pairs.retain(|(other, _)| other != key);
        self.pairs.push((key.to_owned(), value));
        self
    }

    fn without(mut self, key: &str) -> Self {
        self.pairs.retain(|(other, _)| other != key);
        self
    }

    fn change(mut self, index: usize, change: impl Fn(&mut Listed)) -> Self {
        change(&mut self.tensors[index]);
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(self.version.to_le_bytes());
        bytes.extend((self.tensors.len() as u64).to_le_bytes());
        bytes.extend((self.pairs.len() as u64).to_le_bytes());
        for (key, value) in &self.pairs {
            bytes.extend(text(key));
            bytes.extend(value);
        }
        for Listed { name, shape, kind, offset } in &self.tensors {
            bytes.extend(text(name));
            bytes.extend((shape.len() as u32).to_le_bytes());
            bytes.extend(shape.iter().flat_map(|dimension| dimension.to_le_bytes()));
            bytes.extend(kind.to_le_bytes());
            bytes.extend(offset.to_le_bytes());
        }
        bytes.resize(bytes.len().next_multiple_of(32), 0);
        bytes.extend(&self.data);
        bytes
    }
}

fn read(bytes: &[u8]) -> Result<GgufModel, CheckpointError> {
    GgufModel::read(&MemorySource { path: Path::new("x.gguf"), bytes }, None)
}

fn error(file: &File) -> String {
    read(&file.bytes()).expect_err("the file is wrong").to_string()
}

#[test]
fn versions_2_and_3_are_read_and_others_refused() {
    for version in [2, 3] {
        let file = File { version, ..File::new() };
        let model = read(&file.bytes()).unwrap();
        let names: Vec<&str> = model.tensors.keys().map(String::as_str).collect();
        assert_eq!(names, ["model.embed_tokens.weight", "model.layers.0.self_attn.q_proj.weight", "model.norm.weight"]);
        assert!(fuzzing::gguf(&file.bytes()));
    }
    for (version, got) in [(1, "got 1"), (4, "got 4"), (3_u32.swap_bytes(), "got 50331648")] {
        let message = error(&File { version, ..File::new() });
        assert!(message.starts_with("x.gguf: expected GGUF version 2 or 3") && message.ends_with(got), "{message}");
    }
    assert!(read(b"GGML....").unwrap_err().to_string().contains("begin with \"GGUF\", got \"GGML\""));
}

#[test]
fn every_truncation_is_an_error() {
    let bytes = File::new().bytes();
    for length in 0..bytes.len() {
        let error = read(&bytes[..length]).expect_err("truncated");
        let is_named = match &error {
            CheckpointError::Truncated { expected, got, .. } => {
                *expected == bytes.len() as u64 && *got == length as u64
            }
            CheckpointError::Gguf { source: GgufError::Truncated { .. }, .. } => true,
            _ => false,
        };
        assert!(is_named, "{length} {error}");
    }
    // llama.cpp pads behind the last tensor, up to the alignment.
    let padded = |count| [bytes.clone(), vec![0; count]].concat();
    assert!(read(&padded(30)).is_ok());
    assert!(matches!(read(&padded(31)), Err(CheckpointError::TrailingBytes { .. })));
}

#[test]
fn counts_and_lengths_that_the_file_cannot_hold_are_errors() {
    let bytes = File::new().bytes();
    for at in [8, 16] {
        let mut bytes = bytes.clone();
        bytes[at..at + 8].copy_from_slice(&(1_u64 << 60).to_le_bytes());
        let error = read(&bytes).unwrap_err();
        assert!(matches!(&error, CheckpointError::Gguf { .. }), "{error}");
    }
    let array =
        |kind: u32, length: u64| [&9_u32.to_le_bytes()[..], &kind.to_le_bytes(), &length.to_le_bytes()].concat();
    for kind in 0..13 {
        let message = error(&File::new().set("array", array(kind, 1 << 60)));
        assert!(message.contains("x.gguf: "), "{message}");
    }
    let long = [&8_u32.to_le_bytes()[..], &u64::MAX.to_le_bytes()].concat();
    assert!(error(&File::new().set("text", long)).contains("truncated: a metadata value"));
    // Arrays in arrays without end.
    let deep: Vec<u8> = [9_u32.to_le_bytes().to_vec(), [array(9, 1)[4..].to_vec()].concat().repeat(9)].concat();
    assert!(error(&File::new().set("deep", deep)).contains("nested too deep"));
}

#[test]
fn tensors_must_be_of_a_known_type_and_size() {
    let message = error(&File::new().change(0, |tensor| tensor.kind = 16));
    assert!(message.starts_with("x.gguf: tensor `token_embd.weight`: type 16 (IQ2_XXS) is not supported"), "{message}");
    assert!(error(&File::new().change(0, |tensor| tensor.kind = 1000)).contains("type 1000 is not supported"));
    // Rows of 32 values are no whole number of blocks of 256.
    let message = error(&File::new().change(0, |tensor| tensor.kind = 12));
    assert!(
        message.ends_with("of shape [3, 32] and type Q4_K has no size: rows are cut into blocks of 256"),
        "{message}"
    );
    assert!(error(&File::new().change(0, |tensor| tensor.shape = vec![1 << 60, 1 << 60])).contains("has no size"));
    assert!(error(&File::new().change(0, |tensor| tensor.shape = vec![1; 5])).contains("5 dimensions"));
}

#[test]
fn tensors_must_follow_each_other() {
    for (index, offset) in [(0, 32), (1, 416), (1, 352), (1, 385), (2, u64::MAX)] {
        let message = error(&File::new().change(index, |tensor| tensor.offset = offset));
        assert!(message.contains("expected to begin at"), "{message}");
    }
    let message = error(&File::new().change(2, |tensor| tensor.offset = 448));
    assert_eq!(message, "x.gguf: tensor `output_norm.weight`: expected to begin at 416, got 448");
}

#[test]
fn names_must_be_known_and_unique() {
    let message = error(&File::new().change(1, |tensor| tensor.name = "blk.1.attn_q.weight".to_owned()));
    assert_eq!(message, "x.gguf: tensor `blk.1.attn_q.weight` has no name in transformers' llama");
    let message = error(&File::new().change(1, |tensor| tensor.name = "token_embd.weight".to_owned()));
    assert_eq!(message, "x.gguf: `token_embd.weight` is there twice");
    let mut twice = File::new();
    twice.pairs.push(twice.pairs[1].clone());
    assert_eq!(error(&twice), "x.gguf: `llama.context_length` is there twice");
}

#[test]
fn metadata_must_be_there_right_and_supported() {
    for key in ["general.architecture", "llama.block_count", "llama.attention.layer_norm_rms_epsilon"] {
        assert_eq!(error(&File::new().without(key)), format!("x.gguf: metadata `{key}` is missing"));
    }
    for (key, value, expected) in [
        ("general.architecture", text_value("gpt2"), "`general.architecture` is gpt2, which is not supported"),
        ("general.architecture", u32_value(1), "expected a text, got 1"),
        ("general.alignment", u32_value(24), "expected a power of two"),
        ("llama.block_count", text_value("1"), "expected a number >= 0, got \"1\""),
        ("llama.attention.head_count", u32_value(0), "expected a number > 0, got 0"),
        ("llama.attention.layer_norm_rms_epsilon", f32_value(f32::NAN), "expected a number, got NaN"),
        ("llama.rope.dimension_count", u32_value(8), "`llama.rope.dimension_count` is 8, which is not supported"),
        ("llama.rope.scaling.type", text_value("yarn"), "expected none or linear"),
        ("llama.expert_count", u32_value(8), "mixtures of experts"),
        ("split.count", u32_value(2), "llama-gguf-split --merge"),
        ("strange", 77_u32.to_le_bytes().to_vec(), "no value has type 77"),
    ] {
        let message = error(&File::new().set(key, value));
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn rows_must_be_shared_evenly_by_the_heads() {
    let message = error(&File::new().set("llama.attention.head_count", u32_value(8)));
    assert_eq!(message, "x.gguf: tensor `blk.0.attn_q.weight`: 8 rows are no even number for each of 8 heads");
}

#[test]
fn a_bias_of_queries_cannot_be_quantised() {
    let file = File::new().change(1, |tensor| {
        (tensor.name, tensor.shape, tensor.kind) = ("blk.0.attn_q.bias".to_owned(), vec![32], 2);
    });
    assert!(error(&file).contains("tensor `blk.0.attn_q.bias` of shape [32] and type Q4_0 has no size"));
}

#[test]
fn factors_of_rotary_frequencies_become_a_rope_scaling_or_an_error() {
    let file = |factors: &[f32]| {
        let mut file = File::new();
        file.tensors.push(Listed {
            name: "rope_freqs.weight".to_owned(),
            shape: vec![factors.len() as u64],
            kind: 0,
            offset: 480,
        });
        file.data.resize(480, 0);
        file.data.extend(factors.iter().flat_map(|factor| factor.to_le_bytes()));
        file
    };
    let model = read(&file(&[1.0; 8]).bytes()).unwrap();
    assert_eq!(model.config["rope_scaling"], serde_json::Value::Null);
    assert!(!model.tensors.contains_key("rope_freqs.weight"));
    // Wavelengths of base 10000 and heads of 16: 2 pi 10000^(i/8), which is 1987 at i = 5, 6283 at 6 and 19869 at 7. At 6
    // smooth = (8192/6283.19 - 1)/3 = 0.101265.
    let smooth = (8192.0 / (2.0 * std::f32::consts::PI * 1000.0) - 1.0) / 3.0;
    let sixth = 1.0 / ((1.0 - smooth) / 32.0 + smooth);
    let model = read(&file(&[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, sixth, 32.0]).bytes()).unwrap();
    assert_eq!(model.config["rope_scaling"]["factor"], 32.0);
    for factors in [&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0][..], &[1.0; 4]] {
        assert!(error(&file(factors)).contains("rope_freqs.weight"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_file_with_any_bytes_changed_is_read_in_full_or_an_error(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = File::new().bytes();
        let header = bytes.len() - 450;
        for (at, value) in changes {
            bytes[at.index(header)] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        fuzzing::gguf(&bytes);
    }

    #[test]
    fn a_file_with_any_number_changed_is_read_in_full_or_an_error(
        at in any::<prop::sample::Index>(),
        value in prop_oneof![any::<u64>(), (0_u32..64).prop_map(|bit| 1 << bit), Just(u64::MAX)],
    ) {
        let mut bytes = File::new().bytes();
        let at = at.index(bytes.len() - 450 - 8);
        bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        fuzzing::gguf(&bytes);
    }
}
