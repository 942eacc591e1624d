//! Conversion against the formats' arithmetic definition and a search for the nearest value.

use proptest::prelude::*;

use super::Dtype;

/// A format of 16 bits by its number of mantissa bits; the sign takes one bit and the exponent the others.
#[derive(Debug, Clone, Copy)]
struct Format {
    dtype: Dtype,
    mantissa_bits: u32,
}

const FORMATS: [Format; 2] =
    [Format { dtype: Dtype::F16, mantissa_bits: 10 }, Format { dtype: Dtype::BF16, mantissa_bits: 7 }];

impl Format {
    /// The bits of positive infinity: all exponent bits.
    fn infinity(self) -> u16 {
        0x7fff >> self.mantissa_bits << self.mantissa_bits
    }

    /// IEEE 754's definition of the value of non-negative, finite `bits`. Infinity gets the value that it would have if
    /// the exponents went on: overflow rounds as if it were that number.
    fn value(self, bits: u16) -> f64 {
        let bias = (1 << (14 - self.mantissa_bits)) - 1;
        let (exponent, mantissa) = (i32::from(bits >> self.mantissa_bits), bits & ((1 << self.mantissa_bits) - 1));
        let fraction = f64::from(mantissa) / f64::from(1 << self.mantissa_bits);
        if exponent == 0 { fraction * 2_f64.powi(1 - bias) } else { (1.0 + fraction) * 2_f64.powi(exponent - bias) }
    }

    /// Round to nearest, ties to even, by binary search for the neighbours of |value|.
    fn nearest(self, value: f32) -> u16 {
        let sign = if value.is_sign_negative() { 0x8000 } else { 0 };
        let magnitude = f64::from(value).abs();
        let (mut low, mut high) = (0, self.infinity());
        if magnitude >= self.value(high) {
            return sign | high;
        }
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.value(middle) <= magnitude { low = middle } else { high = middle }
        }
        let (below, above) = (magnitude - self.value(low), self.value(high) - magnitude);
        let is_low = below < above || (below == above && low % 2 == 0);
        sign | if is_low { low } else { high }
    }

    fn encode(self, values: &[f32]) -> Vec<u16> {
        let mut bytes = Vec::new();
        self.dtype.encode(values, &mut bytes);
        bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect()
    }

    fn decode(self, bits: &[u16]) -> Vec<f32> {
        let bytes: Vec<u8> = bits.iter().flat_map(|bits| bits.to_le_bytes()).collect();
        self.dtype.decode(&bytes)
    }
}

#[test]
fn every_16_bit_value_is_decoded_exactly_and_encoded_back() {
    let all: Vec<u16> = (0..=u16::MAX).collect();
    for format in FORMATS {
        let values = format.decode(&all);
        let back = format.encode(&values);
        for &bits in &all {
            let (value, magnitude) = (values[usize::from(bits)], bits & 0x7fff);
            if magnitude > format.infinity() {
                assert!(value.is_nan(), "{format:?} {bits:#06x}");
                assert!(format.decode(&[back[usize::from(bits)]])[0].is_nan(), "{format:?} {bits:#06x}");
                continue;
            }
            let expected = if magnitude == format.infinity() { f64::INFINITY } else { format.value(magnitude) };
            assert_eq!(f64::from(value).abs(), expected, "{format:?} {bits:#06x}");
            assert_eq!(value.is_sign_negative(), bits >= 0x8000, "{format:?} {bits:#06x}");
            assert_eq!(back[usize::from(bits)], bits, "{format:?} {value}");
        }
    }
}

#[test]
fn the_midpoint_between_any_two_neighbours_and_the_floats_beside_it_round_as_defined() {
    for format in FORMATS {
        let mut values = Vec::new();
        for low in 0..format.infinity() {
            // Exact in f32: it has more mantissa bits, and a wider or equal range of exponents.
            let middle = (format.value(low) + format.value(low + 1)) / 2.0;
            let bits = (middle as f32).to_bits();
            assert_eq!(f64::from(f32::from_bits(bits)), middle);
            for bits in [bits - 1, bits, bits + 1] {
                values.extend([f32::from_bits(bits), -f32::from_bits(bits)]);
            }
        }
        for (&value, bits) in values.iter().zip(format.encode(&values)) {
            assert_eq!(bits, format.nearest(value), "{format:?} {value:e}");
        }
    }
}

