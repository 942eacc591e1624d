"""Makes directories.json and gguf.json: what transformers does with the files of model directories and with GGUF metadata.

Run in this folder: python make.py   (transformers 5.23.0, tokenizers 0.23.3, jinja2 3.1.6)
"""
import json
import logging
import tempfile
from pathlib import Path

import tokenizers
import transformers
from transformers import AutoTokenizer
from transformers.integrations.gguf.gguf_tokenizer_mapping import add_gguf_special_tokens, phi3_tokenizer

logging.disable(logging.WARNING)
MODELS = Path("../oracle/models")

TEXTS = [
    "",
    " ",
    "Question: What is 1234 + 56?\nAnswer:",
    " leading, trailing ",
    "I'M sure we'll DON'T\r\n\r\n\tx  y   z",
    "cafe\u0301 caf\u00e9 \ufb01 \u212b",
    "\u65e5\u672c \U0001f642 \u00a0x\u3000y",
    "<|im_start|>user\nhi<|im_end|>\n",
    "<s>[INST] x [/INST]</s> y <unk>",
    "<|begin_of_text|>x<|eot_id|> <|start_header_id|>",
    "<think>a</think> <extra>b",
]
CONVERSATIONS = [
    [{"role": "user", "content": " Hi there "}],
    [{"role": "user", "content": "a"}, {"role": "assistant", "content": " b\n"}, {"role": "user", "content": "c"}],
    [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "1+1?"}, {"role": "assistant", "content": "2"},
     {"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}, {"role": "user", "content": "3+3?"}],
    [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}],
]


def added(id, content, special=True, **flags):
    token = {"id": id, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
             "special": special}
    return token | flags


def decoder_of(tokens):
    return {str(t["id"]): {k: v for k, v in t.items() if k != "id"} for t in tokens}


def as_object(content):
    return {"__type": "AddedToken", "content": content, "lstrip": False, "normalized": True, "rstrip": False,
            "single_word": False}


def read(model, file):
    return json.loads((MODELS / model / file).read_text())


LLAMA, MISTRAL = "llama-gqa-untied", "mistral-swa16"
LLAMA_CHAT = read(LLAMA, "tokenizer_config.json")["chat_template"]
MISTRAL_CHAT = read(MISTRAL, "tokenizer_config.json")["chat_template"]
CHATML = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
QWEN_SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN_TOKENS = [added(1019, "<|extra_0|>"), added(1020, "<|extra_1|>"), added(1021, "<|endoftext|>"),
               added(1022, "<|im_start|>"), added(1023, "<|im_end|>")]
QWEN = {
    "tokenizer": {
        "added_tokens": QWEN_TOKENS,
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": QWEN_SPLIT}, "behavior": "Isolated", "invert": False},
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}]},
        "post_processor": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False},
    },
    "model": {"ignore_merges": False},
}
LLAMA_NAMED = {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"}
MISTRAL_NAMED = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
FAST = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False, "model_max_length": 160}

