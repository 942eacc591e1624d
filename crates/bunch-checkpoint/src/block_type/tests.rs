//! Blocks against the values that the `gguf` package of llama.cpp computes, and by hand.

use safetensors::SafeTensors;

use super::BlockType;

const ALL: [BlockType; 8] = [
    BlockType::Q4_0,
    BlockType::Q4_1,
    BlockType::Q5_0,
    BlockType::Q5_1,
    BlockType::Q8_0,
    BlockType::Q4K,
    BlockType::Q5K,
    BlockType::Q6K,
];

fn dequantize(block_type: BlockType, bytes: &[u8]) -> Vec<f32> {
    let mut values = vec![f32::NAN; bytes.len() / block_type.bytes() * block_type.values()];
    for (block, out) in bytes.chunks_exact(block_type.bytes()).zip(values.chunks_exact_mut(block_type.values())) {
        block_type.dequantize(block, out);
    }
    values
}

#[test]
fn values_are_bit_for_bit_those_of_the_reference() {
    let golden = SafeTensors::deserialize(include_bytes!("../../tests/golden/blocks.safetensors")).unwrap();
    for block_type in ALL {
        let tensor = |what| golden.tensor(&format!("{}.{what}", block_type.name())).unwrap();
        let (blocks, expected) = (tensor("blocks"), tensor("values"));
        assert!(blocks.data().len() >= 6 * block_type.bytes());
        let values = dequantize(block_type, blocks.data());
        assert_eq!(values.len() * 4, expected.data().len(), "{block_type:?}");
        for (i, (value, bytes)) in values.iter().zip(expected.data().chunks_exact(4)).enumerate() {
            let expected = f32::from_le_bytes(bytes.try_into().unwrap());
            assert_eq!(value.to_bits(), expected.to_bits(), "{block_type:?} {i}: {value} {expected}");
        }
    }
}

#[test]
fn hand_computed_blocks() {
    // d = 0.5; the first byte holds the first value, 15 - 8, and the seventeenth, 0 - 8.
    let mut block = vec![0x00, 0x38, 0x0f];
    block.resize(18, 0x88);
    let values = dequantize(BlockType::Q4_0, &block);
    assert_eq!((values[0], values[16], values[1], values[31]), (3.5, -4.0, 0.0, 0.0));

    // d = 2, m = -1; of value 31 the fifth bit is set: 16 * 2 - 1.
    let mut block = vec![0x00, 0x40, 0x00, 0xbc, 0, 0, 0, 0x80];
    block.resize(24, 0);
    let values = dequantize(BlockType::Q5_1, &block);
    assert_eq!((values[0], values[30], values[31]), (-1.0, -1.0, 31.0));

    // d = 1, all bits of scale 7 (63) and the highest quants (63 - 32): 127 is the largest scale of i8, -1 is 0xff.
    let mut block = vec![0xff; 208];
    block.extend([0x00, 0x3c]);
    assert!(dequantize(BlockType::Q6K, &block).iter().all(|&value| value == -31.0));
}
