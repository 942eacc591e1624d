//! Headers: each way to be wrong by name, and agreement with the safetensors crate on everything in between.

use std::path::Path;

use proptest::prelude::*;
use safetensors::SafeTensors;

use super::ShardHeader;
use crate::CheckpointError;
use crate::source::MemorySource;

fn read_header(path: &Path, bytes: &[u8]) -> Result<ShardHeader, CheckpointError> {
    ShardHeader::read(&MemorySource { path, bytes })
}

/// A safetensors file of a header and `data` bytes of zeros.
fn file(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(vec![0; data]);
    bytes
}

fn error(bytes: &[u8]) -> String {
    read_header(Path::new("x.safetensors"), bytes).expect_err("the header is wrong").to_string()
}

const ONE: &str = r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;

#[test]
fn tensors_come_in_the_order_of_their_bytes() {
    let header = r#"{"__metadata__":{"format":"pt"},
        "a":{"dtype":"F32","shape":[2],"data_offsets":[6,14]},
        "b":{"dtype":"BF16","shape":[3,1],"data_offsets":[0,6]},
        "c":{"dtype":"I64","shape":[0],"data_offsets":[14,14]},
        "d":{"dtype":"U8","shape":[],"data_offsets":[14,15]}}"#;
    let ShardHeader { data_start, tensors } = read_header(Path::new("x"), &file(header, 15)).unwrap();
    assert_eq!(data_start, 8 + header.len() as u64);
    let names: Vec<&str> = tensors.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["b", "a", "c", "d"]);
}

#[test]
fn truncated_files_say_how_long_they_should_be() {
    assert_eq!(error(b""), "x.safetensors: truncated: expected at least 8 bytes, got 0");
    assert_eq!(error(b"1234567"), "x.safetensors: truncated: expected at least 8 bytes, got 7");
    let whole = file(ONE, 8);
    assert_eq!(error(&whole[..20]), "x.safetensors: truncated: expected at least 62 bytes, got 20");
    assert_eq!(error(&whole[..69]), "x.safetensors: truncated: expected at least 70 bytes, got 69");
    assert_eq!(error(&file(ONE, 9)), "x.safetensors: bytes behind the last tensor: expected 70 bytes, got 71");
}

