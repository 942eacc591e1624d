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
    /// Whether the same program computes the same bits on both.
    pub fn computes_like(&self, other: &Self) -> bool {
        (&self.os, &self.abi, &self.arch, &self.simd) == (&other.os, &other.abi, &other.arch, &other.simd)
    }
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
}
