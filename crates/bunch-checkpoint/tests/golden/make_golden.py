"""Makes the goldens of this folder: GGUF files and what other programs read in them.

Needs gguf 0.19.0, numpy, safetensors, torch and transformers 5. Run in this folder: python make_golden.py

- blocks.safetensors: for each quantised type blocks of bytes and the values that gguf.quants computes from them.
- llama.gguf, qwen2.gguf: small models; their tensors are stored as llama.cpp's converter does.
- llama.json, qwen2.json: by Hugging Face's name, shape and SHA-256 of the f32 values that transformers loads from the
  file, and the configuration that it makes of the metadata.
"""

import hashlib
import json
import pathlib

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as T
from safetensors.numpy import save_file
from transformers import AutoModelForCausalLM

HERE = pathlib.Path(__file__).parent
random = np.random.default_rng(20240817)

QUANTISED = [T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q8_0, T.Q4_K, T.Q5_K, T.Q6_K]
CAN_QUANTISE = QUANTISED[:5]
# Where in a block its f16 numbers are.
HALVES = {T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q8_0: [0], T.Q4_K: [0, 2], T.Q5_K: [0, 2], T.Q6_K: [208]}

VOCAB, LAYERS, HEADS, KV_HEADS, FFN = 6, 2, 4, 2, 32


def random_blocks(kind, rows, values, largest):
    """Random bytes as blocks of `kind`, whose f16 numbers are finite and at most `largest`."""
    block, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = random.integers(0, 256, (rows, values // block, size), dtype=np.uint8)
    for at in HALVES[kind]:
        halves = random.uniform(-largest, largest, blocks.shape[:2]).astype(np.float16)
        blocks[..., at : at + 2] = halves[..., None].view(np.uint8)
    return blocks.reshape(rows, -1)


def make_blocks():
    tensors = {}
    for kind in QUANTISED:
        block, size = gguf.GGML_QUANT_SIZES[kind]
        count = 4 if block == 32 else 2
        blocks = [random_blocks(kind, 1, count * block, largest) for largest in (0.01, 1e-7, 60000.0)]
        if kind in CAN_QUANTISE:
            blocks.append(gguf.quants.quantize(random.normal(0, 0.02, (1, count * block)).astype(np.float32), kind))
        blocks = np.concatenate(blocks, axis=1)
        tensors[f"{kind.name}.blocks"] = blocks.reshape(-1)
        tensors[f"{kind.name}.values"] = gguf.quants.dequantize(blocks, kind).reshape(-1).astype(np.float32)
    save_file(tensors, HERE / "blocks.safetensors")


def make_model(arch, hidden, head, tied, bias, types):
    path = HERE / f"{arch}.gguf"
    writer = gguf.GGUFWriter(path, arch)
    writer.add_context_length(128)
    writer.add_embedding_length(hidden)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FFN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_rope_dimension_count(head)
    writer.add_rope_freq_base(500000.0 if arch == "llama" else 1000000.0)
    writer.add_layer_norm_rms_eps(1e-5 if arch == "llama" else 1e-6)
    writer.add_vocab_size(VOCAB)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([f"<{i}>" for i in range(VOCAB)])
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)

    def add(name, *shape):
        kind = types.get(name.split(".")[-2] if name.startswith("blk") else name.split(".")[0], T.F32)
        if isinstance(kind, list):
            kind = kind[int(name.split(".")[1])]
        if name.endswith("bias") or len(shape) == 1:
            kind = T.F32
        values = random.normal(0, 0.02, shape).astype(np.float32)
        if kind == T.F32 or kind == T.F16:
            writer.add_tensor(name, values.astype(np.float32 if kind == T.F32 else np.float16))
        elif kind in CAN_QUANTISE or kind == T.BF16:
            writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
        else:
            writer.add_tensor(name, random_blocks(kind, shape[0], shape[1], 0.001), raw_dtype=kind)

    add("token_embd.weight", VOCAB, hidden)
    add("output_norm.weight", hidden)
    if not tied:
        add("output.weight", VOCAB, hidden)
    for i in range(LAYERS):
        add(f"blk.{i}.attn_q.weight", HEADS * head, hidden)
        add(f"blk.{i}.attn_k.weight", KV_HEADS * head, hidden)
        add(f"blk.{i}.attn_v.weight", KV_HEADS * head, hidden)
        if bias:
            add(f"blk.{i}.attn_q.bias", HEADS * head)
            add(f"blk.{i}.attn_k.bias", KV_HEADS * head)
            add(f"blk.{i}.attn_v.bias", KV_HEADS * head)
        add(f"blk.{i}.attn_output.weight", hidden, HEADS * head)
        add(f"blk.{i}.ffn_gate.weight", FFN, hidden)
        add(f"blk.{i}.ffn_up.weight", FFN, hidden)
        add(f"blk.{i}.ffn_down.weight", hidden, FFN)
        add(f"blk.{i}.attn_norm.weight", hidden)
        add(f"blk.{i}.ffn_norm.weight", hidden)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    model = AutoModelForCausalLM.from_pretrained(HERE, gguf_file=path.name, dtype=torch.float32)
    tensors = {}
    for name, tensor in model.state_dict().items():
        if tied and name == "lm_head.weight":
            continue
        values = tensor.contiguous().numpy().astype("<f4")
        tensors[name] = {"shape": list(values.shape), "sha256": hashlib.sha256(values.tobytes()).hexdigest()}
    keys = ["architectures", "bos_token_id", "eos_token_id", "head_dim", "hidden_act", "hidden_size", "intermediate_size",
            "max_position_embeddings", "model_type", "num_attention_heads", "num_hidden_layers", "num_key_value_heads",
            "rms_norm_eps", "tie_word_embeddings", "vocab_size"]
    config = model.config.to_dict()
    golden = {"config": {key: config.get(key) for key in keys}, "rope_parameters": config["rope_parameters"], "tensors": tensors}
    (HERE / f"{arch}.json").write_text(json.dumps(golden, indent=1) + "\n")


make_blocks()
make_model("llama", 256, 8, False, False, {
    "token_embd": T.Q4_0, "output": T.Q6_K, "attn_q": [T.Q4_K, T.Q8_0], "attn_k": [T.Q6_K, T.F32], "attn_v": [T.Q5_K, T.BF16],
    "attn_output": [T.Q8_0, T.F16], "ffn_gate": [T.Q4_0, T.Q5_K], "ffn_up": [T.Q4_1, T.Q4_K], "ffn_down": [T.Q5_0, T.Q5_1],
})
make_model("qwen2", 64, 16, True, True, {
    "token_embd": T.Q8_0, "attn_q": T.Q4_0, "attn_k": T.Q4_0, "attn_v": T.Q8_0, "attn_output": T.F16, "ffn_gate": T.Q4_0,
    "ffn_up": T.Q5_1, "ffn_down": T.Q8_0,
})
