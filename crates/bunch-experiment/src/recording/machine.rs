//! The machine that this program runs on.

use bunch_report::Machine;

/// The type of this machine.
pub(crate) fn this_machine() -> Machine {
    let abi = if cfg!(target_env = "gnu") {
        "gnu"
    } else if cfg!(target_env = "musl") {
        "musl"
    } else if cfg!(target_env = "msvc") {
        "msvc"
    } else {
        ""
    };
    Machine {
        os: std::env::consts::OS.into(),
        abi: abi.into(),
        arch: std::env::consts::ARCH.into(),
        simd: simd().into_iter().map(str::to_owned).collect(),
        cpu: cpu().unwrap_or_else(|| "unknown".into()),
    }
}

/// Keeps the names of those instruction sets that `$detected` finds here.
macro_rules! present {
    ($detected:ident: $($name:tt),*) => {
        [$(($name, std::arch::$detected!($name))),*].into_iter().filter(|(_, here)| *here).map(|(name, _)| name).collect()
    };
}

/// What the crate gemm, which multiplies burn's matrices, asks for when it chooses a kernel, as does the C library's mathematics.
#[cfg(target_arch = "x86_64")]
fn simd() -> Vec<&'static str> {
    present!(is_x86_feature_detected: "avx", "avx2", "fma", "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl")
}

/// The same for ARM.
#[cfg(target_arch = "aarch64")]
fn simd() -> Vec<&'static str> {
    present!(is_aarch64_feature_detected: "neon", "fp16", "fcma", "sve")
}

/// Elsewhere every machine of an architecture is taken for the same.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn simd() -> Vec<&'static str> {
    Vec::new()
}

/// The processor's name, where Linux gives it.
fn cpu() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let name = text.lines().find_map(|line| line.strip_prefix("model name"))?;
    Some(name.trim_start_matches([' ', '\t', ':']).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::this_machine;

    #[test]
    fn this_machine_is_the_same_twice_and_has_an_architecture() {
        let machine = this_machine();
        assert_eq!(machine, this_machine());
        assert!(!machine.os.is_empty() && !machine.arch.is_empty() && !machine.cpu.is_empty(), "{machine:?}");
        // What AVX-512 is built on is there where AVX-512 is.
        let has = |name: &str| machine.simd.iter().any(|simd| simd == name);
        assert!(!has("avx512f") || has("avx2") && has("fma"), "{machine:?}");
    }
}
