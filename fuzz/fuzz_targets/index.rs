//! Any bytes as model.safetensors.index.json.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    bunch_checkpoint::fuzzing::index(bytes);
});
