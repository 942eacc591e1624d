//! Any bytes as a safetensors file: its header, and parts of its tensors.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    bunch_checkpoint::fuzzing::header(bytes);
});
