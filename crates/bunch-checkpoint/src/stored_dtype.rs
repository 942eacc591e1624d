//! How a tensor of any dtype is stored in a safetensors file.

use std::fmt;

use crate::Dtype;

/// The dtype of a tensor in a safetensors file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredDtype {
    /// A dtype of weights, whose values can be read and written as f32.
    Float(Dtype),
    /// Any other dtype, whose tensors can be copied as bytes.
    Other(OtherDtype),
}

/// A safetensors dtype that is not one of [`Dtype`]; made by [`StoredDtype::from_name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OtherDtype(safetensors::Dtype);

impl StoredDtype {
    /// The dtype that a safetensors header spells `name`: `F32`, `I64`, `F8_E4M3`; None if there is none.
    pub fn from_name(name: &str) -> Option<Self> {
        serde_json::from_value(name.into()).ok().map(Self::from_safetensors)
    }

    /// Bits per value.
    pub fn bits(self) -> usize {
        self.to_safetensors().bitsize()
    }

    pub(crate) fn from_safetensors(dtype: safetensors::Dtype) -> Self {
        match dtype {
            safetensors::Dtype::F32 => Self::Float(Dtype::F32),
            safetensors::Dtype::F16 => Self::Float(Dtype::F16),
            safetensors::Dtype::BF16 => Self::Float(Dtype::BF16),
            other => Self::Other(OtherDtype(other)),
        }
    }

    pub(crate) const fn to_safetensors(self) -> safetensors::Dtype {
        match self {
            Self::Float(Dtype::F32) => safetensors::Dtype::F32,
            Self::Float(Dtype::F16) => safetensors::Dtype::F16,
            Self::Float(Dtype::BF16) => safetensors::Dtype::BF16,
            Self::Other(OtherDtype(other)) => other,
        }
    }
}

impl From<Dtype> for StoredDtype {
    fn from(dtype: Dtype) -> Self {
        Self::Float(dtype)
    }
}

/// As a safetensors header spells it.
impl fmt::Display for StoredDtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_safetensors().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::StoredDtype;
    use crate::Dtype;

    #[test]
    fn names_are_those_of_headers_and_come_back() {
        assert_eq!(StoredDtype::from_name("BF16"), Some(StoredDtype::Float(Dtype::BF16)));
        for (name, bits) in
            [("F32", 32), ("F16", 16), ("I64", 64), ("F8_E4M3", 8), ("F8_E8M0", 8), ("F4", 4), ("BOOL", 8)]
        {
            let dtype = StoredDtype::from_name(name).unwrap();
            assert_eq!((dtype.to_string().as_str(), dtype.bits()), (name, bits));
        }
        assert_eq!(StoredDtype::from_name("Q4_K"), None);
        assert_eq!(StoredDtype::from_name("float32"), None);
    }
}