#[test]
fn hand_computed_values() {
    let f16 = [(1.0, 0x3c00), (-2.0, 0xc000), (65504.0, 0x7bff), (65519.9, 0x7bff), (65520.0, 0x7c00), (1e30, 0x7c00)];
    for (value, bits) in f16 {
        assert_eq!(FORMATS[0].encode(&[value]), [bits], "{value}");
    }
    // f32::MAX is nearer to 2^128 than to bf16's largest value; 1 + 2^-8 is halfway between 1 and 1 + 2^-7, even is 1.
    let bf16 = [(1.0, 0x3f80), (-2.0, 0xc000), (257.0 / 256.0, 0x3f80), (259.0 / 256.0, 0x3f82), (f32::MAX, 0x7f80)];
    for (value, bits) in bf16 {
        assert_eq!(FORMATS[1].encode(&[value]), [bits], "{value}");
    }
}

#[test]
fn a_nan_with_any_payload_stays_a_nan() {
    let nans = [0x7f80_0001, 0x7fff_ffff, 0xff80_0001, 0xffff_ffff, 0x7fc0_0000, 0x7f80_8000].map(f32::from_bits);
    for format in FORMATS {
        assert!(format.decode(&format.encode(&nans)).iter().all(|value| value.is_nan()), "{format:?}");
    }
}

#[test]
fn bytes_of_any_alignment_give_the_same_values() {
    let values: Vec<f32> = (0..37).map(|i| i as f32 * 0.25 - 3.0).collect();
    for dtype in [Dtype::F32, Dtype::F16, Dtype::BF16] {
        for offset in 0..4 {
            let mut bytes = vec![0xff; offset];
            dtype.encode(&values, &mut bytes);
            assert_eq!(dtype.decode(&bytes[offset..]), values, "{dtype} {offset}");
        }
    }
}

#[test]
fn a_last_value_that_is_not_complete_is_left_out() {
    assert_eq!(Dtype::F32.decode(&[0, 0, 0x80, 0x3f, 0, 0, 0]), [1.0]);
    assert_eq!(Dtype::BF16.decode(&[0x80, 0x3f, 0]), [1.0]);
    assert!(Dtype::F16.decode(&[0]).is_empty());
}

#[test]
fn the_names_are_those_of_transformers() {
    for (dtype, name, size) in [(Dtype::F32, "float32", 4), (Dtype::F16, "float16", 2), (Dtype::BF16, "bfloat16", 2)] {
        assert_eq!(serde_json::to_value(dtype).unwrap(), name);
        assert_eq!(serde_json::from_value::<Dtype>(name.into()).unwrap(), dtype);
        assert_eq!(dtype.to_string(), name);
        assert_eq!(dtype.size(), size);
    }
    assert!(serde_json::from_value::<Dtype>("float64".into()).is_err());
}

proptest! {
    #[test]
    fn any_float_rounds_as_defined(all_bits in prop::collection::vec(any::<u32>(), 1..200)) {
        let values: Vec<f32> = all_bits.into_iter().map(f32::from_bits).filter(|value| !value.is_nan()).collect();
        for format in FORMATS {
            for (&value, bits) in values.iter().zip(format.encode(&values)) {
                prop_assert_eq!(bits, format.nearest(value), "{:?} {:e}", format, value);
            }
        }
    }

    #[test]
    fn a_float_in_the_range_of_weights_rounds_as_defined(values in prop::collection::vec(-70000_f32..70000.0, 1..200)) {
        for format in FORMATS {
            for scale in [1.0, 1e-3, 1e-6, 1e-9] {
                let values: Vec<f32> = values.iter().map(|value| value * scale).collect();
                for (&value, bits) in values.iter().zip(format.encode(&values)) {
                    prop_assert_eq!(bits, format.nearest(value), "{:?} {:e}", format, value);
                }
            }
        }
    }

    #[test]
    fn f32_keeps_every_bit(all_bits in prop::collection::vec(any::<u32>(), 0..200)) {
        let values: Vec<f32> = all_bits.iter().copied().map(f32::from_bits).collect();
        let mut bytes = Vec::new();
        Dtype::F32.encode(&values, &mut bytes);
        let back: Vec<u32> = Dtype::F32.decode(&bytes).into_iter().map(f32::to_bits).collect();
        prop_assert_eq!(back, all_bits);
    }
}