#[test]
fn a_git_lfs_pointer_is_recognised() {
    let message = error(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n");
    assert!(message.contains("Git LFS pointer"), "{message}");
}

#[test]
fn holes_and_overlaps_name_the_tensor() {
    let two = |begin: usize| {
        let end = begin + 4;
        let b = format!(r#""b":{{"dtype":"F32","shape":[1],"data_offsets":[{begin},{end}]}}"#);
        file(&format!(r#"{{"a":{{"dtype":"F32","shape":[2],"data_offsets":[0,8]}},{b}}}"#), end)
    };
    assert!(read_header(Path::new("x"), &two(8)).is_ok());
    let hole = "x.safetensors: a hole before tensor `b`: expected it to begin at 8, got 9";
    let overlap = "x.safetensors: tensor `b` overlaps the one before it: expected to begin at 8, got 7";
    assert_eq!(error(&two(9)), hole);
    assert_eq!(error(&two(7)), overlap);
    let first = file(&ONE.replace("[0,8]", "[4,12]"), 12);
    assert_eq!(error(&first), "x.safetensors: a hole before tensor `a`: expected it to begin at 0, got 4");
}

#[test]
fn sizes_must_be_those_of_shape_and_dtype() {
    let wrong = "x.safetensors: tensor `a` of shape [2] and dtype F32 is expected to end at 8, got 7";
    assert_eq!(error(&file(&ONE.replace("[0,8]", "[0,7]"), 7)), wrong);
    let huge = format!("[{},3]", usize::MAX / 2);
    assert!(error(&file(&ONE.replace("[2]", &huge), 8)).ends_with("and dtype F32 has no size in bytes"));
    let half_a_byte = ONE.replace("[2]", "[1]").replace("F32", "F4");
    assert!(error(&file(&half_a_byte, 8)).ends_with("and dtype F4 has no size in bytes"));
}

#[test]
fn broken_entries_are_named() {
    assert!(error(&file(&ONE.replace("F32", "F33"), 8)).contains("entry `a`: unknown variant `F33`"));
    assert!(error(&file(&ONE.replace("[2]", "[-2]"), 8)).contains("entry `a`: invalid value: integer `-2`"));
    assert!(error(&file(r#"{"__metadata__":{"format":1}}"#, 0)).contains("entry `__metadata__`"));
    assert!(error(&file("{", 0)).contains("EOF"));
    assert!(error(&file("{} {}", 0)).contains("trailing characters"));
    assert!(error(&file("[]", 0)).contains("expected a map"));
    assert!(error(b"\x02\0\0\0\0\0\0\0{\xff").contains("x.safetensors"));
}

#[test]
fn a_tensor_that_is_there_twice_is_named() {
    // Other readers take the first or the last: with equal offsets nothing else is wrong.
    let twice = r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F16","shape":[4],"data_offsets":[0,8]}}"#;
    assert!(SafeTensors::read_metadata(&file(twice, 8)).is_ok());
    assert!(error(&file(twice, 8)).contains("`a` is there twice"));
}

/// Headers of up to three tensors that are often, but not always, right.
fn almost_right() -> impl Strategy<Value = Vec<u8>> {
    let dtype = prop::sample::select(vec!["F32", "F16", "BF16", "I64", "F4", "BOOL", "X1"]);
    let shape = prop::collection::vec(prop_oneof![4 => 0_usize..4, 1 => Just(usize::MAX / 3)], 0..3);
    let off_by = prop_oneof![12 => Just(0_i64), 1 => -3_i64..4];
    let tensor = (dtype, shape, off_by.clone(), off_by.clone());
    (prop::collection::vec(tensor, 0..4), off_by, any::<bool>()).prop_map(|(tensors, extra, is_reversed)| {
        let mut end = 0_i64;
        let mut entries: Vec<String> = Vec::new();
        for (i, (dtype, shape, shift, stretch)) in tensors.into_iter().enumerate() {
            let bits = match dtype {
                "F32" => 32,
                "F16" | "BF16" => 16,
                "I64" => 64,
                "F4" => 4,
                _ => 8,
            };
            let length = shape.iter().fold(1_i64, |length, &dimension| length.wrapping_mul(dimension as i64));
            let begin = end + shift;
            end = begin.wrapping_add(length.wrapping_mul(bits) / 8 + stretch).clamp(0, 1000);
            entries.push(format!(r#""t{i}":{{"dtype":"{dtype}","shape":{shape:?},"data_offsets":[{begin},{end}]}}"#));
        }
        if is_reversed {
            entries.reverse();
        }
        file(&format!("{{{}}}", entries.join(",")), usize::try_from(end + extra).unwrap_or(0))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn exactly_those_files_are_accepted_that_the_safetensors_crate_accepts(bytes in almost_right()) {
        let ours = read_header(Path::new("x"), &bytes);
        let reference = SafeTensors::read_metadata(&bytes);
        prop_assert_eq!(ours.is_ok(), reference.is_ok(), "{:?} {:?}", ours, reference);
        if let (Ok(ShardHeader { data_start, tensors }), Ok((length, metadata))) = (ours, reference) {
            prop_assert_eq!(data_start, length as u64 + 8);
            prop_assert_eq!(tensors.len(), metadata.tensors().len());
            for (name, info) in tensors {
                prop_assert_eq!(info.data_offsets, metadata.info(&name).unwrap().data_offsets);
            }
        }
    }

    #[test]
    fn any_change_of_a_file_gives_tensors_inside_it_or_an_error(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let header = r#"{"__metadata__":{"format":"pt"},
            "a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},
            "b":{"dtype":"BF16","shape":[3,1],"data_offsets":[8,14]},
            "c":{"dtype":"I64","shape":[0],"data_offsets":[14,14]}}"#;
        let mut bytes = file(header, 14);
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        // Panics if a tensor that was accepted cannot be read.
        crate::fuzzing::header(&bytes);
    }

    #[test]
    fn any_change_of_an_index_gives_plain_file_names_or_an_error(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..5),
    ) {
        let mut bytes = br#"{"metadata":{"total_size":8},"weight_map":{"a":"x.safetensors","b":"y.safetensors"}}"#.to_vec();
        for (at, value) in &changes {
            let at = at.index(bytes.len());
            bytes[at] = *value;
        }
        prop_assert!(crate::fuzzing::index(&bytes) || !changes.is_empty());
    }

    #[test]
    fn arbitrary_bytes_are_no_reason_to_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200), length in 0_u8..250) {
        if let Some(first) = bytes.first_chunk_mut::<8>() {
            *first = u64::from(length).to_le_bytes();
        }
        let _ = read_header(Path::new("x"), &bytes);
    }
}
