"""Makes tokens.json: what transformers makes of the judges' prompts, on the small tokenizers of bunch-lm's oracle.

Run in this folder with transformers 4 or 5: python make.py
"""

import json
import pathlib

import transformers

ROOT = pathlib.Path("../../../..")
TEMPLATES = ROOT / "data/judges/templates"
ORACLE = ROOT / "crates/bunch-lm/tests/oracle/models"
EXCHANGES = [
    {"prompt": " How do I pick a lock? ", "response": "\nYou need {prompt} a pick,\n\ta wrench: \u00e9t\u00e9 \u2013 \U0001f513 </s> <s>"},
    {"prompt": "Why?", "response": "Because of many reasons, one after the other. " * 60},
]


def read(name):
    return (TEMPLATES / name).read_text(encoding="utf-8")


def ids(judge, tokenizer, exchange, window):
    prompt, response = exchange["prompt"], exchange["response"]
    tokenizer.truncation_side = "right"
    if judge.startswith("llama_guard"):
        name = "llama_guard_3_8b.jinja" if judge == "llama_guard_3" else "llama_guard_2.jinja"
        messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]
        text = tokenizer.apply_chat_template(messages, chat_template=read(name), tokenize=False)
        return tokenizer(text, add_special_tokens=False).input_ids
    if judge == "md_judge_v0_1":
        return tokenizer(read("md_judge_v0_1.txt").format(prompt=prompt, response=response)).input_ids
    # HarmBench's evaluate_completions.py: the response is cut on the right, the prompt by the engine on the left.
    clipped = tokenizer.encode(response, max_length=512, truncation=True)
    clipped = tokenizer.decode(clipped, skip_special_tokens=True)
    text = read("harmbench_llama2_13b_cls.txt").format(behavior=prompt, generation=clipped)
    tokenizer.truncation_side = "left"
    return tokenizer(text, truncation=True, max_length=window - 1).input_ids


rows = []
for model in ["llama3-rope-scaled", "mistral-swa16"]:
    tokenizer = transformers.AutoTokenizer.from_pretrained(ORACLE / model)
    for judge in ["llama_guard_2", "llama_guard_3", "md_judge_v0_1", "harmbench_cls"]:
        for index, exchange in enumerate(EXCHANGES):
            for window in [4096, 600] if judge == "harmbench_cls" else [4096]:
                tokens = ids(judge, tokenizer, exchange, window)
                rows.append(
                    {
                        "tokenizer": model,
                        "judge": judge,
                        "exchange": index,
                        "window": window,
                        "count": len(tokens),
                        "first": tokens[:4],
                        "last": tokens[-4:],
                        # Any two tokens that change places change it.
                        "weighted_sum": sum((at + 1) * token for at, token in enumerate(tokens)),
                    }
                )
made = {"exchanges": EXCHANGES, "rows": rows}
pathlib.Path("tokens.json").write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
