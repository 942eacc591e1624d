//! The type of a machine: what decides the last bits of numbers besides the code.

use serde::{Deserialize, Serialize};

/// What a machine's arithmetic follows from. Machines that differ in nothing but the processor's name give the same bits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Operating system, as in `linux`: its library computes logarithms and the like.
    pub os: String,
    /// The library's kind, as in `gnu` or `musl`; empty where the system has one kind alone.
    pub abi: String,
    /// Architecture, as in `x86_64`.
    pub arch: String,
    /// Instruction sets that are there, of those by which matrix products choose their kernels.
    pub simd: Vec<String>,
    /// Name of the processor, for a reader; `unknown` where the system does not say it.
    pub cpu: String,
}

impl Machine {
    /// The one that this program runs on.
    pub fn this() -> Self {
        let abi = if cfg!(target_env = "gnu") {
            "gnu"
        } else if cfg!(target_env = "musl") {
            "musl"
        } else if cfg!(target_env = "msvc") {
            "msvc"
        } else {
            ""
        };
        Self {
            os: std::env::consts::OS.into(),
            abi: abi.into(),
            arch: std::env::consts::ARCH.into(),
            simd: simd().into_iter().map(str::to_owned).collect(),
            cpu: cpu().unwrap_or_else(|| "unknown".into()),
        }
    }

    /// Whether the same program computes the same bits on both.
    pub fn computes_like(&self, other: &Self) -> bool {
        (&self.os, &self.abi, &self.arch, &self.simd) == (&other.os, &other.abi, &other.arch, &other.simd)
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
    use super::Machine;

    #[test]
    fn the_name_of_the_processor_decides_nothing() {
        let machine = Machine {
            os: "linux".into(),
            abi: "gnu".into(),
            arch: "x86_64".into(),
            simd: vec!["avx2".into(), "fma".into()],
            cpu: "one".into(),
        };
        assert!(machine.computes_like(&Machine { cpu: "other".into(), ..machine.clone() }));
        assert!(!machine.computes_like(&Machine { simd: vec!["fma".into()], ..machine.clone() }));
        assert!(!machine.computes_like(&Machine { os: "macos".into(), ..machine.clone() }));
        assert!(!machine.computes_like(&Machine { abi: "musl".into(), ..machine.clone() }));
        assert!(!machine.computes_like(&Machine { arch: "aarch64".into(), ..machine.clone() }));
    }

    #[test]
    fn this_machine_is_the_same_twice_and_has_an_architecture() {
        let machine = Machine::this();
        assert_eq!(machine, Machine::this());
        assert!(!machine.os.is_empty() && !machine.arch.is_empty() && !machine.cpu.is_empty(), "{machine:?}");
        // What AVX-512 is built on is there where AVX-512 is.
        let has = |name: &str| machine.simd.iter().any(|simd| simd == name);
        assert!(!has("avx512f") || has("avx2") && has("fma"), "{machine:?}");
    }
}