# name, base of tokenizer.json, changes to it, other files
DIRECTORIES = [
    ("qwen2 as transformers 5 writes it", LLAMA, QWEN, {
        "tokenizer_config.json": FAST | {"backend": "tokenizers", "bos_token": None, "eos_token": "<|im_end|>",
                                         "pad_token": "<|endoftext|>", "is_local": True},
        "chat_template.jinja": CHATML,
        "generation_config.json": {"eos_token_id": [1023, 1021], "pad_token_id": 1021}}),
    ("qwen2 as transformers 4 writes it", LLAMA, QWEN, {
        "tokenizer_config.json": FAST | {"add_bos_token": False, "add_prefix_space": False, "bos_token": None,
                                         "added_tokens_decoder": decoder_of(QWEN_TOKENS), "eos_token": "<|im_end|>",
                                         "additional_special_tokens": ["<|im_start|>", "<|im_end|>"], "errors": "replace",
                                         "pad_token": "<|endoftext|>", "split_special_tokens": False,
                                         "unk_token": None, "chat_template": CHATML, "model_max_length": 1e30},
        "special_tokens_map.json": {"additional_special_tokens": ["<|im_start|>", "<|im_end|>"],
                                    "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}}),
    ("special tokens as objects in tokenizer_config.json", LLAMA, {}, {
        "tokenizer_config.json": FAST | {"bos_token": as_object("<|begin_of_text|>"), "eos_token": as_object("<|eot_id|>"),
                                         "pad_token": None, "chat_template": LLAMA_CHAT}}),
    ("special tokens as objects in special_tokens_map.json", LLAMA, {}, {
        "tokenizer_config.json": FAST | {"chat_template": LLAMA_CHAT},
        "special_tokens_map.json": {"bos_token": as_object("<|begin_of_text|>"), "eos_token": as_object("<|eot_id|>")}}),
    ("a token that tokenizer.json does not have", LLAMA, {}, {
        "tokenizer_config.json": FAST | LLAMA_NAMED | {
            "additional_special_tokens": ["<extra>"], "chat_template": LLAMA_CHAT, "pad_token": "<think>"}}),
    ("several chat templates", MISTRAL, {}, {
        "tokenizer_config.json": FAST | MISTRAL_NAMED | {"chat_template": [
            {"name": "tool_use", "template": "tools"}, {"name": "default", "template": MISTRAL_CHAT}]}}),
    ("a chat template in two places", MISTRAL, {}, {
        "tokenizer_config.json": FAST | MISTRAL_NAMED | {"chat_template": "wrong"}, "chat_template.jinja": MISTRAL_CHAT}),
    ("a template with a line break at its end", MISTRAL, {}, {
        "tokenizer_config.json": FAST | MISTRAL_NAMED,
        "chat_template.jinja": "{%- for m in messages %}\n    {%- if m.role == 'user' %}\n{{ bos_token }} {{ m.content|trim }}\n"
                               "    {% else %}\n        {{- m['content'].strip() ~ eos_token }}\n    {% endif %}\n"
                               "{% endfor %}\n{{ messages|tojson }}{{ '<b>&é' | tojson }}\n\n"}),
    ("no template", LLAMA, {}, {"tokenizer_config.json": FAST | LLAMA_NAMED}),
    ("BOS that is switched off", LLAMA, {}, {
        "tokenizer_config.json": FAST | LLAMA_NAMED | {"add_bos_token": False, "chat_template": LLAMA_CHAT}}),
    ("a class that has tokens of its own", LLAMA, QWEN, {
        "config.json": {"model_type": "qwen2"},
        "tokenizer_config.json": FAST | {"tokenizer_class": "Qwen2Tokenizer", "chat_template": CHATML}}),
    ("mistral as transformers 4 writes it", MISTRAL, {}, {
        "config.json": {"model_type": "mistral", "bos_token_id": 1, "eos_token_id": 2},
        "tokenizer_config.json": FAST | MISTRAL_NAMED | {
            "tokenizer_class": "LlamaTokenizerFast", "add_bos_token": True, "add_eos_token": False, "legacy": True,
            "model_max_length": 1e30, "sp_model_kwargs": {}, "use_default_system_prompt": False, "pad_token": None,
            "added_tokens_decoder": decoder_of([added(0, "<unk>"), added(1, "<s>"), added(2, "</s>")]),
            "chat_template": MISTRAL_CHAT},
        "special_tokens_map.json": MISTRAL_NAMED}),
]


def tokenizer_json(base, changes):
    tokenizer = read(base, "tokenizer.json") | changes.get("tokenizer", {})
    tokenizer["model"] |= changes.get("model", {})
    return tokenizer


def describe(tokenizer):
    chats = []
    for messages in CONVERSATIONS:
        for prompt in (False, True):
            try:
                text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=prompt)
                ids = tokenizer.apply_chat_template(messages, tokenize=True, add_generation_prompt=prompt, return_dict=False)
                chats.append({"text": text, "ids": ids})
            except Exception as error:
                chats.append({"error": str(error)})
    with_special = [tokenizer(text)["input_ids"] for text in TEXTS]
    return {
        "bos": tokenizer.bos_token_id, "eos": tokenizer.eos_token_id, "pad": tokenizer.pad_token_id,
        "ids": with_special,
        "bare_ids": [tokenizer(text, add_special_tokens=False)["input_ids"] for text in TEXTS],
        "decoded": [tokenizer.decode(ids, skip_special_tokens=True) for ids in with_special],
        "decoded_all": [tokenizer.decode(ids, skip_special_tokens=False) for ids in with_special],
        "chats": chats,
    }


def main():
    cases = []
    for name, base, changes, files in DIRECTORIES:
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            (folder / "tokenizer.json").write_text(json.dumps(tokenizer_json(base, changes)))
            for file, content in files.items():
                (folder / file).write_text(content if isinstance(content, str) else json.dumps(content))
            tokenizer = AutoTokenizer.from_pretrained(folder)
            cases.append({"name": name, "base": base, "changes": changes, "files": files, "expected": describe(tokenizer)})
    made_with = f"transformers {transformers.__version__}, tokenizers {tokenizers.__version__}"
    out = {"made_with": made_with, "texts": TEXTS, "conversations": CONVERSATIONS, "cases": cases}
    Path("directories.json").write_text(json.dumps(out, ensure_ascii=False, indent=1) + "\n")

    # Merges from scores. transformers builds what tokenizer.json of Llama 2 says for one architecture only; elsewhere it
    # puts the first space otherwise.
    vocab = read(MISTRAL, "tokenizer.json")["model"]["vocab"]
    tokens = sorted(vocab, key=vocab.get)
    kinds = [2, 3, 3] + [6] * 256 + [1] * (len(tokens) - 259)
    metadata = {"tokenizer_type": "llama", "tokens": tokens, "token_type": kinds, "scores": [-i for i in range(len(tokens))]}
    backend = add_gguf_special_tokens(phi3_tokenizer(metadata), metadata).backend_tokenizer
    own = tokenizers.Tokenizer.from_file(str(MODELS / MISTRAL / "tokenizer.json"))
    texts = TEXTS + [doc["question"] for doc in map(json.loads, Path("../oracle/data/mc_test.jsonl").open())]
    ids = [backend.encode(text, add_special_tokens=False).ids for text in texts]
    merges = json.loads(backend.to_str())["model"]["merges"]
    differ = sum(ids[i] != own.encode(text, add_special_tokens=False).ids for i, text in enumerate(texts))
    print(len(merges), "merges;", differ, "of", len(texts), "texts differ from the tokenizer with its own merges")
    out = {"made_with": made_with, "texts": texts, "merges": len(merges), "bare_ids": ids}
    Path("gguf.json").write_text(json.dumps(out, ensure_ascii=False) + "\n")


main()
